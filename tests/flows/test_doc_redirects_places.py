"""Names of every kind, and places where no stub may stand."""

from __future__ import annotations

import shutil

import pytest

from tests.support.link_checks import everything, said
from tests.support.redirects import (
    CREATE,
    LINKS,
    OLD,
    TALK,
    codes,
    commit,
    git,
    move,
    planned,
    write,
)  # fmt: skip

# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("docs/Ü b.md", "docs/neu/ö (1).md", "%C3%9C%20b.md"),
        ("docs/Ü b.md", "docs/neu/ö (1).md", "<Ü b.md>"),
        ("docs/100%.md", "docs/a#b?.md", "100%25.md"),
        ("docs/deep/er/x.md", "y.md", "deep/er/x.md"),
        ("z.md", "docs/w.md", "/z.md"),
        ("docs/q:1.md", "docs/r:2.md", "./q:1.md"),
    ],
)
def test_names_of_every_kind(redirect, check, make_workspace, names):
    old, new, link = names
    target = link[:-1] + "#set-up>" if link.startswith("<") else f"{link}#set-up"
    text = f"[a]({target}) [b]({target}) [c]({target})\n"
    root = make_workspace({**TALK, "docs/a.md": text, old: OLD})
    commit(root)
    move(root, old, new)
    if "deep" in old:
        shutil.rmtree(root / "docs/deep")
    done = redirect(root, "--execute")
    assert done.report["writes"]["files"] == [old]
    links = check(root, "--deep", "--check-anchors")
    assert {link["category"] for link in links.report["links"]} == {"redirected"}
    check(root, "--deep", "--fix", "certain", "--execute")
    assert check(root, "--deep", "--check-anchors").report["links"] == []
    assert planned(redirect(root)) == []


def test_pages_with_crlf_and_a_stub_that_git_checked_out_so(redirect, make_workspace):
    crlf = OLD.replace("\n", "\r\n")
    root = make_workspace({**TALK, "docs/a.md": LINKS.replace("\n", "\r\n"), "docs/OLD.md": crlf})
    commit(root)
    move(root, "docs/OLD.md", "docs/NEW.md")
    redirect(root, "--execute")
    stub = root / "docs/OLD.md"
    stub.write_bytes(stub.read_bytes().replace(b"\n", b"\r\n"))
    assert planned(redirect(root, "--execute")) == []
    write(root, {"docs/b.md": "[x](OLD.md#more)\r\n"})
    assert planned(redirect(root, "--execute")) == [("update", "docs/OLD.md", "docs/NEW.md")]
    data = stub.read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n"), "the line ends stay"
    assert planned(redirect(root, "--execute")) == []


# --- what stands in the way -------------------------------------------------------------------


def test_an_edited_stub_is_refused_and_left_alone(redirect, moved):
    redirect(moved, "--execute")
    stub = moved / "docs/OLD.md"
    stub.write_text(stub.read_text().replace("has moved", "is elsewhere"))
    edited = stub.read_bytes()
    write(moved, {"docs/b.md": "[x](OLD.md#more)\n"})
    for flags in ([], ["--prune"]):
        done = redirect(moved, *flags, "--execute")
        assert (done.returncode, planned(done)) == (0, [])
        assert codes(done) == [("redirect_edited", "docs/OLD.md")]
        assert stub.read_bytes() == edited


def test_a_page_without_the_mark_is_a_page(redirect, moved):
    redirect(moved, "--execute")
    stub = moved / "docs/OLD.md"
    mine = "".join(line for line in stub.read_text().splitlines(True) if "autopack-" not in line)
    stub.write_text(mine)
    assert (planned(redirect(moved, "--execute")), stub.read_text()) == ([], mine)


def test_where_something_stands_nothing_is_written(redirect, moved, tmp_path):
    (moved / "docs/OLD.md").mkdir()
    write(moved, {"docs/OLD.md/x": ""})
    folder = redirect(moved, "--execute")
    assert (planned(folder), codes(folder)) == ([], [("redirect_refused", "docs/OLD.md")])
    shutil.rmtree(moved / "docs/OLD.md")
    (moved / "docs/OLD.md").symlink_to(tmp_path / "nowhere.md")
    link = redirect(moved, "--execute")
    assert (planned(link), (moved / "docs/OLD.md").is_symlink()) == ([], True)
    assert not (tmp_path / "nowhere.md").exists()


def test_symbolic_links_lead_no_stub_elsewhere(redirect, moved, tmp_path):
    write(moved, {"docs/a.md": LINKS.replace("OLD", "old/OLD"), "docs/OLD.md": OLD[::-1]})
    commit(moved)
    move(moved, "docs/OLD.md", "docs/old/OLD.md")
    move(moved, "docs/old/OLD.md", "docs/here.md")
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(moved / "docs/old", ignore_errors=True)
    (moved / "docs/old").symlink_to(outside)
    done = redirect(moved, "--execute")
    assert planned(done) == []
    assert codes(done) == [("redirect_refused", "docs/old/OLD.md")]
    assert list(outside.iterdir()) == []


def test_a_target_that_leads_out_of_the_repository_is_refused(redirect, moved, tmp_path):
    (tmp_path / "outside.md").write_text(OLD)
    new = moved / "docs/guides/NEW.md"
    new.unlink()
    new.symlink_to(tmp_path / "outside.md")
    done = redirect(moved, "--execute")
    assert (planned(done), codes(done)) == ([], [("redirect_refused", "docs/OLD.md")])
    new.unlink()
    write(moved, {"docs/real.md": OLD})
    new.symlink_to("../real.md")
    assert planned(redirect(moved, "--execute")) == [CREATE]


def test_a_circle_of_stubs_is_an_error(redirect, moved):
    redirect(moved, "--execute")
    git(moved, "rm", "-q", "--cached", "docs/guides/NEW.md")
    (moved / "docs/guides/NEW.md").unlink()
    back = (moved / "docs/OLD.md").read_text().replace("guides/NEW.md", "../OLD.md")
    write(moved, {"docs/guides/NEW.md": back})
    before = everything(moved)
    done = redirect(moved, "--execute")
    assert done.returncode == 1
    assert ("redirect_broken", "docs/OLD.md") in codes(done)
    assert everything(moved) == before


def test_fragments_that_are_not_there_lead_to_the_page_and_are_named(redirect, check, moved):
    write(moved, {"docs/b.md": "\n[x](OLD.md#old-part)\n"})
    done = redirect(moved, "--execute")
    assert codes(done) == [("redirect_fragment", "docs/b.md")]
    assert '<a id="old-part"></a>[old-part](guides/NEW.md)\n' in (moved / "docs/OLD.md").read_text()
    assert said(check(moved, "--deep"), "missing_anchor", "missing_file") == []

"""Redirect stubs as their users ask for them, on real repositories whose pages moved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.links.stubs import read_stub
from tests.support.link_checks import NAV, checker, everything, said
from tests.support.moves import (
    LINKS,
    LONG,
    OLD,
    codes,
    commit,
    git,
    move,
    planned,
    redirects,
    with_moved_page,
    write,
)  # fmt: skip
from tests.support.process import Finished
from tests.support.rendered import Oracle

TALK = {name: f"# {name}\n" for name in NAV}


@pytest.fixture
def redirect(run_flow) -> Callable[..., Finished]:
    return redirects(run_flow)


@pytest.fixture
def check(run_flow) -> Callable[..., Finished]:
    return checker(run_flow)


@pytest.fixture
def moved(make_workspace) -> Path:
    """Return a repository where docs/OLD.md is now docs/guides/NEW.md, and three links are old."""
    return with_moved_page(make_workspace(TALK))


CREATE = ("create", "docs/OLD.md", "docs/guides/NEW.md")


# --- the whole way ----------------------------------------------------------------------------


def test_a_stub_is_shown_then_written_once_and_the_links_work_again(redirect, check, moved):
    broken = said(check(moved, "--deep"), "missing_file")
    assert len(broken) == 3
    before = everything(moved)
    shown = redirect(moved)
    assert (shown.returncode, planned(shown)) == (0, [CREATE])
    (one,) = shown.report["redirects"]
    assert one["references"] == 3
    assert one["fragments"] == {"set-up": True, "use-it": True}
    assert one["moved_in"] == git(moved, "rev-parse", "HEAD")
    assert "--execute" in shown.report["next_steps"][0]["command"]
    assert everything(moved) == before
    assert not (moved / ".autonomous_runs").exists()

    done = redirect(moved, "--execute")
    assert done.returncode == 0, done.stderr
    assert done.report["writes"]["files"] == ["docs/OLD.md"]
    assert set(done.report["held"]["generations"]) == {"docs", "tidy"}
    after = everything(moved)
    assert {name for name in after if before.get(name) != after[name]} == {"docs/OLD.md"}

    again = redirect(moved, "--execute")
    assert (planned(again), again.report["writes"]["files"]) == ([], [])
    assert everything(moved) == after

    links = check(moved, "--deep", "--check-anchors")
    assert said(links, "missing_file", "missing_anchor") == []
    assert [link["category"] for link in links.report["links"]] == ["redirected"] * 3
    assert Oracle(moved).broken("docs/a.md") == Oracle(moved).broken("docs/OLD.md")
    assert sum(Oracle(moved).broken("docs/a.md")[1].values()) == 0
    commit(moved)
    assert planned(redirect(moved, "--execute")) == []


def test_links_to_a_stub_are_mended_for_certain_and_then_the_stub_is_of_no_more_use(
    redirect, check, moved
):
    redirect(moved, "--execute")
    links = check(moved, "--deep", "--fix", "certain", "--execute")
    assert links.report["writes"]["files"] == ["docs/a.md"]
    new = "[a](guides/NEW.md) [b](guides/NEW.md#set-up) [c](guides/NEW.md#use-it)\n"
    assert (moved / "docs/a.md").read_text() == new
    assert links.report["links"] == []

    stub = (moved / "docs/OLD.md").read_bytes()
    listed = redirect(moved, "--execute")
    assert codes(listed) == [("redirect_obsolete", "docs/OLD.md")]
    assert (moved / "docs/OLD.md").read_bytes() == stub, "listed, not removed"
    assert planned(redirect(moved, "--prune")) == [("remove", "docs/OLD.md", "docs/guides/NEW.md")]
    assert (moved / "docs/OLD.md").exists()
    pruned = redirect(moved, "--prune", "--execute")
    assert pruned.report["writes"]["files"] == ["docs/OLD.md"]
    assert not (moved / "docs/OLD.md").exists()
    assert planned(redirect(moved, "--prune", "--execute")) == []


def test_a_stub_that_was_removed_can_be_made_again(redirect, moved):
    redirect(moved, "--execute")
    commit(moved)
    write(moved, {"docs/a.md": "\n"})
    assert redirect(moved, "--prune", "--execute").report["writes"]["files"] == ["docs/OLD.md"]
    commit(moved)
    write(moved, {"docs/a.md": LINKS})
    assert planned(redirect(moved)) == [CREATE]


def test_navigation_sees_stubs_too(redirect, check, moved):
    write(moved, {"docs/INDEX.md": "[a](OLD.md) [b](OLD.md#set-up) [c](OLD.md#no)\n"})
    assert check(moved).returncode == 1
    redirect(moved, "--execute")
    nav = check(moved, "--check-anchors")
    assert nav.returncode == 0
    assert said(nav) == [("redirected", "OLD.md"), ("redirected", "OLD.md#set-up"),
                         ("redirected", "OLD.md#no")]  # fmt: skip
    assert [len(link["candidates"]) for link in nav.report["links"]] == [1, 1, 0]
    mended = check(moved, "--fix", "certain", "--execute")
    assert mended.report["writes"]["files"] == ["docs/INDEX.md"]
    assert (moved / "docs/INDEX.md").read_text() == (
        "[a](guides/NEW.md) [b](guides/NEW.md#set-up) [c](OLD.md#no)\n"
    )


def test_a_wrong_base_is_mended_where_a_stub_stands(redirect, check, moved):
    redirect(moved, "--execute")
    write(moved, {"docs/guides/b.md": "[x](docs/OLD.md)\n"})
    check(moved, "--deep", "--fix", "certain", "--execute")
    assert (moved / "docs/guides/b.md").read_text() == "[x](../OLD.md)\n"


def test_an_old_link_from_the_archive_counts(redirect, moved):
    write(moved, {"docs/a.md": "\n", "archive/a.md": LINKS.replace("(", "(../docs/")})
    assert planned(redirect(moved)) == [CREATE]
    redirect(moved, "--execute")
    assert codes(redirect(moved)) == []


# --- histories --------------------------------------------------------------------------------


def test_chains_and_two_old_names_lead_to_the_last_place(redirect, moved):
    move(moved, "docs/guides/NEW.md", "docs/guides/NEWER.md")
    write(moved, {"docs/b.md": LINKS.replace("OLD", "guides/NEW")})
    redirect(moved, "--execute")
    for name in ("docs/OLD.md", "docs/guides/NEW.md"):
        stub = read_stub(name, (moved / name).read_bytes())
        assert stub is not None
        assert stub.target == "docs/guides/NEWER.md"
    assert planned(redirect(moved)) == []


def test_a_stub_follows_when_its_page_moves_again(redirect, moved):
    redirect(moved, "--execute")
    commit(moved)
    move(moved, "docs/guides/NEW.md", "LAST.md")
    done = redirect(moved, "--execute")
    assert planned(done) == [("update", "docs/OLD.md", "LAST.md")]
    assert "](../LAST.md#set-up)" in (moved / "docs/OLD.md").read_text()
    assert planned(redirect(moved)) == []


def test_a_stub_that_was_committed_with_the_move_needs_no_history(redirect, moved):
    """Git sees a page that changed and a new one; the stub itself knows better."""
    redirect(moved, "--execute")
    shutil.rmtree(moved / ".git")
    commit(moved)
    assert planned(redirect(moved)) == []
    write(moved, {"docs/b.md": "[x](OLD.md#brand-new)\n"})
    assert planned(redirect(moved)) == [("update", *CREATE[1:])]


def test_a_page_that_moved_back_needs_none_and_leaves_one_where_it_was(redirect, moved):
    move(moved, "docs/guides/NEW.md", "docs/OLD.md")
    write(moved, {"docs/b.md": LINKS.replace("OLD", "guides/NEW")})
    assert planned(redirect(moved)) == [("create", "docs/guides/NEW.md", "docs/OLD.md")]


def test_a_page_that_was_deleted_gets_none(redirect, check, moved):
    git(moved, "rm", "-q", "docs/guides/NEW.md")
    commit(moved)
    done = redirect(moved)
    assert (planned(done), codes(done)) == ([], [])
    write(moved, {"docs/guides/NEW.md": "# Another page\n"})
    commit(moved)
    assert planned(redirect(moved)) == [], "what stands there now is another page"


def test_a_page_that_was_made_again_needs_none(redirect, moved):
    write(moved, {"docs/OLD.md": "# Mine\n"})
    commit(moved)
    assert planned(redirect(moved, "--promise", "docs/OLD.md")) == []
    git(moved, "rm", "-q", "docs/OLD.md")
    commit(moved)
    assert planned(redirect(moved)) == [], "the newest word about a name counts"


def test_a_page_that_never_was_gets_none(redirect, moved):
    write(moved, {"docs/b.md": LINKS.replace("OLD", "NEVER")})
    assert planned(redirect(moved)) == [CREATE]


def test_too_few_links_and_the_number_that_is_enough(redirect, moved):
    write(moved, {"docs/a.md": "[a](OLD.md) [b](OLD.md)\n"})
    done = redirect(moved)
    assert (done.returncode, planned(done)) == (0, [])
    assert codes(done) == [("redirect_not_worth", "docs/a.md")]
    (step,) = done.report["next_steps"]
    assert "flows.doc_links" in step["command"]
    assert "--fix history --execute" in step["command"]
    enough = redirect(moved, "--min-references", "2")
    assert planned(enough) == [CREATE]
    assert "--min-references 2" in enough.report["next_steps"][0]["command"]


def test_a_rename_by_case_only_is_rewritten(redirect, check, make_workspace):
    root = make_workspace({**TALK, "docs/a.md": LINKS, "docs/OLD.md": OLD})
    commit(root)
    move(root, "docs/OLD.md", "docs/Old.md")
    done = redirect(root, "--execute")
    assert planned(done) == []
    assert codes(done) == [("redirect_refused", "docs/OLD.md")]
    check(root, "--deep", "--fix", "history", "--execute")
    assert (root / "docs/a.md").read_text() == LINKS.replace("OLD", "Old").replace("./", "")


def test_a_shallow_clone_says_so_and_keeps_its_stubs(redirect, moved, tmp_path):
    redirect(moved, "--execute")
    commit(moved)
    write(moved, {"docs/b.md": LINKS.replace("OLD", "never")})
    commit(moved)
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{moved}", str(clone))
    done = redirect(clone)
    assert (done.returncode, planned(done)) == (0, [])
    assert [f["code"] for f in done.report["findings"]] == ["history_incomplete"]
    assert "--unshallow" in done.report["findings"][0]["fix"]


def test_missing_objects_cost_what_they_hold_and_no_more(redirect, moved):
    write(moved, {"docs/NEXT.md": LONG[::-1], "docs/b.md": LINKS.replace("OLD", "NEXT")})
    commit(moved)
    move(moved, "docs/NEXT.md", "docs/next/page.md")
    tree = git(moved, "rev-parse", "HEAD~2:docs")
    (moved / ".git/objects" / tree[:2] / tree[2:]).unlink()
    done = redirect(moved)
    assert planned(done) == [("create", "docs/NEXT.md", "docs/next/page.md")]
    told = done.report["findings"][0]
    assert (told["code"], told["severity"]) == ("history_incomplete", "warning")
    assert "commits lack objects" in told["message"]


def test_without_history_it_is_4_in_one_line(redirect, run_flow, make_workspace, tmp_path):
    root = make_workspace({**TALK, "docs/a.md": LINKS})
    done = redirect(root, "--execute")
    assert done.returncode == 4
    assert "git knows no history of workspace/: fatal: not a git repository" in done.stderr
    assert done.stderr.count("\n") == 1
    commit(root)
    empty = tmp_path / "no-programs"
    empty.mkdir()
    none = redirect(root, env={"PATH": str(empty)})
    assert none.returncode == 4
    assert "git, which knows where pages moved, cannot be asked" in none.stderr
    assert "install git" in none.stderr


def test_a_repository_without_commits_has_no_moves(redirect, make_workspace):
    root = make_workspace(TALK)
    git(root, "init", "-q")
    assert redirect(root).returncode == 0


def test_a_workspace_below_its_repository(redirect, make_workspace):
    root = make_workspace({
        **{f"sub/{name}": text for name, text in TALK.items()},
        "sub/docs/a.md": LINKS, "sub/docs/OLD.md": OLD, "sub/docs/b.md": LINKS.replace("OLD", "X"),
        "sub/docs/X.md": LONG[::-1],
    })  # fmt: skip
    commit(root)
    move(root, "sub/docs/OLD.md", "sub/docs/guides/NEW.md")
    move(root, "sub/docs/X.md", "outside.md")
    assert planned(redirect(root / "sub", "--execute")) == [CREATE]
    assert not (root / "sub/docs/X.md").exists(), "its new place is outside"


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


# --- promises ---------------------------------------------------------------------------------


def test_a_promise_of_the_command_line_lasts(redirect, moved):
    write(moved, {"docs/a.md": "\n"})
    assert planned(redirect(moved)) == []
    done = redirect(moved, "--promise", "docs/OLD.md", "--execute")
    assert planned(done) == [CREATE]
    assert codes(redirect(moved, "--prune", "--execute")) == []
    assert (moved / "docs/OLD.md").exists()


def test_promises_of_the_workspace_have_places_and_fragments(redirect, moved):
    write(moved, {"docs/a.md": "\n", "config/doc_redirects.yaml": (
        "promises:\n"
        "- {path: docs/OLD.md, reason: printed in the handbook, fragments: ['#set-up']}\n"
        "- {path: wiki/Home.md, to: docs/guides/NEW.md, reason: the old wiki}\n"
        "- {path: docs/NEVER.md, reason: somebody says so}\n"
    )})  # fmt: skip
    done = redirect(moved, "--execute")
    assert done.returncode == 1
    assert codes(done) == [("redirect_unknown", "docs/NEVER.md")]
    assert planned(done) == [CREATE, ("create", "wiki/Home.md", "docs/guides/NEW.md")]
    assert "#set-up)" in (moved / "docs/OLD.md").read_text()
    assert "](../docs/guides/NEW.md)" in (moved / "wiki/Home.md").read_text()
    assert planned(redirect(moved, "--prune")) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("promises: [{path: a.md}]", "promise 1 has no reason"),
        ("promises: [{path: ../a.md, reason: x}]", "leads out of the workspace"),
        ("promises: [{path: a.md, reason: x, two: y}]", "unknown key 'two'"),
        ("promises: {a: b}", "no list"),
        ("promises: [", "is no YAML"),
    ],
)
def test_a_bad_file_of_promises_is_2_in_one_line(redirect, moved, text, says):
    write(moved, {"config/doc_redirects.yaml": text})
    done = redirect(moved)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "flags", [["--min-references", "0"], ["--promise", "../x.md"], ["--promise", "/"]]
)
def test_bad_values_are_2(redirect, moved, flags):
    assert redirect(moved, *flags).returncode == 2


# --- the ledgers ------------------------------------------------------------------------------


def test_the_ledgers_and_their_index_know_nothing_of_stubs(redirect, run_flow, make_workspace):
    ledger = "# Changelog\n\n## One\n\n" + LONG
    root = make_workspace({**TALK, "docs/CHANGELOG.md": ledger, "docs/OLD.md": OLD})
    more = LINKS.replace("OLD", "CHANGELOG")
    write(root, {"docs/a.md": LINKS, "docs/b.md": more})
    commit(root)
    move(root, "docs/OLD.md", "docs/NEW.md")
    where = ("--engine", "direct", "--json", "--workspace", root)
    first = run_flow("sot_sync", "--db-only", "--execute", *where)
    assert first.returncode == 0, first.stderr
    redirect(root, "--execute")
    again = run_flow("sot_sync", "--db-only", "--execute", *where)
    assert (again.returncode, again.report["counts"]) == (0, first.report["counts"])
    assert sum(again.report["writes"]["sql"].values()) == 0

    move(root, "docs/CHANGELOG.md", "docs/history/CHANGES.md")
    done = redirect(root, "--promise", "docs/CHANGELOG.md", "--execute")
    assert codes(done) == [("redirect_refused", "docs/CHANGELOG.md")]
    assert not (root / "docs/CHANGELOG.md").exists()


def test_a_broken_stub_is_not_for_the_link_check_to_mend(redirect, check, moved):
    redirect(moved, "--execute")
    commit(moved)
    move(moved, "docs/guides/NEW.md", "LAST.md")
    stub = (moved / "docs/OLD.md").read_bytes()
    done = check(moved, "--deep", "--fix", "history", "--execute")
    assert done.report["writes"]["files"] == []
    assert (moved / "docs/OLD.md").read_bytes() == stub


# --- the real workspace -----------------------------------------------------------------------


@pytest.mark.corpus
def test_pages_of_the_real_workspace_move_and_every_link_still_arrives(
    redirect, check, corpus_copy
):
    commit(corpus_copy, "as it is")
    was = Oracle(corpus_copy)
    pages = sorted(
        {link["path"] for link in check(corpus_copy, "--deep").report["links"]} | set(NAV)
    )
    before = {page: was.broken(page) for page in pages}
    moves = _most_linked(corpus_copy)
    for name in moves:
        git(corpus_copy, "mv", name, f"docs/moved-{Path(name).name}")
    commit(corpus_copy, "moved")
    done = redirect(corpus_copy, "--execute", "--min-references", "1")
    assert done.returncode in (0, 1), done.stderr
    assert {path for _, path, _ in planned(done)} >= set(moves)
    again = redirect(corpus_copy, "--execute", "--min-references", "1")
    assert (planned(again), again.report["writes"]["files"]) == ([], [])
    now = Oracle(corpus_copy)
    for page in pages:
        if page not in moves:
            assert now.broken(page)[0] - before[page][0] == {}, page
            assert now.broken(page)[1] - before[page][1] == {}, page


def _most_linked(root: Path) -> list[str]:
    """Return ten pages that others link and that no ledger and no navigation page is."""
    from autopack.deadline import Deadline
    from autopack.io.tree import read_tree
    from autopack.links.extract import read_page
    from autopack.links.redirects import references
    from tasks.redirects_session import RESERVED

    tree = read_tree(root, Deadline.after(60))
    names = [name for name in tree.files if name.endswith(".md")]
    links = references((read_page(n, (root / n).read_bytes()) for n in names), tree)
    kept = [n for n in links if n in tree.files and n not in {*RESERVED, *NAV}]
    long = [n for n in kept if (root / n).stat().st_size > 500]
    return sorted(long, key=lambda name: (-len(links[name]), name))[:10]

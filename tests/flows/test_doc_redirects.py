"""Redirect stubs as their users ask for them, on real repositories whose pages moved."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.gfm_oracle import broken_links
from tests.support.link_checks import NAV, everything, said, written
from tests.support.redirects import (
    CREATE,
    LINKS,
    LONG,
    OLD,
    TALK,
    codes,
    commit,
    git,
    move,
    planned,
    write,
)  # fmt: skip

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
    assert broken_links(moved, "docs/a.md", "docs/OLD.md") == {
        "docs/a.md": (Counter(), Counter()), "docs/OLD.md": (Counter(), Counter()),
    }  # fmt: skip
    commit(moved)
    assert planned(redirect(moved, "--execute")) == []


def test_links_to_a_stub_are_mended_for_certain_and_then_the_stub_is_of_no_more_use(
    redirect, check, moved
):
    redirect(moved, "--execute")
    links = check(moved, "--deep", "--fix", "certain", "--execute")
    assert written(links) == ["docs/a.md"]
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
    assert written(mended) == ["docs/INDEX.md"]
    assert (moved / "docs/INDEX.md").read_text() == (
        "[a](guides/NEW.md) [b](guides/NEW.md#set-up) [c](OLD.md#no)\n"
    )


@pytest.mark.parametrize("page", ["docs/guides/b.md", "docs/INDEX.md"])
def test_a_link_that_surely_means_a_stub_is_mended_to_the_page_behind_it_at_once(
    redirect, check, moved, page
):
    redirect(moved, "--execute")
    write(moved, {page: "[x](docs/OLD.md) [y](docs/OLD.md#no) [z](/docs/old.md)\n"})
    flags = ("--fix", "certain", "--execute", *(() if page in NAV else ("--deep",)))
    check(moved, *flags)
    new, old = ("NEW.md", "../OLD.md") if page not in NAV else ("guides/NEW.md", "OLD.md")
    assert (moved / page).read_text() == f"[x]({new}) [y]({old}#no) [z]({new})\n"
    assert check(moved, *flags).report["fixes"] == []


def test_an_old_link_from_the_archive_counts(redirect, moved):
    write(moved, {"docs/a.md": "\n", "archive/a.md": LINKS.replace("(", "(../docs/")})
    assert planned(redirect(moved)) == [CREATE]
    redirect(moved, "--execute")
    assert codes(redirect(moved)) == []


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
        ("promises:\n- {path: a.md}", "doc_redirects.yaml:2: promise 1 has no reason"),
        ("promise: []", "unknown key 'promise'"),
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
    assert written(done) == []
    assert (moved / "docs/OLD.md").read_bytes() == stub


# --- the real workspace -----------------------------------------------------------------------


@pytest.mark.corpus
def test_pages_of_the_real_workspace_move_and_every_link_still_arrives(
    redirect, check, corpus_copy
):
    commit(corpus_copy, "as it is")
    before = broken_links(corpus_copy)
    moves = _most_linked(corpus_copy)
    for name in moves:
        git(corpus_copy, "mv", name, f"docs/moved-{Path(name).name}")
    commit(corpus_copy, "moved")
    done = redirect(corpus_copy, "--execute", "--min-references", "1")
    assert done.returncode in (0, 1), done.stderr
    assert {path for _, path, _ in planned(done)} >= set(moves)
    again = redirect(corpus_copy, "--execute", "--min-references", "1")
    assert (planned(again), again.report["writes"]["files"]) == ([], [])
    after = broken_links(corpus_copy)
    for page in before.keys() - moves:
        assert after[page][0] - before[page][0] == {}, page
        assert after[page][1] - before[page][1] == {}, page


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

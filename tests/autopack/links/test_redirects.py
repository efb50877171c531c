"""Who gets a stub, which one changes, and which is refused: the rules alone."""

from __future__ import annotations

import pytest

from autopack.links.extract import read_page
from autopack.links.history import Change, History, remember
from autopack.links.promises import Promise
from autopack.links.redirects import Ground, Redirect, Reference, references, with_anchors
from autopack.links.stubs import Stub, read_stub, render
from autopack.links.tree import tree_of

C = "c" * 40
MOVED = remember([Change(C, "docs/OLD.md", "docs/NEW.md")])
THREE = [Reference("docs/a.md", n, name) for n, name in ((1, ""), (2, "x"), (3, "x"))]


def ground(files=(), history=MOVED, links=None, stubs=(), promises=(), **more) -> Ground:
    links = {"docs/OLD.md": THREE} if links is None else links
    tree = tree_of(["docs/NEW.md", *files, *(stub.path for stub in stubs)])
    by_path = {stub.path: stub for stub in stubs}
    return Ground(tree, history, links, by_path, {p.path: p for p in promises}, **more)


def targets(decided) -> dict[str, str]:
    return {one.stub.path: one.stub.target for one in decided.redirects}


def codes(decided) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity) for finding in decided.findings]


# --- new stubs --------------------------------------------------------------------------------


def test_a_page_that_moved_and_is_linked_often_enough_gets_a_stub():
    (one,) = ground().decide().redirects
    assert one.stub == Stub("docs/OLD.md", "docs/NEW.md", frozenset({"x"}), frozenset(), C)
    assert (one.now, one.references, one.why) == (None, tuple(THREE), "linked")


def test_too_few_links_are_to_be_rewritten():
    decided = ground(least=4).decide()
    assert decided.redirects == ()
    (finding,) = decided.findings
    assert (finding.code, finding.path, finding.line) == ("redirect_not_worth", "docs/a.md", 1)
    assert finding.message == (
        "docs/OLD.md moved to docs/NEW.md in cccccccccc; 3 links to it: too few for a stub"
    )
    assert finding.fix.endswith("python -m flows.doc_links --deep --fix history --execute")


def test_links_of_the_archive_are_rewritten_by_naming_it():
    links = {"docs/OLD.md": [Reference("archive/a.md", 1, "")]}
    (finding,) = ground(links=links).decide().findings
    assert "--include 'archive/**' --fix history" in finding.fix


def test_no_history_no_stub_and_nothing_is_guessed():
    files = ["elsewhere/OLD.md", "docs/OLD2.md"]
    assert ground(files, History()).decide() == ground(files, History(), {}).decide()
    gone = remember([Change(C, "docs/OLD.md")])
    assert ground(history=gone).decide().redirects == ()


def test_a_page_that_is_there_again_needs_none():
    assert ground(["docs/OLD.md"]).decide().redirects == ()


def test_two_old_names_of_one_page_get_a_stub_each():
    both = remember([
        Change(C, "docs/OLD.md", "docs/NEW.md"), Change("d" * 40, "docs/OLDER.md", "docs/OLD.md"),
    ])  # fmt: skip
    decided = ground(history=both, links={"docs/OLD.md": THREE, "docs/OLDER.md": THREE}).decide()
    assert targets(decided) == {"docs/OLD.md": "docs/NEW.md", "docs/OLDER.md": "docs/NEW.md"}


@pytest.mark.parametrize(
    ("path", "files", "why"),
    [
        ("docs/new.md", [], "docs/NEW.md has the same name but for case"),
        ("Docs/OLD.md", [], "docs has the same name but for case"),
        ("docs/dir.md", ["docs/dir.md/x"], "a folder of this name stands there"),
        ("docs/f/OLD.md", ["docs/f"], "docs/f is a file, not a folder"),
        ("docs/LOG.md", [], "a page with content is expected there"),
        ("docs/INDEX.md", [], "a page with content is expected there"),
        ("docs/readme.md", ["docs/README.md"], "docs/README.md has the same name but for case"),
        ("docs/a\nb.md", [], "no link can carry everywhere"),
        ("docs/a\udce4.md", [], "no link can carry everywhere"),
    ],
)
def test_where_no_stub_may_stand(path, files, why):
    history = remember([Change(C, path, "docs/NEW.md")])
    decided = ground(files, history, {path: THREE}, reserved=["docs/LOG.md"]).decide()
    assert decided.redirects == ()
    assert codes(decided) == [("redirect_refused", "warning")]
    assert why in decided.findings[0].message


def test_two_old_names_that_differ_by_case_get_one_stub():
    both = remember([Change(C, "docs/Old.md", "docs/NEW.md"), Change(C, "docs/OLD.md", "b.md")])
    decided = ground(["b.md"], both, {"docs/OLD.md": THREE, "docs/Old.md": THREE}).decide()
    assert targets(decided) == {"docs/OLD.md": "b.md"}
    assert codes(decided) == [("redirect_refused", "warning")]


# --- promises ---------------------------------------------------------------------------------


def test_a_promised_page_needs_no_links():
    (one,) = (
        ground(links={}, promises=[Promise("docs/OLD.md", fragments=("y",))]).decide().redirects
    )
    assert one.stub.fragments == {"y"}
    assert not one.stub.promised, "a file keeps the promise"
    (one,) = (
        ground(links={}, promises=[Promise("docs/OLD.md", kept_in_stub=True)]).decide().redirects
    )
    assert one.stub.promised, "only the stub can keep it"


def test_a_promise_that_git_knows_nothing_of_needs_a_place():
    never = Promise("docs/NEVER.md")
    decided = ground(links={}, promises=[never]).decide()
    assert codes(decided) == [("redirect_unknown", "error")]
    placed = Promise("docs/NEVER.md", to="docs/OLD.md")
    assert targets(ground(links={}, promises=[placed]).decide()) == {"docs/NEVER.md": "docs/NEW.md"}


def test_a_promise_that_is_kept_by_a_page_is_silent():
    decided = ground(["docs/OLD.md"], links={}, promises=[Promise("docs/OLD.md")]).decide()
    assert (decided.redirects, decided.findings) == ((), ())


# --- stubs that stand -------------------------------------------------------------------------

STUB = Stub("docs/OLD.md", "docs/NEW.md", frozenset({"w"}), frozenset(), "e" * 40)


def test_a_stub_keeps_its_fragments_and_its_commit_and_gets_new_ones():
    (one,) = ground(stubs=[STUB], history=History()).decide().redirects
    assert one.stub == Stub("docs/OLD.md", "docs/NEW.md", frozenset({"w", "x"}), moved_in="e" * 40)
    assert one.now == STUB


def test_a_stub_stays_while_one_link_is_left():
    assert targets(ground(stubs=[STUB], links={"docs/OLD.md": THREE[:1]}).decide())


def test_a_stub_that_nothing_links_is_obsolete_unless_promised():
    assert ground(stubs=[STUB], links={}).decide().obsolete == (STUB,)
    kept = Stub("docs/OLD.md", "docs/NEW.md", promised=True)
    assert ground(stubs=[kept], links={}).decide().obsolete == ()
    by_file = ground(stubs=[STUB], links={}, promises=[Promise("docs/OLD.md")]).decide()
    assert (by_file.obsolete, len(by_file.redirects)) == ((), 1)


def test_a_changed_stub_is_left_alone():
    changed = read_stub("docs/OLD.md", render(STUB).replace(b"moved\n", b"gone\n"))
    assert changed is not None
    decided = ground(stubs=[changed]).decide()
    assert decided.redirects == decided.obsolete == ()
    assert codes(decided) == [("redirect_edited", "warning")]


def test_a_stub_follows_its_page():
    again = remember([Change(C, "docs/NEW.md", "docs/NEWER.md")])
    tree = ground(["docs/NEWER.md"], again, stubs=[STUB])
    tree = Ground(tree_of(["docs/NEWER.md", "docs/OLD.md"]), again, tree.references, tree.stubs)
    assert targets(tree.decide()) == {"docs/OLD.md": "docs/NEWER.md"}


def test_no_stub_leads_to_a_stub():
    between = Stub("docs/NEW.md", "docs/LAST.md")
    decided = ground(["docs/LAST.md"], stubs=[between]).decide()
    assert targets(decided) == {"docs/OLD.md": "docs/LAST.md"}
    both = ground(["docs/LAST.md"], stubs=[STUB, between]).decide()
    assert targets(both) == {"docs/OLD.md": "docs/LAST.md"}
    assert both.obsolete == (between,)


def test_a_circle_of_stubs_is_an_error_and_never_written():
    back = Stub("docs/NEW.md", "docs/OLD.md")
    links = {"docs/OLD.md": THREE, "docs/NEW.md": THREE}
    decided = ground(stubs=[STUB, back], links=links, history=History()).decide()
    assert decided.redirects == ()
    assert codes(decided) == [("redirect_broken", "error")] * 2
    assert "circle" in decided.findings[0].message


def test_a_stub_whose_page_is_gone_is_an_error():
    lost = Stub("docs/OLD.md", "docs/GONE.md")
    assert codes(ground(stubs=[lost], history=History()).decide()) == [("redirect_broken", "error")]
    assert targets(ground(stubs=[lost]).decide()) == {"docs/OLD.md": "docs/NEW.md"}, "git knows"


# --- references and fragments -----------------------------------------------------------------

PAGE = """[a](OLD.md#%C3%A4%20b) [b](/docs/OLD.md?plain=1#L3) [c](OLD.md#user-content-x)
[d](OLD.md#top) ![e](OLD.md) [f](https://example.org/OLD.md) [g](../../OLD.md) [h](folder)
[i](OLD.md:12) [j](#OLD.md) [k](.venv/OLD.md) `OLD.md`
"""


def test_references_are_what_links_mean_from_where_they_stand():
    tree = tree_of(["docs/folder/README.md"])
    found = references([read_page("docs/a.md", PAGE.encode())], tree)
    assert {path: [link.fragment for link in links] for path, links in found.items()} == {
        "docs/OLD.md": ["ä b", "", "x", ""],
        "docs/folder/README.md": [""],
    }


def test_a_stub_asks_for_no_stub():
    page = read_page("docs/OLD.md", render(Stub("docs/OLD.md", "docs/MOVED.md")))
    assert references([page], tree_of([])) == {}


def test_fragments_that_the_new_page_lacks_lead_to_its_top_and_are_named_once():
    links = (*THREE, Reference("docs/b.md", 9, "x"), Reference("docs/b.md", 9, "y"))
    redirect = Redirect(Stub("o.md", "n.md", frozenset({"w", "x", "y"})), None, links, "linked")
    stub, told = with_anchors(redirect, read_page("n.md", b"# Y\n"))
    assert stub.there == {"y"}
    assert [(f.code, f.path, f.line) for f in told] == [("redirect_fragment", "docs/a.md", 2)]

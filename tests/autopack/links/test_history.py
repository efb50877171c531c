"""What git remembers: chains of renames, names used again, and what stays an error."""

from __future__ import annotations

from autopack.links.extract import read_page
from autopack.links.history import Change, History, is_lost, remember, with_history
from autopack.links.resolve import Judge
from autopack.links.tree import tree_of

TREE = tree_of(["docs/page.md", "docs/new/NOW.md", "README.md"])


def test_a_chain_of_renames_ends_at_the_last_name():
    known = remember([Change("c3", "b.md", "docs/new/NOW.md"), Change("c2", "a.md", "b.md")])
    assert known.place("a.md", TREE) == ("docs/new/NOW.md", "c2")
    assert known.place("b.md", TREE) == ("docs/new/NOW.md", "c3")


def test_a_file_that_was_renamed_and_then_deleted_is_gone():
    known = remember([Change("c3", "b.md"), Change("c2", "a.md", "b.md")])
    assert known.place("a.md", TREE) is None
    assert (known.gone("a.md"), known.gone("b.md")) == ("c3", "c3")
    assert known.gone("never.md") is None


def test_the_newest_word_about_a_name_counts():
    known = remember([Change("c9", "a.md", "docs/new/NOW.md"), Change("c1", "a.md", "other.md")])
    assert known.place("a.md", TREE) == ("docs/new/NOW.md", "c9")


def told(page: str, target: str, history: History):
    read = read_page(page, f"[x]({target})".encode())
    (verdict,) = Judge(TREE, {}).verdicts(read)
    assert is_lost(verdict)
    return with_history(verdict, history, TREE)


MOVED = remember([Change("c" * 40, "docs/OLD.md", "docs/new/NOW.md"), Change("d" * 40, "x.md")])


def test_a_renamed_target_gets_a_candidate_from_its_page_or_from_the_root():
    for target in ("OLD.md#part", "docs/OLD.md#part"):
        verdict = told("docs/page.md", target, MOVED)
        assert verdict.category == "missing_file"
        candidate = verdict.candidates[0]
        assert (candidate.layer, candidate.path) == ("history", "docs/new/NOW.md")
        assert candidate.target == "new/NOW.md#part"
        assert candidate.why == "docs/OLD.md was renamed in cccccccccc"
        assert verdict.certain is None
        assert verdict.meant("history") is candidate


def test_a_deleted_target_is_history_but_in_a_navigation_page_an_error():
    assert told("docs/page.md", "../x.md", MOVED).category == "historical_ref"
    assert told("README.md", "x.md", MOVED).category == "missing_file"
    assert told("docs/page.md", "never.md", MOVED).category == "missing_file"


def disputed(*changes: Change):
    """What is said about `README.md`, which stands at the root, where it was gone from docs/."""
    return told("docs/page.md", "README.md#part", remember(changes))


def test_a_file_that_was_renamed_is_not_the_one_of_its_name_at_the_root():
    verdict = disputed(Change("c" * 40, "docs/README.md", "docs/new/NOW.md"))
    meant = verdict.meant("history")
    assert meant is not None
    assert (meant.layer, meant.target) == ("history", "new/NOW.md#part")
    assert (verdict.certain, verdict.sub) == (None, "")
    assert verdict.message == "'README.md#part': docs/README.md was renamed in cccccccccc"


def test_a_file_that_was_removed_makes_the_one_at_the_root_a_guess():
    verdict = disputed(Change("c" * 40, "docs/README.md"))
    assert verdict.category == "missing_file"
    assert [(c.layer, c.path) for c in verdict.candidates] == [("fuzzy", "README.md")]
    assert verdict.message == "'README.md#part': docs/README.md was removed in cccccccccc"


def test_a_file_that_went_to_the_root_is_there_for_certain():
    verdict = disputed(Change("c" * 40, "docs/README.md", "README.md"))
    assert verdict.certain is not None
    assert verdict.sub == "wrong_base"
    assert disputed(Change("c" * 40, "docs/other.md")) == disputed()


def test_a_file_that_is_only_missing_on_the_disk_makes_the_one_at_the_root_a_guess():
    page = read_page("docs/page.md", b"[x](README.md)")
    (verdict,) = Judge(TREE, {}).verdicts(page)
    said = with_history(verdict, History(), TREE, {"docs/README.md"})
    assert [c.layer for c in said.candidates] == ["fuzzy"]
    words = "docs/README.md is in the last commit, and not on the disk"
    assert said.message == f"'README.md': {words}"
    assert with_history(verdict, History(), TREE, {"docs/other.md"}) == verdict


PAGES = tree_of(["docs/sub/page.md", "docs/README.md", "README.md", "docs/only.md"])


def from_moved_page(target: str, *changes: Change):
    """Return what is said about a link of docs/sub/page.md, after these changes."""
    page = read_page("docs/sub/page.md", f"[x]({target})".encode())
    (verdict,) = Judge(PAGES, {}).verdicts(page)
    return with_history(verdict, remember(changes), PAGES)


def test_a_link_of_a_page_that_moved_means_what_stood_beside_its_old_place():
    moved = Change("c" * 40, "docs/page.md", "docs/sub/page.md")
    verdict = from_moved_page("README.md#part", moved)
    lines = from_moved_page("README.md:12", moved).meant("history")
    assert lines is not None
    assert lines.target == "../README.md?plain=1#L12"
    meant = verdict.meant("history")
    assert meant is not None
    assert (meant.layer, meant.path, meant.target) == (
        "history", "docs/README.md", "../README.md#part",
    )  # fmt: skip
    assert meant.why == "this page was docs/page.md until cccccccccc"
    assert (verdict.certain, verdict.sub) == (None, "")
    words = "'README.md#part': this page was docs/page.md until cccccccccc"
    assert verdict.message == words


def test_a_link_from_the_root_is_certain_wherever_its_page_has_been():
    at_the_root = Change("c" * 40, "page.md", "docs/sub/page.md")
    beside = Change("c" * 40, "docs/page.md", "docs/sub/page.md")
    for target, change in (("README.md", at_the_root), ("docs/only.md", beside)):
        verdict = from_moved_page(target, change)
        assert verdict.certain is not None
        assert verdict.sub == "wrong_base"

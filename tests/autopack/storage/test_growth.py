"""What grew and shrank between two scans."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopack.storage.growth import growth
from autopack.storage.snapshot import with_tree_sizes
from tests.support.trees import frame_of

BLOCK = 4096


def between(before, after, limit=20):
    return growth(*(with_tree_sizes(frame_of(tree)) for tree in (before, after)), limit)


def rows(found):
    return [(one.path, one.status, one.change // BLOCK, one.mostly) for one in found.shown]


def test_nothing_changed_is_an_empty_table() -> None:
    tree = {"a/b": 5, "c": 9}
    found = between(tree, tree)
    assert (found.shown, found.change, found.entries_change) == ((), 0, 0)


def test_the_folder_where_it_happened_stands_for_those_around_it() -> None:
    found = between({"a/b/c/log": BLOCK, "a/x": 1}, {"a/b/c/log": 9 * BLOCK, "a/x": 1})
    assert rows(found) == [("a/b/c", "grown", 8, "log")]


def test_grown_shrunk_new_and_gone_are_told_apart_and_sorted() -> None:
    before = {"logs/l": BLOCK, "old/deep/f": 3 * BLOCK, "src/s": 9 * BLOCK, "src/t": 1}
    after = {"logs/l": 20 * BLOCK, "new/deep/f": 2 * BLOCK, "src/s": 8 * BLOCK, "src/t": 1}
    assert rows(between(before, after)) == [
        ("logs", "grown", 19, "l"),
        ("old", "gone", -5, "deep"),
        ("new", "new", 4, "deep"),
        ("src", "shrunk", -1, "s"),
    ]


def test_two_children_that_changed_leave_their_parent_in() -> None:
    before = {"p/a/f": BLOCK, "p/b/f": BLOCK}
    after = {"p/a/f": 5 * BLOCK, "p/b/f": 4 * BLOCK}
    assert rows(between(before, after)) == [
        ("p", "grown", 7, "a"), ("p/a", "grown", 4, "f"), ("p/b", "grown", 3, "f"),
    ]  # fmt: skip


def test_what_evens_out_in_a_folder_is_shown_below_it() -> None:
    before = {"p/a/f": 9 * BLOCK, "p/b/f": BLOCK}
    after = {"p/a/f": BLOCK, "p/b/f": 9 * BLOCK}
    assert rows(between(before, after)) == [("p/a", "shrunk", -8, "f"), ("p/b", "grown", 8, "f")]


def test_files_of_the_root_itself_are_told_too() -> None:
    assert rows(between({"core": BLOCK}, {"core": 5 * BLOCK})) == [("", "grown", 4, "core")]


def test_of_two_children_that_differ_in_sign_the_one_of_the_parents_sign_stands_for_it() -> None:
    before = {"p/a/f": 9 * BLOCK, "p/b/f": BLOCK, "p/c/f": BLOCK}
    after = {"p/a/f": BLOCK, "p/b/f": 9 * BLOCK, "p/c/f": 2 * BLOCK}
    assert [row[0] for row in rows(between(before, after))] == ["p/a", "p/b", "p/c"]


def test_a_change_within_one_block_is_a_change() -> None:
    found = between({"a/f": 10}, {"a/f": 20})
    assert [(one.path, one.change, one.size_change) for one in found.shown] == [("a", 0, 10)]


def test_a_file_that_became_a_folder_is_new() -> None:
    assert ("a", "grown") in [(one.path, one.status) for one in between({"a": 1}, {"a/b": 1}).shown]


def test_the_rest_is_counted() -> None:
    after = {f"d{n}/f": BLOCK for n in range(30)}
    found = between({}, after)
    assert (len(found.shown), found.among, found.entries_change) == (20, 30, 60)


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)
TREES = st.dictionaries(NAMES.map(lambda path: f"{path}/f"), st.integers(1, 20), max_size=8)


@given(TREES, TREES)
def test_the_change_of_the_root_is_that_of_all_its_files(before, after) -> None:
    trees = [{path: n * BLOCK for path, n in tree.items()} for tree in (before, after)]
    found = between(*trees, limit=10_000)
    totals = [sum(frame_of(tree)["allocated"]) for tree in trees]
    assert found.change == totals[1] - totals[0]
    assert bool(found.shown) == (before != after)


@given(TREES, TREES)
def test_the_other_way_round_is_the_same_with_other_signs(before, after) -> None:
    there, back = between(before, after, 10_000), between(after, before, 10_000)
    turned = {"grown": "shrunk", "shrunk": "grown", "new": "gone", "gone": "new"}
    assert sorted((one.path, one.status, one.change) for one in there.shown) == sorted(
        (one.path, turned[one.status], -one.change) for one in back.shown
    )

"""What follows from the rows of a snapshot: sums, recursive sizes, its name."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from autopack.storage.classify import Kind
from autopack.storage.snapshot import NotSeen, RootSeen, totals, with_tree_sizes
from tests.support.trees import NOW_NS, frame_of, snapshot_of

TREE = {
    "a": {"kind": Kind.FOLDER, "size": 10},
    "a-b": 4,
    "a/x": 8,
    "a/y": {"size": 16, "nlink": 2, "ino": 99},
    "a0": 1,
    "b": {"size": 16, "nlink": 2, "ino": 99},
    "c/d/e": 32,
}
PLAIN = {"size": 0}


def sizes(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """Return a column by path."""
    return dict(zip(frame["path"], with_tree_sizes(frame)[column], strict=True))


def test_a_folder_holds_all_below_it_and_nothing_beside_it() -> None:
    found = sizes(frame_of({**TREE, "": {"kind": Kind.FOLDER, "size": 0}}), "tree_size")
    assert found["a"] == 10 + 8 + 16
    assert (found["a-b"], found["a0"], found["a/x"]) == (4, 1, 8)
    assert found["c"] == 4096 + found["c/d"] == 2 * 4096 + 32
    assert found[""] == 34 + 4 + 1 + found["c"]


def test_a_file_of_several_names_counts_once_where_the_first_is() -> None:
    found = sizes(frame_of(TREE), "tree_size")
    assert (found["a/y"], found["b"]) == (16, 0)
    assert totals(frame_of(TREE)).apparent == found[""]


def test_another_device_makes_another_file() -> None:
    tree = {name: {"size": 5, "nlink": 2, "ino": 7, "dev": dev} for dev, name in enumerate("xy")}
    assert totals(frame_of(tree)).apparent == 4096 + 10


def test_totals_count_entries_files_and_folders() -> None:
    found = totals(frame_of({**TREE, "link": {"kind": Kind.LINK, "size": 3}}))
    assert (found.entries, found.files, found.folders) == (11, 6, 4)
    assert found.allocated % 4096 == 0


def test_entries_below_are_counted_with_the_folder_itself() -> None:
    found = sizes(frame_of(TREE), "tree_entries")
    assert (found[""], found["a"], found["c"], found["c/d/e"]) == (10, 3, 3, 1)


def test_the_sizes_of_a_lone_root_are_its_own() -> None:
    assert sizes(frame_of({}), "tree_size") == {"": 4096}


@pytest.mark.parametrize("column", ["size", "mtime_ns", "ctime_ns", "ino", "uid", "mode"])
def test_any_change_gives_a_snapshot_another_name(column: str) -> None:
    before = snapshot_of(TREE)
    frame = before.frame.with_columns(
        pl.when(pl.col("path") == "b").then(pl.col(column) + 1).otherwise(column).alias(column)
    )
    assert before.sha256 == snapshot_of(TREE).sha256
    assert replace(before, frame=frame).sha256 != before.sha256


def test_what_was_not_seen_and_the_root_belong_to_the_name() -> None:
    before = snapshot_of(TREE)
    names = {
        before.sha256,
        snapshot_of(TREE, NotSeen("a", "denied")).sha256,
        replace(before, root=RootSeen("/other", 1, 2)).sha256,
    }
    assert len(names) == 3


def test_only_what_is_inside_makes_a_scan_partial() -> None:
    assert not snapshot_of(TREE, NotSeen("m", "mount"), NotSeen("f", "filesystem")).partial
    assert snapshot_of(TREE, NotSeen("a", "denied")).partial


def test_a_fast_scan_says_how_old_its_sizes_are() -> None:
    fast = snapshot_of(TREE, mode="fast", sizes_ns=NOW_NS)
    assert not fast.exact
    assert fast.label == "structural; sizes as of 2023-11-14T22:13:20Z"
    assert snapshot_of(TREE).label == "full"

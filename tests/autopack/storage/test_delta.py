"""What differs between two snapshots, against a plain comparison of dictionaries."""

from __future__ import annotations

import random

import polars as pl
import pytest

from autopack.storage.delta import COMPARED, delta
from tests.support.trees import frame_of

BEFORE = {"a/x": 10, "a/y": 20, "b/z": 30, "gone/file": 5}
AFTER = {"a/x": 10, "a/y": 25, "b/z": 30, "new/deep/file": 7}


def paths(frame: pl.DataFrame) -> list[str]:
    """Return the paths of a part of a delta."""
    return frame["path"].to_list()


def steady(tree: dict[str, object]) -> pl.DataFrame:
    """Return a frame in which an inode follows from the path alone."""
    frame = frame_of(tree)
    inodes = [sum(map(ord, path)) * 1000 + len(path) for path in frame["path"]]
    return frame.with_columns(ino=pl.Series(inodes, dtype=pl.UInt64))


def test_new_gone_and_changed_rows_are_told_apart() -> None:
    found = delta(steady(BEFORE), steady(AFTER))
    assert paths(found.new) == ["new", "new/deep", "new/deep/file"]
    assert paths(found.gone) == ["gone", "gone/file"]
    assert found.changed.select("path", "size_before", "size").rows() == [("a/y", 20, 25)]


def test_two_equal_frames_do_not_differ() -> None:
    found = delta(steady(BEFORE), steady(BEFORE))
    assert [part.height for part in (found.new, found.gone, found.changed)] == [0, 0, 0]


@pytest.mark.parametrize("column", COMPARED)
def test_any_sign_of_change_counts(column) -> None:
    before = steady(BEFORE)
    touched = pl.when(pl.col("path") == "b/z").then(pl.col(column) + 1).otherwise(column)
    after = before.with_columns(touched.alias(column))
    assert paths(delta(before, after).changed) == ["b/z"]


@pytest.mark.parametrize("seed", range(10))
def test_a_delta_is_what_dictionaries_say(seed) -> None:
    chance = random.Random(seed)
    names = [f"d{chance.randrange(9)}/f{n}" for n in range(200)]

    def some() -> pl.DataFrame:
        return steady({name: chance.randrange(3) for name in chance.sample(names, 150)})

    before, after = some(), some()
    old, new = (dict(zip(f["path"], f["size"], strict=True)) for f in (before, after))
    found = delta(before, after)
    assert paths(found.new) == [path for path in after["path"] if path not in old]
    assert paths(found.gone) == [path for path in before["path"] if path not in new]
    both = [path for path in after["path"] if path in old and old[path] != new[path]]
    assert paths(found.changed) == both

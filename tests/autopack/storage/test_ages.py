"""Bytes by the time of the last modification."""

from __future__ import annotations

import pytest

from autopack.storage.ages import BUCKETS, DAY_NS, FUTURE, OLDER, ages
from autopack.storage.snapshot import with_tree_sizes
from tests.support.trees import NOW_NS, frame_of


def by_bucket(entries):
    found = ages(with_tree_sizes(frame_of(entries)), NOW_NS)
    return {age.bucket: (age.files, age.size) for age in found if age.files}


@pytest.mark.parametrize(
    ("days", "bucket"),
    [(0, "under 1 day"), (1, "under 1 week"), (6.9, "under 1 week"), (29, "under 1 month"),
     (89, "under 3 months"), (364, "under 1 year"), (729, "under 2 years"), (730, OLDER)],
)  # fmt: skip
def test_a_bucket_ends_before_its_name(days, bucket) -> None:
    old = {"size": 5, "mtime_ns": NOW_NS - int(days * DAY_NS)}
    assert by_bucket({"f": old}) == {bucket: (1, 5)}


def test_a_file_from_the_future_is_not_young() -> None:
    assert by_bucket({"f": {"size": 5, "mtime_ns": NOW_NS + 1}}) == {FUTURE: (1, 5)}


def test_a_file_from_before_1970_is_old() -> None:
    assert by_bucket({"f": {"size": 5, "mtime_ns": -DAY_NS}}) == {OLDER: (1, 5)}


def test_every_bucket_is_there_and_folders_are_in_none() -> None:
    found = ages(with_tree_sizes(frame_of({"a/b": None})), NOW_NS)
    assert [age.bucket for age in found] == [name for name, _ in BUCKETS] + [OLDER, FUTURE]
    assert sum(age.files for age in found) == 0


def test_bytes_of_a_file_with_two_names_count_once() -> None:
    twice = {"size": 8, "nlink": 2, "ino": 77}
    assert by_bucket({"a": twice, "b": twice}) == {"under 1 day": (2, 8)}

"""Caps count the item at hand, locks are those of the folders, errors go by their numbers."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.storage.gate import Caps, locks_of, passing, status_of, told
from tests.autopack.storage.test_approval import item


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (errno.EACCES, "DENIED"), (errno.EPERM, "DENIED"), (errno.EROFS, "DENIED"),
        (errno.EBUSY, "DENIED"), (errno.ESTALE, "DENIED"), (errno.EIO, "DENIED"),
        (errno.EXDEV, "EXDEV"), (errno.ENOENT, "GONE"), (errno.ELOOP, "STALE"),
        (errno.ENOTDIR, "STALE"), (errno.EEXIST, "CONFLICT"),
    ],
)  # fmt: skip
def test_an_error_is_told_by_its_number_whatever_its_words(number: int, status: str) -> None:
    error = OSError(number, "Der Zugriff wurde verweigert")
    assert status_of(error) == status
    assert told(error).startswith(errno.errorcode[number])
    assert not passing(error)


@pytest.mark.parametrize(("number", "again"), [(32, True), (33, True), (5, False)])
def test_who_shares_a_file_on_windows_may_let_it_go(number: int, again: bool) -> None:
    error = OSError(errno.EACCES, "used by another process")
    error.winerror = number  # type: ignore[attr-defined]
    assert passing(error) == again
    assert told(error).startswith(f"winerror {number}")


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(0, 300), st.integers(0, 12))
def test_no_sequence_of_items_crosses_a_cap(sizes: list[int], most: int, count: int) -> None:
    caps = Caps({"": (None, None), "logs": (most, count)})
    taken = []
    for n, size in enumerate(sizes):
        one = item(f"n{n}", size).model_copy(update={"allocated": 0})
        if caps.refuse(one) is None:
            caps.take(one)
            taken.append(size)
    assert sum(taken) <= most
    assert len(taken) <= count


def test_locks_are_those_of_the_folders_that_hold_items() -> None:
    paths = ["docs/a", "archive/b/c", ".autonomous_runs/r1/x", ".autonomous_runs/_index/y", "src/z"]
    assert set(locks_of(paths)) == {"storage", "docs", "archive", "runs", "run:r1", "index"}
    assert locks_of([]) == ("storage",)
    assert locks_of(["documents/a", "src/docs/a"]) == ("storage",)
    assert set(locks_of([".autonomous_runs/not a name/x"])) == {"storage", "runs"}

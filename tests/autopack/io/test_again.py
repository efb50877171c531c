"""Trying again: while it passes by itself, until then, and never what does not."""

from __future__ import annotations

import time

import pytest

from autopack.io.again import again


class Stopped:
    """A work that is stopped so many times before it is done."""

    def __init__(self, times: int, by: type[Exception] = BlockingIOError) -> None:
        self.left, self.by, self.tries = times, by, 0

    def __call__(self) -> str:
        self.tries += 1
        if self.left:
            self.left -= 1
            raise self.by("stopped")
        return "done"


def passing(error: BaseException) -> bool:
    return isinstance(error, BlockingIOError)


@pytest.mark.parametrize("times", [0, 1, 5])
def test_it_is_done_as_soon_as_nothing_stops_it(times: int) -> None:
    work = Stopped(times)
    assert again(work, passing, time.monotonic() + 60, 0.001) == "done"
    assert work.tries == times + 1


@pytest.mark.parametrize("work", [Stopped(9, PermissionError), Stopped(9)])
def test_what_does_not_pass_or_has_no_time_is_tried_once(work: Stopped) -> None:
    with pytest.raises(work.by):
        again(work, passing, time.monotonic() if work.by is BlockingIOError else 1e12, 0.001)
    assert work.tries == 1


def test_another_error_ends_it() -> None:
    work = Stopped(2)

    def worse() -> str:
        if work.tries == 2:
            raise PermissionError
        return work()

    with pytest.raises(PermissionError):
        again(worse, passing, time.monotonic() + 60, 0.001)


def test_the_last_error_is_told_when_the_time_is_over() -> None:
    work = Stopped(10_000)
    with pytest.raises(BlockingIOError, match="stopped"):
        again(work, passing, time.monotonic() + 0.2, 0.02)
    assert 1 < work.tries < 20

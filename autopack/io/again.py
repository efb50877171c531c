"""Trying again what is stopped by something that passes by itself; for waits, not for steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def again(
    work: Callable[[], T], passing: Callable[[BaseException], bool], until: float, every_s: float
) -> T:
    """Return what `work()` returns, tried again every so many seconds.

    Args:
        work: Done at least once.
        passing: Whether what it raised passes by itself.
        until: No try begins after this, on the monotonic clock.
        every_s: The pause between two tries.

    Raises:
        Exception: That of the last try.
    """
    try:  # before the import, which costs more than most waits
        return work()
    except Exception as error:
        if not passing(error) or time.monotonic() + every_s > until:
            raise
    from tenacity import Retrying, retry_if_exception, wait_fixed

    time.sleep(every_s)
    trying = Retrying(
        retry=retry_if_exception(passing),
        wait=wait_fixed(every_s),
        stop=lambda _: time.monotonic() + every_s > until,
        reraise=True,
    )
    return trying(work)


def flock(descriptor: int, mode: int, until: float, every_s: float) -> None:
    """Take the kernel's lock of an open file, waiting for whoever holds it.

    Raises:
        BlockingIOError: It was not free by then.
    """
    import fcntl  # not everywhere, and whoever tries again need not lock

    again(
        lambda: fcntl.flock(descriptor, mode | fcntl.LOCK_NB),
        lambda error: isinstance(error, BlockingIOError),
        until,
        every_s,
    )

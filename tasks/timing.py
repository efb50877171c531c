"""Time limits that interrupt: SIGALRM in the main thread, the sooner of two first."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from autopack.errors import AutopackError, DeadlineExceeded, ExitCode

ALARM_GRACE_S = 0.25
"""A run's own deadline checks name what was being done, so the alarm gives them this lead."""


class StepTimeout(AutopackError):
    """One step took longer than its own limit; the run's deadline has not passed."""

    code = ExitCode.DEADLINE


class Budget(float):
    """The seconds that are left, shown as the number the operator gave."""

    def __new__(cls, left: float, given: float) -> Budget:
        budget = super().__new__(cls, max(left, 0.001))
        budget.given = given
        return budget

    given: float

    def __format__(self, spec: str) -> str:
        return format(self.given, spec)


@contextmanager
def time_limit(seconds: float | None, error: Callable[[], Exception]) -> Iterator[None]:
    """Raise `error()` in the body after `seconds`; an outer limit that is sooner stays armed.

    Only the main thread can be interrupted; elsewhere this does nothing.
    """
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    main = threading.current_thread() is threading.main_thread()
    if not main or seconds is None or 0 < left <= seconds:
        yield
        return
    armed = True

    def ring(_number: int, _frame: object) -> None:
        if armed:
            raise error()

    began, outer = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
            yield
        finally:
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, outer)
        if left:
            again = left - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(again, 0.001))


@contextmanager
def clock_stopped() -> Iterator[None]:
    """Keep the alarm that is armed from ringing in the body; it has as long left afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    left = signal.setitimer(signal.ITIMER_REAL, 0)[0]
    try:
        yield
    finally:
        if left:
            signal.setitimer(signal.ITIMER_REAL, left)


def out_of_time(given: float) -> DeadlineExceeded:
    """Return the error for a run that `--max-seconds` cut short."""
    return DeadlineExceeded(
        f"--max-seconds {given:g} ran out",
        next_step="run again with a larger --max-seconds; finished work is kept",
    )

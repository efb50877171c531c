"""One monotonic deadline for a whole run, passed down into every connect and statement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from autopack.errors import DeadlineExceeded


@dataclass(frozen=True)
class Deadline:
    """The moment, on the monotonic clock, at which the run must have ended."""

    max_seconds: float
    at: float
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the deadline that lies `seconds` from now."""
        return cls(seconds, clock() + seconds, clock)

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at - self.clock())

    def cap(self, seconds: float, doing: str = "") -> float:
        """Return `seconds` or what is left, whichever is less.

        Raises:
            DeadlineExceeded: Nothing is left.
        """
        self.check(doing)
        return min(seconds, self.remaining())

    def check(self, doing: str = "") -> None:
        """Raise `DeadlineExceeded`, naming what was being done, when no time is left."""
        if self.remaining() <= 0:
            where = f" while {doing}" if doing else ""
            raise DeadlineExceeded(
                f"--max-seconds {self.max_seconds:g} ran out{where}",
                next_step="run again with a larger --max-seconds; finished work is kept",
            )

"""Waiting for a lock: short naps, a word about the holder, and an end."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autopack.errors import Busy, Refused
from autopack.io import lock_files
from autopack.io.lock_files import LockFiles
from autopack.io.lock_kernel import forking_waits, open_file, try_lock, unlock
from autopack.io.lock_watch import Seen, inspect
from autopack.locks.record import Record, encode

Tell = Callable[[str], object]
TELL_EVERY_S = 10.0
_NAP_S = 0.001
_LONGEST_NAP_S = 0.010
_LEAST_TRIES = 3
"""Whoever looks at a lock holds it for microseconds, so one failed try says nothing."""
_QUEUE_AFTER_S = 0.1


@dataclass
class Waiting:
    """One wait for one lock; `nap` between two tries, `end` when it is over.

    Args:
        root: The workspace.
        files: Where the lock is.
        record: Who waits.
        until: When the wait ends, in monotonic seconds.
        tell: Is given the holder's line at once and then every `TELL_EVERY_S`.
    """

    root: Path
    files: LockFiles
    record: Record
    until: float
    tell: Tell | None = None
    _tries: int = 0
    _began: float = 0.0
    _told_at: float = float("-inf")
    _guard: io.FileIO | None = None
    _slot: int | None = None

    def nap(self) -> None:
        """Sleep for a moment.

        Raises:
            Busy: The wait is over; the message says who holds the lock.
        """
        self._tries += 1
        at = time.monotonic()
        self._began = self._began or at
        if at >= self.until and self._tries >= _LEAST_TRIES:
            raise self._busy()
        if self._tries > 1:
            self._tell(at)
        if self._guard is None and at - self._began > _QUEUE_AFTER_S:
            self._queue()
        longest = min(_LONGEST_NAP_S, _NAP_S * 1.5 ** min(self._tries, 10))
        time.sleep(min(longest * random.uniform(0.5, 1.0), max(_NAP_S, self.until - at)))  # noqa: S311 - jitter

    def end(self) -> None:
        """Leave the queue that `status` shows."""
        if self._guard is None:
            return
        try:
            if self._slot is not None:
                with contextlib.suppress(OSError):
                    lock_files.write_slot(self._guard, self._slot, lock_files.EMPTY)
        finally:
            self._guard.close()

    def _tell(self, at: float) -> None:
        if self.tell is not None and at - self._told_at >= TELL_EVERY_S:
            self._told_at = at
            self.tell(self._look().line)

    def _look(self) -> Seen:
        return inspect(self.root, [self.files.name.text])[0]

    def _queue(self) -> None:
        """Note who waits, if the guard is free now; it is for people, so nothing may fail."""
        with contextlib.suppress(OSError, Refused):
            guard = open_file(self.files.guard, create=True)
            # Not to be copied into a forked child while it is locked.
            with forking_waits():
                if not try_lock(guard):
                    guard.close()
                    return
                self._guard = guard
                self._write(guard)

    def _write(self, guard: io.FileIO) -> None:
        try:
            self._slot = lock_files.free_slot(guard, self.record.process)
            if self._slot is not None:
                generation = lock_files.read_generation(guard)
                data = encode(replace(self.record, role="waiter", generation=generation))
                lock_files.write_slot(guard, self._slot, data)
        finally:
            unlock(guard)

    def _busy(self) -> Busy:
        seen = self._look()
        name, where = seen.name, workspace_flag(self.root)
        waited = time.monotonic() - self._began
        guard = f"; its guard is held by pid {seen.guard_pid}" if seen.guard_pid else ""
        return Busy(
            f"lock '{name}' is busy, waited {waited:.1f} s: {seen.line}{guard}",
            next_step=f"wait and run again, or look: python -m flows.locks status{where}; if it "
            f"is stuck: python -m flows.locks break {name} --generation {seen.generation} "
            f"--execute{where}",
        )


def workspace_flag(root: Path) -> str:
    """Return what a command needs to find the workspace; nothing in the current folder."""
    here = os.path.realpath(root) == os.path.realpath(os.curdir)
    return "" if here else f" --workspace {shlex.quote(str(root))}"

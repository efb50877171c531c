"""One kernel lock on one name: the steps of the protocol, from the flock to the release.

`autopack.locks.model` explores the same steps in every order.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from autopack.errors import Busy, Refused
from autopack.io import lock_files
from autopack.io.lock_files import LockFiles
from autopack.io.lock_kernel import open_file, same_file, try_lock, unlock
from autopack.io.lock_processes import now
from autopack.io.lock_refs import Refs
from autopack.locks.errors import Fenced
from autopack.locks.names import LockName, check_order
from autopack.locks.record import Record, decode, encode

GUARD_WAIT_S = 30.0
"""How long a commit waits for the guard, which others hold for milliseconds."""
_ENTER_WAIT_S = 0.02
_SPIN_S = 0.0003


class _Turn:
    """A guard that a thread holds."""

    def __init__(self, name: LockName) -> None:
        self.name = name


class _Turns(threading.local):
    """The guards that a thread holds; each goes when the block that took it has gone.

    Weak, because a signal that raises at the wrong moment can keep a block from removing its own.
    """

    def __init__(self) -> None:
        self.token = object()  # names the thread; its number is given to another one later
        self.turns: Refs[_Turn] = Refs()

    def names(self) -> list[LockName]:
        return [turn.name for turn in self.turns]


_mine = _Turns()


@dataclass(eq=False)
class Hold:
    """A lock that is being taken, is held, or was let go.

    Args:
        files: Where the lock is.
        record: What is known of the holder; the grant adds the generation.
        durable: Wait for the disk before a new generation counts.
        found: The record of an exclusive holder before, that ended without release.
    """

    files: LockFiles
    record: Record
    durable: bool = False
    generation: int = -1
    fenced: bool = False
    found: Record | None = None
    thread: object = field(default_factory=lambda: _mine.token)
    users: Refs[object] = field(default_factory=Refs)
    _main: io.FileIO | None = None
    _guard: io.FileIO | None = None
    _slot: int | None = None
    _written: bytes = b""
    _writing: threading.RLock = field(default_factory=threading.RLock)
    _committing: threading.RLock = field(default_factory=threading.RLock)

    @property
    def held(self) -> bool:
        """Whether the lock is granted and not let go, nor left behind in a fork's parent."""
        return self.generation >= 0 and self._main is not None and not self._main.closed

    def try_take(self) -> bool:
        """Take the lock, or return False at once because it is not free now.

        Raises:
            OSError: The files cannot be opened or the generation cannot be written.
            Refused: The generation is damaged.
        """
        taken = False
        try:
            self.open()
            taken = self.lock() and self.enter()
        finally:
            if not taken:
                self.release()
        return taken

    def open(self) -> None:
        """Open the lock file: the first step. A waiter does it again for each try."""
        self._main = open_file(self.files.main, create=True)

    def lock(self) -> bool:
        """Lock the open file: the second step. False when somebody else holds it."""
        assert self._main is not None
        return try_lock(self._main, shared=self.record.mode == "shared")

    def enter(self) -> bool:
        """Number the grant, under the guard: the third step.

        False when the lock was broken meanwhile: what is locked then is nobody's file any more.
        """
        self._guard = open_file(self.files.guard, create=True)
        if not _wait_for(self._guard, _ENTER_WAIT_S):
            return False
        try:
            if not self._is_current(self._guard):
                return False
            self._number(self._guard)
        finally:
            self._unguard()
        return True

    def _is_current(self, guard: io.FileIO) -> bool:
        assert self._main is not None
        return same_file(self._main, self.files.main) and same_file(guard, self.files.guard)

    def _number(self, guard: io.FileIO) -> None:
        generation = lock_files.read_generation(guard)
        if self.record.mode == "exclusive":
            generation += 1
            lock_files.write_generation(guard, generation, durable=self.durable)
        self.record = replace(self.record, generation=generation)
        # The record is for people: a full disk takes it, never the lock.
        with contextlib.suppress(OSError):
            self._choose_slot(guard)
            self._write(guard)
        self.generation = generation

    def _choose_slot(self, guard: io.FileIO) -> None:
        if self.record.mode == "exclusive":
            self._slot = 0
            found = lock_files.read_slot(guard, 0)
            self.found = decode(found) if any(found[:4]) else None
        else:
            self._slot = lock_files.free_slot(guard, self.record.process)

    def _write(self, guard: io.FileIO) -> None:
        if self._slot is not None:
            self._written = encode(self.record)
            lock_files.write_slot(guard, self._slot, self._written)

    # --- while it is held ---------------------------------------------------------------------

    @contextmanager
    def guarded(self, wait_s: float = GUARD_WAIT_S) -> Iterator[None]:
        """Hold the guard for the body, in which this grant is the newest.

        Raises:
            Fenced: It is not, before the body starts.
            Busy: Somebody else held the guard for `wait_s`.
            LockOrderError: It is called inside the body of a later lock, or of this one.
        """
        check_order(_mine.names(), [self.files.name])
        until = time.monotonic() + wait_s
        with self._alone(wait_s):
            turn = _Turn(self.files.name)
            try:
                if not _wait_for(self._open_guard(), until - time.monotonic()):
                    raise self._guard_busy(wait_s)
                _mine.turns.add(turn)
                self.check()
                yield
            finally:
                self._unguard()
                _mine.turns.discard(turn)

    @contextmanager
    def _alone(self, wait_s: float) -> Iterator[None]:
        """Keep out the other threads of this process: they share the open guard file."""
        if not self._committing.acquire(timeout=max(0.0, wait_s)):
            raise self._guard_busy(wait_s)
        try:
            yield
        finally:
            self._committing.release()

    def check(self) -> None:
        """Return while this grant is the newest, as far as can be seen without the guard.

        Raises:
            Fenced: It is not.
        """
        guard = self._open_guard()
        assert self._main is not None
        if not same_file(guard, self.files.guard):
            raise self._fenced("its files were removed")
        generation = lock_files.read_generation(guard)
        if generation != self.generation:
            raise self._fenced(f"it was broken, and is at generation {generation} now")
        # A number can come again after somebody truncated the file: what was lost stays lost.
        if self.fenced or not same_file(self._main, self.files.main):
            raise self._fenced("it was broken, or its files were removed")

    def _open_guard(self) -> io.FileIO:
        if not self.held or self._guard is None or self._guard.closed:
            raise self._fenced("it was released, or belongs to the process that forked this one")
        return self._guard

    def _fenced(self, why: str) -> Fenced:
        self.fenced = True
        return Fenced(
            f"lock '{self.files.name}' of generation {self.generation} is lost: {why}; "
            "the write is refused",
            next_step="run again; what was committed before stays",
        )

    def _guard_busy(self, wait_s: float) -> Busy:
        return Busy(
            f"guard of lock '{self.files.name}' was held by somebody else for {wait_s:g} s",
            next_step=f"python -m flows.locks status {self.files.name}",
        )

    def _unguard(self) -> None:
        # In a forked child it is closed: unlocking would take the guard from the parent.
        if self._guard is not None and not self._guard.closed:
            unlock(self._guard)

    # --- its record ---------------------------------------------------------------------------

    def beat(self) -> None:
        """Send one heartbeat; a disk that does not take it changes nothing."""
        with self._writing:
            self.record = self.record.beaten(now())
            self._publish()

    def progress(self, done: int, total: int, phase: str) -> None:
        """Note that the work moved; it is on disk now and with every heartbeat."""
        with self._writing:
            self.record = self.record.progressed(now(), done, total, phase)
            self._publish()

    def annotate(self, note: str) -> None:
        """Change the record's note."""
        with self._writing:
            self.record = replace(self.record, note=note)
            self._publish()

    def fileno(self) -> int:
        """Return the descriptor of the lock file, for a child that shall hold the lock too."""
        assert self._main is not None
        return self._main.fileno()

    def _publish(self) -> None:
        """Write the record, unless the lock was broken: the slot is the next holder's then."""
        guard = self._guard
        if not self.held or guard is None or guard.closed:
            return
        with contextlib.suppress(OSError, Refused):
            self.fenced = lock_files.read_generation(guard) != self.generation
            if not self.fenced:
                self._write(guard)

    # --- its end ------------------------------------------------------------------------------

    def release(self) -> None:
        """Let the lock go; again, late or in a forked child it does nothing."""
        try:
            with self._writing:
                self._clear()
        finally:
            if self._main is not None:
                # Closed and not unlocked: a child that inherited the file keeps the lock.
                self._main.close()

    def _clear(self) -> None:
        guard = self._guard
        if guard is None or guard.closed:
            return
        try:
            with contextlib.suppress(OSError):
                self._empty_slot(guard)
        finally:
            guard.close()

    def _empty_slot(self, guard: io.FileIO) -> None:
        # After a break the slot may be the next holder's.
        if self._slot is not None and lock_files.read_slot(guard, self._slot) == self._written:
            lock_files.write_slot(guard, self._slot, lock_files.EMPTY)


def this_thread() -> object:
    """Return what names this thread among all that ever were."""
    return _mine.token


def _wait_for(guard: io.FileIO, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while not try_lock(guard):
        if time.monotonic() >= until:
            return False
        time.sleep(_SPIN_S)
    return True

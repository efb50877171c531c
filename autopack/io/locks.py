"""Locks that cannot lie: kernel locks with a number that is checked at every write.

A program takes its whole set at the start, in canonical order, and writes through `commit`:

    from pathlib import Path
    from autopack.deadline import Deadline
    from autopack.io.locks import MultiLock, Owner

    wants = {"tidy": "shared", "run:2026-01-31-a": "exclusive"}
    with MultiLock(Path("."), wants, Owner("executor"), Deadline.after(600)) as locks:
        run = locks["run:2026-01-31-a"]
        for n, step in enumerate(steps, 1):
            made = step.prepare()                 # slow work happens outside
            run.commit(made.rename_into_place)    # one short write; `Fenced` if the lock was broken
            run.progress(n, len(steps), "steps")

The lock is let go when the block or the process ends, kill -9 included, and when nothing refers to
the set any more. A thread takes its locks
in the order of `autopack.locks.names`; a name that the thread already holds is shared with the
outer block. Other threads and processes wait. `inspect`, `stale`, `break_lock` and `kill_holder`
are the operator's side.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from autopack.deadline import Deadline
from autopack.errors import Refused, UsageError
from autopack.io import lock_heartbeat
from autopack.io.lock_break import Broken, break_lock, kill_holder
from autopack.io.lock_files import FOLDER, LockFiles
from autopack.io.lock_hold import GUARD_WAIT_S, Hold
from autopack.io.lock_processes import command, look, me, now
from autopack.io.lock_waiting import Tell, Waiting
from autopack.io.lock_watch import Seen, inspect, network_filesystem, reachable, stale
from autopack.locks.errors import Fenced, LockOrderError
from autopack.locks.names import LockName, Mode, check_order, ordered
from autopack.locks.record import Record
from autopack.locks.verdict import alive
from autopack.settings import redact

__all__ = [
    "Broken", "Fenced", "Grant", "LockOrderError", "MultiLock", "Owner", "Seen",
    "break_lock", "inspect", "kill_holder", "stale",
]  # fmt: skip

T = TypeVar("T")
Fence = Callable[[], AbstractContextManager[object]]
"""Gives the block in which a write may be done; raises when the lock behind it was lost."""
WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Owner:
    """Who takes the locks, as `status` shows it."""

    flow: str
    flow_run_id: str = ""
    note: str = ""


class Grant:
    """One lock that is held; any thread of the process may use it."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    @property
    def name(self) -> str:
        """The lock's name."""
        return self._hold.files.name.text

    @property
    def mode(self) -> Mode:
        """How it is held; a shared wish inside an exclusive block is exclusive."""
        return self._hold.record.mode

    @property
    def generation(self) -> int:
        """The number of this grant: a newer one fences it."""
        return self._hold.generation

    @property
    def fenced(self) -> bool:
        """Whether the lock was taken away, as far as can be seen now."""
        try:
            self.check()
        except Fenced:
            return True
        return False

    @property
    def held(self) -> bool:
        """Whether this grant was not let go. It may be fenced all the same: see `check`."""
        return self in self._hold.users and self._hold.held

    def commit(self, work: Callable[[], T], wait_s: float = GUARD_WAIT_S) -> T:
        """Do one short write, and return what `work` returns, if the lock was not taken away.

        Nobody can take it away in the middle. Prepare outside, only rename in here.

        Raises:
            Fenced: The lock was broken, released, or belongs to the parent of this fork.
            Busy: Another holder's commit lasted for `wait_s`.
            LockOrderError: It is called inside the commit of a later lock, or of this one.
        """
        with self.guarded(wait_s):
            return work()

    def guarded(self, wait_s: float = GUARD_WAIT_S) -> AbstractContextManager[None]:
        """Return a block in which the lock cannot be taken away; raises what `commit` raises."""
        self._check_mine()
        return self._hold.guarded(wait_s)

    def check(self) -> None:
        """Ask whether a commit would be refused, before slow work is wasted.

        Raises:
            Fenced: It would.
        """
        self._check_mine()
        self._hold.check()

    @property
    def predecessor(self) -> Record | None:
        """The record of the holder before, if it is proven to have died without release."""
        found = self._hold.found
        dead = found and alive(found.process, me(), look(found.process.pid)) == "no"
        return found if dead else None

    def note(self, words: str) -> None:
        """Change what the record notes beside the holder; status shows it."""
        if self.held:
            self._hold.annotate(words)

    @property
    def file(self) -> str:
        """Where the lock file is."""
        return self._hold.files.main

    def fileno(self) -> int:
        """Return the open lock file, for a child that shall hold the lock while it lives.

        A child that has it keeps the lock, also after `release` and the death of this process.
        """
        self._check_mine()
        return self._hold.fileno()

    def progress(self, done: int, total: int = 0, phase: str = "") -> None:
        """Show that the work moves: `done` of `total`, in `phase` (empty: the same as before)."""
        if self.held:
            self._hold.progress(done, total, phase)

    def release(self) -> None:
        """Let the lock go; again, late or in a forked child it does nothing."""
        self._hold.users.discard(self)
        if not self._hold.users:
            self._hold.release()
            lock_heartbeat.forget(self._hold)

    def _check_mine(self) -> None:
        if self not in self._hold.users:
            raise Fenced(f"lock '{self.name}' was released; the write is refused")


class MultiLock:
    """A set of locks, taken together and let go together.

    Args:
        root: The workspace.
        wants: Lock names and how each is wanted: `exclusive` or `shared`.
        owner: Who takes them.
        deadline: The run's deadline; waiting counts.
        on_wait: Is given a line about the holder at once, and then every 10 s of waiting.
        wait_seconds: How long to wait for the whole set.
        durable: Wait for the disk before a grant counts, so that no number comes twice even after
            a power cut. Needed where numbers are kept outside the lock folder.
        allow_network: Take the locks on a filesystem where they do not keep other machines out;
            the caller has another guard.
    """

    def __init__(  # noqa: PLR0913 - options, by keyword
        self,
        root: Path | str,
        wants: Mapping[str, Mode],
        owner: Owner,
        deadline: Deadline,
        *,
        on_wait: Tell | None = None,
        wait_seconds: float = WAIT_S,
        durable: bool = False,
        allow_network: bool = False,
    ) -> None:
        self._root = Path(os.path.realpath(root))
        self._wants = {name: wants[name.text] for name in ordered(wants)}
        self._owner = owner
        self._deadline = deadline
        self._on_wait = on_wait
        self._wait_s = wait_seconds
        self._durable = durable
        self._allow_network = allow_network
        self._grants: dict[str, Grant] = {}
        for name, mode in self._wants.items():
            if mode not in ("exclusive", "shared"):
                raise UsageError(f"lock '{name}' is wanted as {mode!r}, not exclusive or shared")

    def __enter__(self) -> MultiLock:
        """Take the set; see `acquire`."""
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the set go, in reverse order."""
        self.release()

    def __getitem__(self, name: str) -> Grant:
        """Return the grant of one lock of the set."""
        return self._grants[name]

    def __iter__(self) -> Iterator[Grant]:
        """Go through the grants in canonical order."""
        return iter(list(self._grants.values()))

    def acquire(self) -> None:
        """Take every lock of the set, or none.

        Raises:
            Busy: One was not free in time; the message says who holds it and what to do.
            LockOrderError: This thread holds a later lock, or holds one of these shared and
                wants it exclusive; it is raised before anything is taken.
            DeadlineExceeded: No time was left at the start.
            Refused: The filesystem is shared with other machines, or a file is damaged.
            Unreachable: The lock files cannot be made or written.
        """
        if self._grants:
            raise LockOrderError("the set is already taken", next_step="make another MultiLock")
        outer = {hold.files.name: hold for hold in self._held_here()}
        check_order(outer, self._wants.keys() - outer.keys())
        _check_upgrades(outer, self._wants)
        self._check_filesystem()
        until = time.monotonic() + self._deadline.cap(self._wait_s, "waiting for locks")
        try:
            for name, mode in self._wants.items():
                self._take(name, mode, outer.get(name), until)
        except BaseException:
            self.release()
            raise

    def commit(self, work: Callable[[], T], wait_s: float = GUARD_WAIT_S) -> T:
        """Do one short write that needs every lock of the set; see `Grant.commit`."""
        return _commit(list(self), work, wait_s)

    def progress(self, done: int, total: int = 0, phase: str = "") -> None:
        """Show that the work moves, on every lock of the set."""
        for grant in self:
            grant.progress(done, total, phase)

    def release(self) -> None:
        """Let every lock go, in reverse order; again or late it does nothing."""
        _let_go(list(self))
        self._grants = {}

    def _held_here(self) -> list[Hold]:
        return lock_heartbeat.held_here(os.path.join(self._root, FOLDER))

    def _check_filesystem(self) -> None:
        kind = network_filesystem(self._root)
        if kind and not self._allow_network:
            raise Refused(
                f"{self._root} is on {kind}: a lock file there does not keep other machines out",
                next_step="run on the machine that owns the disk, or with a database as the guard",
            )

    def _take(self, name: LockName, mode: Mode, outer: Hold | None, until: float) -> None:
        hold = outer or Hold(
            LockFiles.of(self._root, name), self._record(mode), durable=self._durable
        )
        # Noted before it is taken: an exception at any moment finds it.
        grant = self._grants[name.text] = Grant(hold)
        hold.users.add(grant)
        if outer is None:
            with reachable(self._root):
                self._wait_for(hold, until)
            lock_heartbeat.watch(hold)

    def _wait_for(self, hold: Hold, until: float) -> None:
        waiting = Waiting(self._root, hold.files, hold.record, until, self._on_wait)
        try:
            while not self._try(hold):
                waiting.nap()
                hold.record = self._record(hold.record.mode)
        finally:
            waiting.end()

    def _try(self, hold: Hold) -> bool:
        try:
            return hold.try_take()
        except FileNotFoundError:
            folder = Path(hold.files.folder)
            for missing in (folder.parent, folder):
                with contextlib.suppress(FileExistsError):
                    missing.mkdir()
            return hold.try_take()

    def _record(self, mode: Mode) -> Record:
        at = now()
        return Record(
            mode=mode,
            role="holder",
            generation=0,
            process=me(),
            since=at,
            beat=at,
            moved=at,
            owner=self._owner.flow,
            flow_run_id=self._owner.flow_run_id,
            command=command(),
            note=redact(self._owner.note),
            interval=lock_heartbeat.INTERVAL_S,
        )


def _commit(grants: list[Grant], work: Callable[[], T], wait_s: float) -> T:
    if not grants:
        return work()
    with grants[0].guarded(wait_s):
        return _commit(grants[1:], work, wait_s)


def _let_go(grants: list[Grant]) -> None:
    """Release the last first; a signal that raises in between stops none of the others."""
    if grants:
        try:
            grants[-1].release()
        finally:
            _let_go(grants[:-1])


def _check_upgrades(outer: Mapping[LockName, Hold], wants: Mapping[LockName, Mode]) -> None:
    for name, hold in outer.items():
        if wants.get(name) == "exclusive" and hold.record.mode == "shared":
            raise LockOrderError(
                f"lock '{name}' is held shared and wanted exclusive: two such would wait for ever",
                next_step="take it exclusive at the start",
            )

"""Locks for flows: the kernel set first, then, on a server, one Prefect slot of each limit.

    with holding("docs", shared=("index",)) as locks:
        ...
        locks.commit("docs", put_the_new_file_in_place)

The flow takes its whole set at the start; steps write through `commit`, which refuses when the
lock was broken, the Prefect lease ran out or somebody cancelled the run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from autopack.deadline import Deadline
from autopack.errors import Busy
from autopack.io.lock_waiting import Tell
from autopack.io.locks import MultiLock, Owner, inspect
from autopack.locks.errors import Fenced
from autopack.locks.names import Mode, parse
from autopack.locks.record import Record
from autopack.locks.verdict import Kind
from tasks import server
from tasks.events import emit
from tasks.run import Run, current
from tasks.slots import Slots, release

T = TypeVar("T")
WAIT_S = 30.0
"""How long a run waits for its whole set; its deadline may make it shorter."""
SLOT_WAIT_S = 90.0
"""How long it then waits for the Prefect slots: a dead holder's are taken for up to 75 s."""
IN_LINE = "waits for Prefect slots"
"""What a holder is doing that has its locks and no slots yet."""
UMBRELLA = "tidy"
STALE = "autopack.lock.stale"
"""The event from which the `locks` deployment starts."""
STUCK = {Kind.STALLED, Kind.PAUSED, Kind.DAMAGED}
LEASE_NOTE = "lease "
"""How the record of a holder names its Prefect lease."""


_taken: ContextVar[tuple[Slots, ...]] = ContextVar("autopack_slots", default=())
"""The slots of the blocks of this run that are open, the outermost first."""


class Held:
    """The locks of a run: what its steps write through."""

    def __init__(self, locks: MultiLock, slots: tuple[Slots, ...]) -> None:
        self._locks = locks
        self._slots = slots

    @property
    def lease(self) -> str | None:
        """The Prefect lease behind the locks, if there is one."""
        return self._slots[-1].lease if self._slots else None

    @property
    def generations(self) -> dict[str, int]:
        """The number of each grant, by lock."""
        return {grant.name: grant.generation for grant in self._locks}

    @property
    def files(self) -> list[str]:
        """The lock files, by which the processes that inherited them are found."""
        return [grant.file for grant in self._locks]

    def descriptors(self) -> tuple[int, ...]:
        """Return the open lock files, for a command that keeps the locks if this process dies."""
        return tuple(grant.fileno() for grant in self._locks)

    @contextmanager
    def guarded(self, name: str) -> Iterator[None]:
        """Give a block in which nobody can take the lock away; keep it to one short write.

        Raises:
            Fenced: The lock, another one of the set, or the Prefect slot was lost.
        """
        with self._locks[name].guarded():
            self.check()
            yield

    def commit(self, name: str, work: Callable[[], T]) -> T:
        """Do one short write under the guard of a lock; raises what `guarded` raises."""
        with self.guarded(name):
            return work()

    def check(self) -> None:
        """Ask whether a commit would be refused, before slow work is wasted.

        Raises:
            Fenced: It would.
        """
        for slots in self._slots:
            if slots.lost:
                raise Fenced(
                    f"the locks {', '.join(self.generations)} are lost: {slots.lost}; "
                    "the write is refused",
                    next_step="run again; what was committed before stays",
                )
        for grant in self._locks:
            grant.check()

    def progress(self, done: int, total: int = 0, phase: str = "") -> None:
        """Show that the work moves, for `python -m flows.locks status`."""
        self._locks.progress(done, total, phase)


@contextmanager
def holding(
    *names: str,
    shared: tuple[str, ...] = (),
    root: Path | None = None,
    deadline: Deadline | None = None,
    allow_network: bool = False,
    release_orphan_slots: bool = False,
) -> Iterator[Held]:
    """Hold locks for the body: `names` exclusive, `shared` ones with other readers.

    The umbrella `tidy` comes with them, shared, unless it is asked for. Workspace and deadline are
    those of the run in progress.

    Args:
        names: Locks that nobody else may hold meanwhile.
        shared: Locks that others may hold shared as well.
        root: The workspace.
        deadline: Waiting ends with it, or after `WAIT_S`, or where the holder itself waits for its
            Prefect slots, after `SLOT_WAIT_S` more.
        allow_network: A database guards what is written, so a network filesystem is good enough.
        release_orphan_slots: Give back the Prefect slot of a holder that is proven dead, rather
            than wait until its lease ends.

    Raises:
        Busy: A lock or a slot was not free in time; the message says who holds it.
        Refused: A Prefect limit is missing, switched off or has another size than 1; or the
            filesystem does not keep other machines out.
        Unreachable: The lock files, or the Prefect server of the run, cannot be used.
    """
    run = current() or Run("program", {})
    where = root or run.workspace
    wants: dict[str, Mode] = dict.fromkeys((UMBRELLA, *shared), "shared")
    wants.update(dict.fromkeys(names, "exclusive"))
    owner = Owner(run.flow, run.flow_run_id or "")
    deadline = deadline or Deadline.after(min(run.left(), 86_400.0))
    tell = _teller()
    began = time.monotonic()
    slots = _slots(run, names)
    taken: list[str] = []

    def lock_set(wait_s: float) -> MultiLock:
        return MultiLock(
            where, wants, owner, deadline,
            on_wait=tell, wait_seconds=wait_s, allow_network=allow_network,
        )  # fmt: skip

    def is_queue() -> bool:
        seen = inspect(where, wants) if slots else []
        return any(one.holder and one.holder.phase == IN_LINE for one in seen)

    try:
        with _entered(lock_set, deadline, is_queue) as locks:
            taken.append("locks")
            if slots and release_orphan_slots:
                _release_orphans(slots, locks, where)
            with _queued(slots, locks, names, deadline, tell) if slots else nullcontext():
                taken.append("slots")
                held = Held(locks, _taken.get())
                with _reporting(run, held, time.monotonic() - began):
                    yield held
    except Busy:
        if "slots" not in taken:
            _tell_stale(where, wants, slots.names if slots and taken else [])
        raise


@contextmanager
def _entered(
    lock_set: Callable[[float], MultiLock], deadline: Deadline, is_queue: Callable[[], bool]
) -> Iterator[MultiLock]:
    """Hold a set of locks; whoever holds it and waits for slots has as long as that may take."""
    locks = lock_set(WAIT_S)
    try:
        locks.acquire()
    except Busy:
        if not deadline.remaining() or not is_queue():
            raise
        locks = lock_set(SLOT_WAIT_S)
        locks.acquire()
    try:
        yield locks
    finally:
        locks.release()


def _tell_stale(root: Path, wants: Iterable[str], slots: list[str]) -> None:
    """Emit an event for locks that no wait will free: a holder that does not move, a lost slot."""
    stuck = [seen.name for seen in inspect(root, wants) if seen.verdict.kind in STUCK]
    if stuck or slots:
        emit(STALE, root, {"locks": stuck, "slots": slots})


@contextmanager
def _reporting(run: Run, held: Held, waited_s: float) -> Iterator[None]:
    """Say in the report which locks are held and what keeps others out; steps are progress."""
    report = run.draft
    if report is None or report.moved is not None:  # an outer block of this run has said it
        yield
        return
    report.extra["coordination"] = "server" if held.lease else "local"
    report.extra["held"] = {
        "generations": held.generations, "waited_s": round(waited_s, 3), "lease": held.lease,
    }  # fmt: skip
    report.moved = lambda phase: held.progress(len(report.steps), 0, phase)
    try:
        yield
    finally:
        report.moved = None


def _slots(run: Run, names: tuple[str, ...]) -> Slots | None:
    """Return the slots to take, a limit for each exclusive lock; only a server queues."""
    taken = {name for slots in _taken.get() for name in slots.names}
    limits = sorted({parse(name).limit for name in names} - taken)
    if run.engine != "server" or not limits:
        return None
    return Slots(server.api_url(), limits, run.flow_run_id)


@contextmanager
def _queued(
    slots: Slots, locks: MultiLock, names: tuple[str, ...], deadline: Deadline, tell: Tell
) -> Iterator[None]:
    """Hold the slots, with their lease noted in the record of each exclusive lock."""

    def waiting(line: str) -> None:
        locks.progress(0, 0, IN_LINE)
        tell(line)

    def fenced() -> bool:
        return any(grant.fenced for grant in locks)

    until = time.monotonic() + deadline.cap(SLOT_WAIT_S, "waiting for Prefect slots")
    token = _taken.set((*_taken.get(), slots))
    try:
        lease = slots.take(until, waiting, fenced)
        for name in names:
            locks[name].note(f"{LEASE_NOTE}{lease}")
        yield
    finally:
        _taken.reset(token)
        slots.release()


def _release_orphans(slots: Slots, locks: MultiLock, root: Path) -> None:
    """Give back the slots that dead holders left under the same limits."""
    left = [lease_of(grant.predecessor) for grant in locks]
    left += [
        lease_of(seen.holder)
        for seen in inspect(root)
        if seen.kernel == "free" and seen.verdict.alive == "no" and seen.limit in slots.names
    ]
    for lease in dict.fromkeys(filter(None, left)):
        release(slots.url, lease)


def lease_of(record: Record | None) -> str:
    """Return the Prefect lease that a holder noted, or nothing."""
    noted = record is not None and record.note.startswith(LEASE_NOTE)
    return record.note.removeprefix(LEASE_NOTE) if record and noted else ""


def _teller() -> Tell:
    """Return what says who is waited for: on stderr, and in the flow run's log."""

    def tell(line: str) -> None:
        print(f"waiting: {line}", file=sys.stderr, flush=True)  # noqa: T201
        from tasks.engine import inside_prefect

        if inside_prefect():
            from prefect.logging import get_run_logger

            get_run_logger().warning("waiting: %s", line)

    return tell

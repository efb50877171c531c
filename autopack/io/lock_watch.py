"""Look at locks without touching them: nothing is created, and nobody who takes one is refused."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from autopack.errors import Refused, Unreachable
from autopack.io.lock_files import FOLDER, LockFiles, read_generation, read_records
from autopack.io.lock_kernel import forking_waits, open_file, try_lock
from autopack.io.lock_processes import (
    FileId,
    Flock,
    file_id,
    flocks,
    look,
    me,
    mountinfo,
    now,
    openers,
)
from autopack.locks.filesystems import filesystem_of, is_network
from autopack.locks.lines import holder_line
from autopack.locks.names import RANKS, LockName, from_file, parse
from autopack.locks.record import Moment, Record
from autopack.locks.verdict import STALL_S, Kernel, Kind, Life, Observation, Verdict, alive, judge

Table = dict[FileId, list[Flock]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at a lock saw.

    `guard_pid` is the process that holds the guard, where the kernel tells: it is inside a commit,
    or stopped there. `beat_at` and `move_at` are when this observer first saw the heartbeat and
    the progress as they are now, in monotonic seconds.
    """

    name: str
    kernel: Kernel
    generation: int
    verdict: Verdict
    holders: tuple[Record, ...]
    waiters: tuple[Record, ...]
    state: str
    filesystem: str
    limit: str
    guard_pid: int | None
    at: Moment
    beat_at: float
    move_at: float

    @property
    def holder(self) -> Record | None:
        """The record of its holder, or of the last one that ended without release."""
        return self.holders[0] if self.holders else None

    @property
    def line(self) -> str:
        """Who holds it, in a line."""
        return holder_line(self.name, self.holder, self.verdict)


def inspect(
    root: Path | str,
    names: Iterable[str] | None = None,
    *,
    slots: Collection[str] = (),
    earlier: Iterable[Seen] = (),
    stall_s: float = STALL_S,
) -> list[Seen]:
    """Look at the workspace's locks, in canonical order.

    Args:
        root: The workspace.
        names: Which; None means every plain name and every other one that has a file.
        slots: Locks whose Prefect slot was left behind by a holder that is gone.
        earlier: What this process saw before; ages are then counted on its own clock.
        stall_s: How long a holder may go without progress before it is called stalled.

    Raises:
        UsageError: A name is none.
        Unreachable: A file cannot be read.
    """
    before = {seen.name: seen for seen in earlier}
    with reachable(root):
        wanted = _present(root) if names is None else {parse(name) for name in names}
        given = _Look(root, flocks(), slots, stall_s)
        return [_see_any(given, name, before.get(name.text)) for name in sorted(wanted)]


def _see_any(given: _Look, name: LockName, before: Seen | None) -> Seen:
    """Look at a lock; one that is damaged hides no other."""
    try:
        return _see(given, name, before)
    except Refused as error:
        verdict, at = Verdict(Kind.DAMAGED, error.message), now()
        return Seen(
            name=name.text, kernel="free", generation=-1, verdict=verdict, holders=(), waiters=(),
            state="", filesystem="", limit=name.limit, guard_pid=None, at=at,
            beat_at=at.mono, move_at=at.mono,
        )  # fmt: skip


@contextmanager
def reachable(root: Path | str) -> Iterator[None]:
    """Turn what the system says of lock files into the project's error."""
    try:
        yield
    except OSError as error:
        raise Unreachable(
            f"locks of {root}: {error.strerror or error} ({error.filename or FOLDER})",
            next_step="free disk space or fix the permissions, then run again",
        ) from error


def stale(root: Path | str, *, slots: Collection[str] = ()) -> list[Seen]:
    """Return the locks whose holder died without release, and those with an orphaned slot."""
    return [seen for seen in inspect(root, slots=slots) if _is_stale(seen)]


def _is_stale(seen: Seen) -> bool:
    died = seen.kernel == "free" and seen.verdict.alive == "no"
    return died or seen.verdict.kind is Kind.ORPHAN_SLOT


def _present(root: Path | str) -> set[LockName]:
    folder = Path(root, FOLDER)
    files = os.listdir(folder) if folder.is_dir() else []
    found = (from_file(file.removesuffix(".lock")) for file in files if file.endswith(".lock"))
    return {name for name in found if name} | {parse(name) for name in RANKS}


@dataclass(frozen=True, slots=True)
class _Look:
    """What is the same for every lock that is looked at."""

    root: Path | str
    table: Table
    slots: Collection[str]
    stall_s: float


def _see(given: _Look, name: LockName, before: Seen | None) -> Seen:
    files = LockFiles.of(given.root, name)
    kernel = kernel_state(files, given.table)
    generation, records = read_guard(files)
    holders = _holders(kernel, records)
    at, holder = now(), holders[0] if holders else None
    observation = Observation(
        kernel=kernel,
        record=holder,
        me=me(),
        life=look(holder.process.pid) if holder else Life(None),
        now=at,
        slot_taken=name.text in given.slots,
        filesystem=network_filesystem(given.root),
        epoch=generation,
    )
    beat_at, move_at = at.mono, at.mono
    if before is not None and holder is not None:
        beat_at, move_at = _unchanged(before, holder, at)
        observation = replace(
            observation, beat_unchanged_s=at.mono - beat_at, move_unchanged_s=at.mono - move_at
        )
    return Seen(
        name=name.text,
        kernel=kernel,
        generation=generation,
        verdict=_with_heirs(judge(observation, given.stall_s), files, kernel),
        holders=holders,
        waiters=_waiters(records),
        state=observation.life.state,
        filesystem=observation.filesystem,
        limit=name.limit,
        guard_pid=_guard_pid(files, given.table),
        at=at,
        beat_at=beat_at,
        move_at=move_at,
    )


def _with_heirs(verdict: Verdict, files: LockFiles, kernel: Kernel) -> Verdict:
    """Name the processes that inherited the lock of a dead holder: they keep it."""
    if kernel == "free" or verdict.alive != "no":
        return verdict
    heirs = ", ".join(f"pid {pid}" for pid in openers([files.main]))
    return replace(verdict, why=f"{verdict.why}: {heirs}") if heirs else verdict


def _unchanged(before: Seen, holder: Record, at: Moment) -> tuple[float, float]:
    """Return since when this observer sees the heartbeat and the progress as they are."""
    last = before.holder
    if last is None or (last.process, last.generation) != (holder.process, holder.generation):
        return at.mono, at.mono
    return (
        before.beat_at if last.beats == holder.beats else at.mono,
        before.move_at if last.moves == holder.moves else at.mono,
    )


def _holders(kernel: Kernel, records: list[Record]) -> tuple[Record, ...]:
    """Return the records that can be the holder's: the living, or else the newest of the dead."""
    modes = ("exclusive", "shared") if kernel == "free" else (kernel,)
    found = [r for r in records if r.role == "holder" and r.mode in modes]
    found.sort(key=lambda record: record.generation, reverse=True)
    living = [record for record in found if _lives(record)]
    if kernel == "free":
        return tuple(record for record in found[:1] if not living)
    newest = [record for record in living if record.generation == living[0].generation]
    return tuple(newest or found[:1])


def _waiters(records: list[Record]) -> tuple[Record, ...]:
    return tuple(record for record in records if record.role == "waiter" and _lives(record))


def _lives(record: Record) -> bool:
    return alive(record.process, me(), look(record.process.pid)) != "no"


# --- the kernel's word ------------------------------------------------------------------------


def kernel_state(files: LockFiles, table: Table) -> Kernel:
    """Return whether the lock is held right now.

    Whoever the kernel's table does not list may still hold it: the table leaves out other
    containers, and some filesystems number their files differently. So the file is asked, for
    microseconds; whoever wants it then finds it at the next try.
    """
    try:
        listed = table.get(file_id(os.stat(files.main)))
        if listed:
            return "shared" if listed[0].shared else "exclusive"
        return _ask(files.main)
    except FileNotFoundError:
        return "free"


def _ask(path: str) -> Kernel:
    with forking_waits(), open_file(path, write=False) as file:
        if try_lock(file):
            return "free"
        return "shared" if try_lock(file, shared=True) else "exclusive"


def _guard_pid(files: LockFiles, table: Table) -> int | None:
    try:
        listed = table.get(file_id(os.stat(files.guard)))
    except FileNotFoundError:
        return None
    return listed[0].pid if listed else None


def read_guard(files: LockFiles) -> tuple[int, list[Record]]:
    """Return a lock's generation and its records, without taking the guard."""
    try:
        with open_file(files.guard, write=False) as guard:
            return read_generation(guard), [record for _, record in read_records(guard)]
    except FileNotFoundError:
        return 0, []


# --- the filesystem ---------------------------------------------------------------------------


def network_filesystem(root: Path | str) -> str:
    """Return the type of the workspace's filesystem if other machines share it, else nothing."""
    try:
        return _network_filesystem(os.fspath(root), os.stat(root).st_dev)
    except FileNotFoundError:
        return ""


@lru_cache(maxsize=64)
def _network_filesystem(root: str, _device: int) -> str:
    folder = Path(root, FOLDER)
    kind = filesystem_of(os.path.realpath(folder), mountinfo())
    return kind if is_network(kind) else ""

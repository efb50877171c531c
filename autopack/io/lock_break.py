"""Take a lock away from a holder that is stuck, and end the holder where that is not enough."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from autopack.io.lock_files import LockFiles, write_generation
from autopack.io.lock_kernel import open_file, same_file, try_lock
from autopack.io.lock_processes import kill, me
from autopack.io.lock_watch import Seen, inspect, reachable
from autopack.locks.names import parse
from autopack.locks.record import Record
from autopack.locks.verdict import Kind, breakable, is_local

WATCH_S = 2.0
GUARD_WAIT_S = 2.0
_LOOK_EVERY_S = 0.05

Outcome = Literal["broken", "killed", "free", "refused", "changed", "guard_busy"]


@dataclass(frozen=True, slots=True)
class Broken:
    """What became of one lock.

    `broken`: its holder is fenced and the next one can take it. `killed`: its process was ended.
    `free`: there was nothing to do. `refused`, `changed` and `guard_busy`: nothing was done, and
    `why` says why. `generation` is the one the lock is at now.
    """

    name: str
    outcome: Outcome
    why: str
    generation: int
    holder: Record | None = None
    next_step: str = ""


def break_lock(
    root: Path | str,
    name: str,
    generation: int | None,
    *,
    watch_s: float = WATCH_S,
    guard_wait_s: float = GUARD_WAIT_S,
) -> Broken:
    """Take a lock away from its holder, whose next commit is then refused.

    Args:
        root: The workspace.
        name: The lock.
        generation: The one the operator saw; without it nothing is broken.
        watch_s: How long the holder is watched; one that makes progress keeps its lock.
        guard_wait_s: How long a holder inside a commit may finish it.

    Raises:
        UsageError: It is not a lock name.
        Refused: A file was overwritten by something else.
        Unreachable: A file cannot be read or written.
    """
    first = _look(root, name)
    refusal = _refusal(first, first, generation)
    if refusal:
        return refusal
    last = first if first.verdict.stopped else _watch(root, first, watch_s)
    with reachable(root):
        return _refusal(first, last, generation) or _take_away(root, last, guard_wait_s)


def _look(root: Path | str, name: str) -> Seen:
    return inspect(root, [name])[0]


def _watch(root: Path | str, first: Seen, watch_s: float) -> Seen:
    """Look until something changes, or for `watch_s` on this process's own clock."""
    until = time.monotonic() + watch_s
    last = first
    while not _changed(first, last) and (left := until - time.monotonic()) > 0:
        time.sleep(min(_LOOK_EVERY_S, left))
        last = _look(root, first.name)
    return last


def _changed(first: Seen, last: Seen) -> bool:
    return _state(first) != _state(last)


def _state(seen: Seen) -> tuple[object, ...]:
    holder = seen.holder
    return seen.generation, holder and (holder.process, holder.generation, holder.moves)


def _refusal(first: Seen, last: Seen, generation: int | None) -> Broken | None:
    """Return why the lock may not be broken, if so."""
    changed = _changed(first, last)
    decision = breakable(
        last.verdict, epoch=last.generation, generation=generation, changed=changed
    )
    if decision.allowed:
        return None
    free = last.verdict.kind in (Kind.FREE, Kind.ORPHAN_SLOT)
    outcome: Outcome = "free" if free else "changed" if changed else "refused"
    return _told(last, outcome, decision.why, f"python -m flows.locks status {last.name}")


def _told(seen: Seen, outcome: Outcome, why: str, next_step: str = "") -> Broken:
    return Broken(seen.name, outcome, why, seen.generation, seen.holder, next_step)


def _take_away(root: Path | str, seen: Seen, guard_wait_s: float) -> Broken:
    """Do it under the guard, which a holder inside a commit has."""
    files = LockFiles.of(root, parse(seen.name))
    with open_file(files.guard, create=True) as guard:
        if not _wait(lambda: try_lock(guard), guard_wait_s):
            return _guard_busy(_look(root, seen.name))
        last = _look(root, seen.name)
        if last.kernel == "free":
            return _told(last, "free", "its holder let it go meanwhile")
        if _changed(seen, last) or not same_file(guard, files.guard):
            return _told(last, "changed", "it changed hands or made progress meanwhile")
        # The number first: whatever comes after, the old holder is fenced.
        write_generation(guard, last.generation + 1, durable=True)
        _rotate(files)
        return replace(
            _told(last, "broken", "its holder can no longer commit"), generation=last.generation + 1
        )


def _wait(succeeds: Callable[[], bool], wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while not succeeds():
        if time.monotonic() >= until:
            return False
        time.sleep(0.002)
    return True


def _rotate(files: LockFiles) -> None:
    """Put a fresh lock file in the place of the one that is held."""
    fresh = f"{files.main}.fresh"
    open_file(fresh, create=True).close()
    os.replace(fresh, files.main)


def _guard_busy(seen: Seen) -> Broken:
    who = f"pid {seen.guard_pid}" if seen.guard_pid else "some process"
    why = f"{who} holds the guard: it stopped inside a commit, so its write may be half done"
    command = f"python -m flows.locks break {seen.name} --generation {seen.generation}"
    return _told(seen, "guard_busy", why, f"{command} --kill --execute")


def kill_holder(
    root: Path | str,
    name: str,
    generation: int,
    *,
    watch_s: float = WATCH_S,
    free_wait_s: float = GUARD_WAIT_S,
) -> Broken:
    """Send SIGKILL to the lock's holder; the kernel then frees the lock.

    Only when the record is of the generation that the operator saw, and host, boot, pid and start
    time all match a process here; and only while it is stopped, inside a commit, or makes no
    progress for `watch_s`. Waits up to `free_wait_s` for the kernel.

    Raises:
        UsageError: It is not a lock name.
        Refused: A file was overwritten by something else.
        Unreachable: A file cannot be read, or the process may not be killed.
    """
    seen = _look(root, name)
    why = _spared(seen, generation)
    if not why and not (seen.verdict.stopped or seen.guard_pid):
        moved = _changed(seen, seen := _watch(root, seen, watch_s))
        why = "the holder is at work: it made progress while it was watched" if moved else ""
    if why:
        outcome: Outcome = "free" if seen.kernel == "free" else "refused"
        return _told(seen, outcome, why, f"python -m flows.locks status {seen.name}")
    process = seen.holders[0].process
    with reachable(root):
        there = kill(process)
    if not there:
        return _told(seen, "refused", f"pid {process.pid} is not that process any more")
    _wait(lambda: _look(root, name).kernel == "free", free_wait_s)
    return _told(seen, "killed", f"pid {process.pid} was ended")


def _spared(seen: Seen, generation: int) -> str:
    """Return what forbids killing the holder, or nothing."""
    if seen.kernel == "free":
        return "the lock is free"
    if seen.holder is None:
        return "its holder left no record"
    if {generation} != {seen.generation, seen.holder.generation}:
        return f"the lock is at generation {seen.generation}, not {generation}: look again"
    if len(seen.holders) > 1:
        return f"{len(seen.holders)} processes share it"
    return _not_ours(seen, seen.holder)


def _not_ours(seen: Seen, holder: Record) -> str:
    if not is_local(holder.process, me()):
        return "its holder is on another host or boot"
    if seen.verdict.alive != "yes":
        return "the recorded process is not there any more"
    if holder.process.pid == os.getpid():
        return "its holder is this process"
    return ""

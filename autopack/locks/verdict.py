"""What one look at a lock means, and whether it may be broken.

Whether the lock is held is the kernel's word; the record only explains it. Ages are counted on
a clock that no change of the date can move: the observer's own between two looks, else the one
the whole machine shares. The wall clock speaks last, and only when it makes sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from autopack.locks.record import Moment, Process, Record

STALL_S = 60.0
"""A holder that sends heartbeats but has not moved for so many seconds is stalled."""
MISSED_BEATS = 3
"""A heartbeat is old after so many intervals."""
STOPPED = ("T", "t")
"""Process states: stopped by a signal, or by a debugger."""
_SANE_S = 86_400.0

Kernel = Literal["free", "shared", "exclusive"]
Alive = Literal["yes", "no", "unknown"]


class Kind(StrEnum):
    """What a look at a lock can say."""

    FREE = "FREE"
    HELD = "HELD"
    STALLED = "STALLED"
    PAUSED = "PAUSED"
    FOREIGN = "FOREIGN"
    ORPHAN_SLOT = "ORPHAN-SLOT"
    UNSAFE_FS = "UNSAFE-FS"
    DAMAGED = "DAMAGED"


@dataclass(frozen=True, slots=True)
class Life:
    """What the system says of a pid.

    `there` is None when it will not tell. `start` is its start time in clock ticks, `state` the
    letter of its state; both are empty when only its existence is known.
    """

    there: bool | None
    start: int | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one look at a lock saw.

    Args:
        kernel: Whether the lock is really held right now.
        record: The record of its holder, None when there is none that can be read.
        me: The observer, whose host, boot and namespace say whether a pid can be judged.
        life: What the system says of the record's pid.
        now: The observer's clocks.
        beat_unchanged_s: For how long the observer itself saw no heartbeat; None: looked once.
        move_unchanged_s: The same for progress.
        slot_taken: A Prefect slot of this lock is taken.
        filesystem: The type of a filesystem on which kernel locks are not safe, else empty.
        epoch: The generation the lock is at; a record of another one was fenced.
    """

    kernel: Kernel
    record: Record | None
    me: Process
    life: Life
    now: Moment
    beat_unchanged_s: float | None = None
    move_unchanged_s: float | None = None
    slot_taken: bool = False
    filesystem: str = ""
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the look means. Ages are in seconds, None when nobody can tell.

    `stopped` says that the holder's process is stopped, so it cannot move while it is watched. A
    dead holder needs no breaking: the kernel freed its lock, or a child of it lives and has it.
    """

    kind: Kind
    why: str
    alive: Alive = "unknown"
    beat_age_s: float | None = None
    move_age_s: float | None = None
    stopped: bool = False


def is_local(process: Process, me: Process) -> bool:
    """Return whether the two count pids in the same world, so that one can judge the other."""
    return (process.host, process.boot_id, process.namespace) == (
        me.host,
        me.boot_id,
        me.namespace,
    )


def alive(process: Process, me: Process, life: Life) -> Alive:
    """Return whether the process still runs; another process with its pid is not it."""
    if not is_local(process, me) or life.there is None:
        return "unknown"
    if not life.there or life.state in ("Z", "X"):
        return "no"
    if life.start is None or not process.start:
        return "yes"
    return "yes" if life.start == process.start else "no"


def age(then: Moment, now: Moment, *, same_clock: bool, unchanged_s: float | None) -> float | None:
    """Return how long ago `then` was, in seconds; None when no clock can be believed.

    Args:
        then: When it happened, by the clocks of whoever did it.
        now: The observer's clocks.
        same_clock: Both read the monotonic clock of one machine and boot.
        unchanged_s: For how long the observer itself saw no change; None: it looked once.
    """
    if same_clock and now.mono >= then.mono:
        return max(now.mono - then.mono, unchanged_s or 0.0)
    if unchanged_s is not None:
        return unchanged_s
    wall = now.wall - then.wall
    return wall if 0 <= wall <= _SANE_S else None


def judge(seen: Observation, stall_s: float = STALL_S) -> Verdict:
    """Return what the look means; `stall_s` is how long a holder may go without progress."""
    if seen.filesystem:
        why = f"on {seen.filesystem} a kernel lock does not keep other machines out"
        return Verdict(Kind.UNSAFE_FS, why)
    if seen.kernel == "free":
        return _free(seen)
    if seen.record is None:
        return Verdict(Kind.HELD, "held; its holder left no record that can be read")
    return _held(seen, seen.record, stall_s)


def _free(seen: Observation) -> Verdict:
    if seen.slot_taken:
        why = "a Prefect slot is taken, but nobody holds the lock"
        return Verdict(Kind.ORPHAN_SLOT, why, "no" if seen.record else "unknown")
    if seen.record is not None:
        return Verdict(Kind.FREE, "the last holder ended without release", "no")
    return Verdict(Kind.FREE, "nobody holds it")


def _held(seen: Observation, record: Record, stall_s: float) -> Verdict:
    same = record.process.boot_id == seen.me.boot_id
    beat = age(record.beat, seen.now, same_clock=same, unchanged_s=seen.beat_unchanged_s)
    move = age(record.moved, seen.now, same_clock=same, unchanged_s=seen.move_unchanged_s)
    lives = alive(record.process, seen.me, seen.life)
    kind, why = _kind(seen, record, lives, beat, move, stall_s)
    stopped = lives == "yes" and seen.life.state in STOPPED
    return Verdict(kind, why, lives, beat, move, stopped)


def _kind(  # noqa: PLR0911, PLR0913, PLR0917 - one line per verdict, in the order they outrank
    seen: Observation,
    record: Record,
    lives: Alive,
    beat: float | None,
    move: float | None,
    stall_s: float,
) -> tuple[Kind, str]:
    if not is_local(record.process, seen.me):
        return Kind.FOREIGN, "the holder is on another host or boot: nobody here knows if it lives"
    if lives == "no":
        return Kind.HELD, "the recorded holder is dead, but some process still has its lock"
    if seen.life.state in STOPPED:
        return Kind.PAUSED, "the holder's process is stopped"
    if beat is not None and beat > MISSED_BEATS * record.interval:
        return Kind.PAUSED, "the holder sends no heartbeat"
    if seen.epoch is not None and record.generation != seen.epoch:
        return Kind.HELD, "the holder was fenced: it can no longer commit"
    if move is not None and move > stall_s:
        return Kind.STALLED, "the holder sends heartbeats but makes no progress"
    return Kind.HELD, "the holder is at work"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a lock may be broken, or why not."""

    allowed: bool
    why: str


def breakable(verdict: Verdict, *, epoch: int, generation: int | None, changed: bool) -> Decision:
    """Decide whether a lock may be broken.

    Args:
        verdict: What the look says.
        epoch: The generation the lock is at now.
        generation: The one the operator saw; None when nobody has looked.
        changed: The generation or the progress changed while the breaker watched.
    """
    refusal = _refusal(verdict, epoch, generation)
    if refusal:
        return Decision(False, refusal)
    if verdict.stopped:
        return Decision(True, verdict.why)
    if changed:
        return Decision(False, "the holder is at work: it made progress while it was watched")
    return Decision(True, f"the operator saw generation {generation}")


def _refusal(verdict: Verdict, epoch: int, generation: int | None) -> str:
    """Return what forbids breaking whatever the breaker watched, or nothing."""
    if verdict.kind in (Kind.UNSAFE_FS, Kind.DAMAGED):
        return verdict.why
    if verdict.kind in (Kind.FREE, Kind.ORPHAN_SLOT):
        return "nothing to break: the lock is free"
    if generation is None:
        return f"{verdict.why}; only an operator who names the generation may break it"
    if generation != epoch:
        return f"the lock is at generation {epoch}, not {generation}: look again"
    return ""

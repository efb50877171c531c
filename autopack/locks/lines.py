"""A lock's holder in a line that people read."""

from __future__ import annotations

from autopack.locks.record import Record
from autopack.locks.verdict import Verdict


def duration(seconds: float | None) -> str:
    """Return `41s`, `12m04s`, `3h20m` or `5d02h`; `unknown` where nobody can tell."""
    if seconds is None:
        return "unknown"
    whole = int(seconds)
    for unit, below, small in ((86400, 3600, "dh"), (3600, 60, "hm"), (60, 1, "ms")):
        if whole >= unit:
            return f"{whole // unit}{small[0]}{whole % unit // below:02d}{small[1]}"
    return f"{whole}s"


def ago(seconds: float | None) -> str:
    """Return `41s ago`, or `unknown`."""
    return "unknown" if seconds is None else f"{duration(seconds)} ago"


def holder_line(name: str, record: Record | None, verdict: Verdict) -> str:
    """Return who holds the lock, for how long, and what it last showed of itself."""
    if record is None:
        return f"{name}  {verdict.kind}  {verdict.why}"
    process = record.process
    run = f"/{record.flow_run_id}" if record.flow_run_id else ""
    life = {"yes": "alive", "no": "dead", "unknown": "liveness unknown"}[verdict.alive]
    parts = [
        f"flow {record.owner or 'unknown'}{run}",
        f"host {process.host}",
        f"pid {process.pid} ({life})",
        f"since {duration(_since(record, verdict))}",
        f"heartbeat {ago(verdict.beat_age_s)}",
        f"progress {ago(verdict.move_age_s)}{_progress(record)}",
        f"gen {record.generation}",
    ]
    note = f"  note: {record.note}" if record.note else ""
    mode = " shared" if record.mode == "shared" else ""
    return f"{name}  {verdict.kind}{mode}  {'  '.join(parts)}{note}"


def _since(record: Record, verdict: Verdict) -> float | None:
    """Return how long it is held: up to the last heartbeat by its own clock, then by ours."""
    held = record.beat.mono - record.since.mono
    return None if verdict.beat_age_s is None or held < 0 else held + verdict.beat_age_s


def _progress(record: Record) -> str:
    count = f" {record.done}/{record.total}" if record.total else ""
    return f" (phase {record.phase or 'unnamed'}{count})" if record.phase or count else ""

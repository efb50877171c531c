"""Steps of `locks status`: look, watch, and say what was seen."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.io.lock_waiting import workspace_flag
from autopack.io.locks import Seen, inspect
from autopack.locks.names import RANKS
from autopack.locks.record import Record
from autopack.locks.verdict import Kind
from autopack.report import Finding, Report, Severity
from autopack.state_files import LOCKS
from tasks import policy, server
from tasks.engine import task
from tasks.locking import lease_of
from tasks.slots import fault, limit_of

ASK_S = 2.0
EVERY_S = 1.0
LIMITS = "python -m deployments.limits"
_SEVERITY: dict[Kind, Severity] = {
    Kind.STALLED: "warning", Kind.PAUSED: "warning", Kind.ORPHAN_SLOT: "warning",
    Kind.UNSAFE_FS: "warning", Kind.DAMAGED: "error", Kind.FOREIGN: "info",
}  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """A Prefect limit as its server holds it; None where it does not exist."""

    name: str
    found: Mapping[str, Any] | None

    @property
    def taken(self) -> bool:
        """Whether somebody has its slot."""
        return bool(self.found and self.found["active_slots"])

    @property
    def excludes(self) -> bool:
        """Whether it lets one run in at a time."""
        return not fault(self.found)

    def line(self, lease: str) -> str:
        """Say what the limit is at; `lease` is the one the lock's record names."""
        if self.found is None:
            return f"limit {self.name} does not exist: {LIMITS}"
        if not self.excludes:
            return f"limit {self.name} is off or not 1: {LIMITS}"
        if not self.taken:
            return "free"
        return f"taken, lease {lease}" if lease else "taken on another machine or workspace"


class Looked:
    """What one look saw; a plain class, because Prefect walks into lists and dataclasses."""

    def __init__(
        self, root: Path, seen: list[Seen], limits: dict[str, Limit], url: str | None
    ) -> None:
        self.root, self.seen, self.limits, self.url = root, seen, limits, url


@task(**policy.READ)
def look(
    root: Path, name: str | None, everything: bool, deadline: Deadline, before: Looked | None = None
) -> Looked:
    """Look at the locks of a workspace, and at Prefect's limits if a server answers."""
    earlier = before.seen if before else ()
    names = None if name is None else [name]
    seen = inspect(root, names, earlier=earlier)
    url = before.url if before else server.answers()
    limits = ask_limits(url, {one.limit for one in seen}, deadline)
    if gone := orphaned(seen, limits):
        seen = inspect(root, names, slots=gone, earlier=earlier)
    shown = [one for one in seen if everything or name or _worth_a_line(one)]
    return Looked(root, shown, limits, url)


def _worth_a_line(seen: Seen) -> bool:
    return seen.name in RANKS or seen.verdict.kind is not Kind.FREE


def ask_limits(url: str | None, names: Iterable[str], deadline: Deadline) -> dict[str, Limit]:
    """Return what a Prefect server says of these limits, nothing where none answers."""
    if url is None:
        return {}
    until = time.monotonic() + deadline.cap(ASK_S, "asking Prefect for its limits")
    with suppress(Unreachable):
        return {name: Limit(name, limit_of(url, name, until)) for name in sorted(names)}
    return {}


def orphaned(seen: Iterable[Seen], limits: Mapping[str, Limit]) -> set[str]:
    """Return the locks whose Prefect slot is taken by the lease of a holder that is gone."""
    return {
        one.name
        for one in seen
        if one.kernel == "free" and lease_of(one.holder)
        if one.limit in limits and limits[one.limit].taken
    }


def watch(
    root: Path, name: str | None, everything: bool, deadline: Deadline, before: Looked
) -> Looked:
    """Look again every second and show it on stderr, until Ctrl-C or the deadline."""
    clear = "\x1b[H\x1b[J" if sys.stderr.isatty() and not os.environ.get("NO_COLOR") else "\n"
    with suppress(KeyboardInterrupt):
        while deadline.remaining() > EVERY_S:
            lines = "\n".join(_lines(before))
            print(f"{clear}{time.strftime('%H:%M:%S')}\n{lines}", file=sys.stderr, flush=True)  # noqa: T201
            time.sleep(EVERY_S)
            before = look(root, name, everything, deadline, before)
    return before


def describe(report: Report, looked: Looked) -> None:
    """Put what was seen into the report: a line or two per lock, and a finding per problem."""
    report.body = "\n".join(_lines(looked))
    report.counts = {"locks": len(looked.seen), "held": _count(looked, "FREE", "ORPHAN-SLOT")}
    report.extra["prefect"] = looked.url
    report.extra["locks"] = [
        _as_json(looked.root, seen, looked.limits.get(seen.limit)) for seen in looked.seen
    ]
    report.findings += (
        _finding(looked.root, seen) for seen in looked.seen if seen.verdict.kind in _SEVERITY
    )
    if wrong := [limit.name for limit in looked.limits.values() if not limit.excludes]:
        words = f"Prefect limits are missing, off or not 1: {', '.join(wrong)}"
        report.findings.append(Finding("limits_wrong", "warning", "", None, words, LIMITS))


def _finding(root: Path, seen: Seen) -> Finding:
    kind = seen.verdict.kind
    code = f"lock_{kind.value.lower().replace('-', '_')}"
    path = f"{LOCKS}/{seen.name}"
    words = f"{seen.name}: {seen.verdict.why}"
    return Finding(code, _SEVERITY[kind], path, None, words, break_command(seen, root))


def _count(looked: Looked, *free: str) -> int:
    return sum(seen.verdict.kind.value not in free for seen in looked.seen)


def _lines(looked: Looked) -> Iterator[str]:
    for seen in looked.seen:
        yield seen.line
        details = [f"waiters {len(seen.waiters)}"] if seen.waiters else []
        if len(seen.holders) > 1:
            details.append(f"held by {', '.join(map(_who, seen.holders))}")
        limit = looked.limits.get(seen.limit)
        if limit and (limit.taken or not limit.excludes):
            details.append(f"Prefect slot: {limit.line(lease_of(seen.holder))}")
        if command := break_command(seen, looked.root):
            details.append(f"break: {command}")
        yield from (f"    {detail}" for detail in details)


def _who(record: Record) -> str:
    return f"{record.owner} (pid {record.process.pid})"


def break_command(seen: Seen, root: Path) -> str:
    """Return the command that breaks a lock; nothing for one that nobody may or need break."""
    kind = seen.verdict.kind
    where = workspace_flag(root)
    command = f"python -m flows.locks break {seen.name}"
    if kind is Kind.ORPHAN_SLOT:
        return f"{command} --stale --execute{where}"
    if kind in (Kind.FREE, Kind.UNSAFE_FS, Kind.DAMAGED):
        return ""
    kill = " --kill" if seen.guard_pid else ""
    return f"{command} --generation {seen.generation}{kill} --execute{where}"


def _as_json(root: Path, seen: Seen, limit: Limit | None) -> dict[str, Any]:
    verdict = seen.verdict
    return {
        "name": seen.name,
        "verdict": verdict.kind.value,
        "why": verdict.why,
        "generation": seen.generation,
        "kernel": seen.kernel,
        "holders": [_holder(record) for record in seen.holders],
        "alive": verdict.alive,
        "heartbeat_age_s": verdict.beat_age_s,
        "progress_age_s": verdict.move_age_s,
        "waiters": [_holder(record) for record in seen.waiters],
        "prefect": limit and {
            "limit": limit.name,
            "exists": limit.found is not None,
            "active_slots": limit.found["active_slots"] if limit.found else None,
            "lease": lease_of(seen.holder) or None,
        },
        "break": break_command(seen, root),
    }  # fmt: skip


def _holder(record: Record) -> dict[str, Any]:
    return {
        "flow": record.owner, "flow_run_id": record.flow_run_id or None, "mode": record.mode,
        "generation": record.generation, "host": record.process.host, "pid": record.process.pid,
        "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.since.wall)),
        "command": record.command, "phase": record.phase, "done": record.done,
        "total": record.total, "note": record.note,
    }  # fmt: skip

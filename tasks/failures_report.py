"""What a mining says: the groups as a table, their figures in the JSON, and what comes next."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import datetime
from typing import Any

from autopack.report import NextStep, Report, Table
from autopack.rules.grouping import incidents
from autopack.rules.model import Group
from tasks.failures_session import Mining

COLUMNS = (
    "group", "state", "type", "template", "incidents", "events", "runs", "exposure", "rate",
    "trend", "first seen", "last seen",
)  # fmt: skip
_WIDE = 100


def describe(report: Report, mining: Mining) -> None:
    """Put groups, counts, findings and advice into the report."""
    windowed = [event for event in mining.events if mining.in_window(event.at)]
    known = {event.event_id for event in mining.known}
    states = Counter(group.state for group in mining.groups)
    report.findings = [*mining.findings]
    report.counts = {
        "files": mining.files,
        "rows": mining.rows,
        "events": len(windowed),
        "new_events": len({event.event_id for event in mining.found} - known),
        "undated": sum(event.at is None for event in windowed),
        "incidents": len(incidents(windowed)),
        "signatures": len({event.signature for event in windowed}),
        "groups": len(mining.groups),
        "states": dict(sorted(states.items())),
    }
    report.extra["groups"] = [as_json(group) for group in mining.groups]
    report.tables = [Table("groups", "What failed", COLUMNS, rows(mining.groups), "incidents")]
    report.body = text(mining.groups)
    if mining.groups and not report.execute:
        command = "python -m flows.failure_rules mine --execute"
        report.next_steps.append(NextStep("keep these events", command))


def as_json(group: Group) -> dict[str, Any]:
    """Return a group as the report's JSON has it."""
    seen = {name: _iso(getattr(group, name)) for name in ("first_seen", "last_seen")}
    return {**asdict(group), **seen, "rate": round(group.rate, 4)}


def rows(groups: tuple[Group, ...]) -> list[tuple[str | int | float, ...]]:
    """Return the groups as rows of `COLUMNS`."""
    return [
        (
            group.family, group.state, group.type, group.template[:_WIDE], group.incidents,
            group.events, group.runs, group.exposure, round(group.rate, 3), group.trend,
            _iso(group.first_seen) or "", _iso(group.last_seen) or "",
        )
        for group in groups
    ]  # fmt: skip


def text(groups: tuple[Group, ...]) -> str:
    """Return the groups for a terminal: what failed, how often, and an example."""
    return "\n\n".join(map(_paragraph, groups))


def _paragraph(group: Group) -> str:
    first, last = (_iso(at) or "unknown" for at in (group.first_seen, group.last_seen))
    example = " ".join(group.examples[0].split()) if group.examples else ""
    return (
        f"{group.family} {group.state}: {group.incidents} incidents, {group.events} events in "
        f"{group.runs} of {group.exposure} runs, trend {group.trend:+g}\n"
        f"  {example[: 2 * _WIDE]}\n"
        f"  {group.signature} from {group.origin or 'an unknown place'}, {first} to {last}"
    )


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None

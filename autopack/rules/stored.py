"""How events are kept: one JSON line each, in an order that does not depend on when they came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from autopack.report import Finding
from autopack.rules.model import Event, Frame
from autopack.rules.records import moment
from autopack.state_files import FAILURES, FAMILIES

STORE, ALIASES = FAILURES, FAMILIES
_NAMES = frozenset(field.name for field in fields(Event)) - {"family"}


def event_lines(events: Iterable[Event]) -> bytes:
    """Return the file of these events; the family is left out, it follows from all of them."""
    lines = sorted(_line(event) for event in events)
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _line(event: Event) -> str:
    row = {**asdict(event), "at": event.at.isoformat() if event.at else None}
    row.pop("family")
    return json.dumps(row, ensure_ascii=True, separators=(",", ":"), sort_keys=False)


def read_lines(data: bytes) -> tuple[list[Event], list[Finding]]:
    """Return the events of a store, and a finding for each line that is none."""
    events, findings = [], []
    for n, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        event = _event(line)
        if event is not None:
            events.append(event)
        else:
            findings.append(_malformed(n))
    return events, findings


def _malformed(line: int) -> Finding:
    fix = "python -m flows.failure_rules mine --execute"
    return Finding("stored_event_malformed", "error", STORE, line, "holds no event", fix)


def _event(line: str) -> Event | None:
    try:
        row: dict[str, Any] = json.loads(line)
        if not isinstance(row, dict) or row.keys() != _NAMES:
            return None
        frames = tuple(Frame(file, function) for file, function in row["frames"])
        changed = {"at": moment(row["at"]), "frames": frames, "chain": tuple(row["chain"])}
        return Event(**{**row, **changed})
    except (ValueError, TypeError, RecursionError):
        return None


def alias_table(aliases: Mapping[str, str]) -> bytes:
    """Return the file that names the family of each signature."""
    return (json.dumps(dict(sorted(aliases.items())), indent=1) + "\n").encode()

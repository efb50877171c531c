"""Make events of what an artefact says: an error report, a summary of one, or a log."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from autopack.report import Finding
from autopack.rules.masking import template
from autopack.rules.model import Event, Frame
from autopack.rules.privacy import scrub
from autopack.rules.records import header, moment
from autopack.rules.signature import sign, unwrap
from autopack.rules.tracebacks import HEAD, Raised, Traceback, leaf, place, read_traceback

SHOWN = 2000
"""Characters of a message that are kept."""
_NAMES: Mapping[str, tuple[str, ...]] = {
    "type": ("error_type", "type", "exception_type", "exception"),
    "message": ("error_message", "message", "error", "detail"),
    "run": ("run_id", "run"),
    "phase": ("phase_id", "phase"),
    "at": ("timestamp", "at", "time", "occurred_at", "created_at"),
    "component": ("component",),
    "operation": ("operation",),
    "traceback": ("traceback", "stack_trace"),
}
_FIELDS = {
    "Error Type": "type", "Error Message": "message", "Run ID": "run", "Phase ID": "phase",
    "Component": "component", "Operation": "operation",
}  # fmt: skip
_REPORT = re.compile(r"ERROR REPORT - (?P<at>\S+)")
_FIELD = re.compile(rf"(?P<name>{'|'.join(_FIELDS)}): ?(?P<value>.*)")
_RULE = re.compile(r"[=-]{20,}$")


@dataclass(frozen=True)
class Told:
    """What an artefact tells of a failure, before anything is taken out of it."""

    source: str
    run: str
    said: Raised
    content: tuple[object, ...]
    line: int | None = None
    phase: str | None = None
    at: datetime | None = None
    component: str = ""
    operation: str = ""
    found: Traceback | None = None

    def event(self) -> Event:
        """Return the event: redacted, named by its content, and signed by its root cause."""
        root = self.found.root if self.found else self.said
        type_, message = unwrap(scrub(root.type), scrub(root.message))
        origin = place(_scrubbed(self.found.origin)) if self.found and self.found.origin else ""
        chain = tuple(leaf(scrub(one.type)) for one in self.found.chain) if self.found else ()
        masked = template(message)
        return Event(
            event_id=self._id(root), source=self.source, run=scrub(self.run),
            phase=scrub(self.phase) if self.phase else None, at=self.at, type=type_,
            message=message[:SHOWN], component=scrub(self.component),
            operation=scrub(self.operation), chain=chain or (type_,),
            frames=tuple(map(_scrubbed, root.frames)),
            signature=sign(type_, masked, origin), template=masked, origin=origin,
            line=self.line,
        )  # fmt: skip

    def _id(self, root: Raised) -> str:
        at = self.at.isoformat() if self.at else None
        names = (self.run, self.phase, at, self.component, self.operation, root.type)
        text = repr((*names, self.content)).encode("utf-8", "backslashreplace")
        return sha256(text).hexdigest()


def _scrubbed(frame: Frame) -> Frame:
    return Frame(scrub(frame.file), scrub(frame.function))


def event_of(fields: Mapping[str, Any], source: str, run: str, line: int | None) -> Event | None:
    """Return the event that a report's fields tell of, or None when they name no failure.

    `run` is the folder's, for reports that name none.
    """
    said = {name: _first(fields, keys) for name, keys in _NAMES.items()}
    words = {name: str(value) for name, value in said.items() if value is not None}
    text = words.get("traceback", "").strip()
    found = _read(text)
    raised = Raised(words.get("type", ""), words.get("message", "").strip(), ())
    if not (found or raised.type or raised.message):
        return None
    return Told(
        source, words.get("run", run), raised, (raised.message, text), line,
        words.get("phase"), moment(said["at"]), words.get("component", ""),
        words.get("operation", ""), found,
    ).event()  # fmt: skip


def _first(fields: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((fields[key] for key in keys if fields.get(key) not in (None, "")), None)


def _read(text: str) -> Traceback | None:
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if HEAD in line), None)
    found = None if start is None else read_traceback(lines, start, alone=True)
    return found if found and found.chain else None


def read_summary(text: str) -> dict[str, str]:
    """Return the fields of a report in words; {} when it is none."""
    fields: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if head := _REPORT.match(line):
            fields["at"] = head["at"]
        elif "at" not in fields or (_RULE.match(line) and current != "traceback"):
            continue
        elif line.rstrip() in {"Stack Trace:", "Context Data:"}:
            current = "traceback" if line.startswith("Stack") else "context"
        elif current not in {"traceback", "context"} and (found := _FIELD.match(line)):
            current = _FIELDS[found["name"]]
            fields[current] = found["value"]
        elif current and not _RULE.match(line):
            fields[current] = f"{fields[current]}\n{line}" if current in fields else line
    return {name: value.strip() for name, value in fields.items() if name != "context"}


def read_log(
    lines: Sequence[str], source: str, run: str, cut: bool = False
) -> Iterator[Event | Finding]:
    """Yield an event for each traceback of a log, and findings for those that were cut off.

    The time is that of the last record above. The same traceback at the same time is as many
    events as it stands there.
    """
    seen: Counter[tuple[object, ...]] = Counter()
    at, after = None, 0
    for n, line in enumerate(lines):
        if n < after:
            continue
        head = header(line)
        at = (moment(head.time) if head and head.time else None) or at
        if HEAD not in line:
            continue
        found = read_traceback(lines, n)
        after = max(n + 1, found.end)
        if not found.chain or not found.whole:
            yield _cut(source, n, cut)
        if found.chain:
            content = tuple((one.type, one.message) for one in found.chain)
            key = (at, content, found.origin)
            seen[key] += 1
            yield Told(
                source, run, found.root, (content, found.origin, seen[key]), n + 1, at=at,
                found=found,
            ).event()  # fmt: skip


def _cut(source: str, n: int, at_end: bool) -> Finding:
    why = "only the beginning of the log was read" if at_end else "its exception is missing"
    return Finding(
        "traceback_cut", "warning", source, n + 1, f"a traceback has no end: {why}",
        "look at the lines that follow it",
    )  # fmt: skip

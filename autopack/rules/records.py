"""The head of a log record: when it was written and how grave it is, apart from what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

_LEVEL = r"(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)"
_HEADER = re.compile(
    rf"""
    (?:[\[(]?(?P<iso>\d{{4}}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?
        \s?(?:Z|[+-]\d\d:?\d\d)?)[\])]?[\s|:-]+
        (?:[\[(]?(?P<level>{_LEVEL})\b[\])]?[\s|:-]+)?
      |(?P<syslog>[A-Z][a-z][a-z]\s+\d{{1,2}}\s\d\d:\d\d:\d\d)\s[\w.-]+\s[^\s\[:]+(?:\[\d+\])?:\s
      |[\[(]?(?P<bare>{_LEVEL})\b[\])]?\s*[:|-]\s*
    )""",
    re.X,
)


class Header(NamedTuple):
    """What stands before a message: its time as text ("" for none), its level, where it ends."""

    time: str
    level: str
    end: int


def header(line: str) -> Header | None:
    """Return the head of a log line, or None where it begins with the message itself."""
    found = _HEADER.match(line)
    if found is None:
        return None
    return Header(found["iso"] or "", found["level"] or found["bare"] or "", found.end())


def body(line: str) -> str:
    """Return what a log line says, without its head."""
    found = _HEADER.match(line)
    return line[found.end() :] if found else line


def moment(value: object) -> datetime | None:
    """Return a time as aware UTC, or None where it is none; a naive one is taken for UTC.

    Text as ISO 8601 or as logs write it (blank for T, comma before the fraction), and seconds or
    milliseconds since 1970.
    """
    if isinstance(value, bool):
        return None
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        if isinstance(value, datetime):
            made = value
        elif isinstance(value, str):
            text = value.strip().replace("/", "-").replace(",", ".").replace(" +", "+")
            made = datetime.fromisoformat(text)
        else:
            return None
        return made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None

"""Read one artefact's bytes: events and, for whatever cannot be read, findings; never nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from autopack.report import Finding
from autopack.rules.artefacts import event_of, read_log, read_summary
from autopack.rules.model import Event
from autopack.rules.tracebacks import HEAD

MAX_REPORT = 8 << 20
"""Bytes of the largest error report that is read."""
MAX_LOG = 64 << 20
"""Bytes of a log that are read; tracebacks beyond are left out, and that is said."""

Read = Iterator[Event | Finding]


def limit(name: str) -> int:
    """Return how many bytes of an artefact are read."""
    return MAX_LOG if name.endswith(".log") else MAX_REPORT


def read_artefact(data: bytes, source: str, run: str, cut: bool = False) -> Read:
    """Yield what an artefact tells; `cut` says that only its beginning is there."""
    if not source.endswith(".log") and cut:
        yield _bad("artefact_huge", source, 1, f"larger than {MAX_REPORT >> 20} MB, not read")
        return
    text = decode(data)
    if text is None:
        yield _bad("artefact_binary", source, 1, "holds binary data, not text")
    elif source.endswith(".log"):
        yield from _log(text, source, run, cut)
    elif PurePosixPath(source).suffix == ".json":
        yield from _json(text, source, run)
    else:
        yield from _summary(text, source, run)


def decode(data: bytes) -> str | None:
    """Return the text of some bytes, UTF-16 with its mark too; None when they are no text."""
    text = _decoded(data)
    return text if text is None else text.replace("\r\n", "\n")


def _decoded(data: bytes) -> str | None:
    for mark, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "")):
        if data.startswith(mark):
            return data.decode(name or "utf-8-sig", "replace")
    if data[:4096].count(0) > len(data[:4096]) // 100:
        return None
    return data.decode("utf-8", "replace")


def _log(text: str, source: str, run: str, cut: bool) -> Read:
    if HEAD in text:
        yield from read_log(text.split("\n"), source, run, cut)
    if cut:
        why = f"larger than {MAX_LOG >> 20} MB: only the beginning was read"
        yield _bad("artefact_huge", source, 1, why)


def _json(text: str, source: str, run: str) -> Read:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        yield _bad("artefact_malformed", source, error.lineno, f"no JSON: {error.msg}")
        return
    except (RecursionError, ValueError) as error:
        yield _bad("artefact_malformed", source, 1, f"no JSON: {type(error).__name__}")
        return
    several = isinstance(value, list)
    for n, item in enumerate(value if several else [value], start=1):
        yield _item(item, source, run, f"item {n}" if several else "the report")


def _item(item: Any, source: str, run: str, name: str) -> Event | Finding:
    if not isinstance(item, dict):
        kind = type(item).__name__
        return _bad("artefact_malformed", source, 1, f"{name} is no object but {kind}")
    event = event_of(item, source, run, 1)
    return event or _bad("artefact_empty", source, 1, f"{name} names no type, message or traceback")


def _summary(text: str, source: str, run: str) -> Read:
    fields: dict[str, Any] = dict(read_summary(text))
    if not fields and HEAD in text:
        yield from read_log(text.split("\n"), source, run)
        return
    event = event_of(fields, source, run, 1)
    yield event or _bad("artefact_malformed", source, 1, "is no error report and has no traceback")


def _bad(code: str, source: str, line: int, why: str) -> Finding:
    fix = "look at the file; correct or remove it, and mine again"
    return Finding(code, "error", source, line, why, fix)

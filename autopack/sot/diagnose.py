"""Name every oddity of a ledger, so that none is ever a silently lost line."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator

from autopack.report import Finding, Severity
from autopack.sot.counts import Census
from autopack.sot.ledgers import Ledger
from autopack.sot.segments import Note, Segments

SHOWN = 5
"""How many ids an aggregate finding names."""
PER_CODE = 100
"""How many findings of one code a file may have before the rest is one line."""

_CHUNK = 1 << 20
_CONFLICT_MARKS = (b"<<<<<<<", b">>>>>>>")
_TWINS = (
    ("meta_twin", b"<!-- META", "a second META block"),
    ("summary_twin", b"**Summary**:", "a second **Summary** line"),
)


def diagnose(ledger: Ledger, segments: Segments, census: Census) -> list[Finding]:
    """Return every diagnostic of one ledger, in file order within a code."""
    notes = [*segments.notes, *_byte_notes(segments.data), *_twin_notes(segments)]
    findings = list(_located(ledger.path, segments.data, notes))
    findings += _id_findings(ledger, census)
    return findings


def blocking(
    ledger: Ledger, data: bytes, start: int = 0, end: int | None = None
) -> Iterator[Finding]:
    """Yield what forbids publishing a file's bytes: conflict markers and invalid UTF-8.

    `start` and `end` limit the look to whole lines that have changed; what was published is clean.
    """
    marked = (
        at
        for mark in _CONFLICT_MARKS
        for at in _line_starts(data, mark, start, end)
        if data[at + 7 : at + 8] in b" \r\n"
    )
    conflict = min(marked, default=None)
    if conflict is not None:
        line = _line(data, conflict)
        yield Finding(
            "conflict_markers", "error", ledger.path, line,
            "unresolved merge conflict", "resolve the conflict, then run the sync again",
        )  # fmt: skip
    offset = invalid_utf8(data, start, end)
    if offset is not None:
        yield Finding(
            "invalid_utf8", "error", ledger.path, _line(data, offset),
            f"byte {offset} is no valid UTF-8",
            f"mend it: grep -naxv '.*' {ledger.path} shows the lines",
        )  # fmt: skip


def invalid_utf8(data: bytes, start: int = 0, end: int | None = None) -> int | None:
    """Return the offset of the first byte that is no UTF-8, reading a megabyte at a time."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    last = len(data) if end is None else end
    for at in range(start, last, _CHUNK):
        part = data[at : min(at + _CHUNK, last)]
        pending = len(decoder.getstate()[0])
        if not pending and part.isascii():
            continue
        try:
            decoder.decode(part, final=at + _CHUNK >= last)
        except UnicodeDecodeError as error:
            return at - pending + error.start
    return None


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _line_starts(data: bytes, mark: bytes, start: int = 0, end: int | None = None) -> Iterator[int]:
    """Yield the offsets of the lines that begin with `mark`; literal search keeps it fast."""
    at = data.find(mark, start, end)
    while at >= 0:
        if at == 0 or data[at - 1] == 0x0A:
            yield at
        at = data.find(mark, at + 1, end)


def _byte_notes(data: bytes) -> Iterator[Note]:
    for code, mark, name in (("form_feed", b"\f", "form feed"), ("nul_byte", b"\0", "NUL byte")):
        at = data.find(mark)
        if at >= 0:
            yield Note(code, at, f"{data.count(mark)} raw {name}(s); kept as bytes")
    if b"\r" in data and b"\r\n" in data:
        lines, carriage = data.count(b"\n"), data.count(b"\r\n")
        mixed = f"{carriage} of {lines} lines end in CRLF"
        yield Note("crlf" if carriage == lines else "mixed_eol", data.find(b"\r\n"), mixed)
    if data and not data.endswith(b"\n"):
        yield Note("no_final_newline", len(data) - 1, "the file ends without a newline")


def _twin_notes(segments: Segments) -> Iterator[Note]:
    """False twins: text past the preamble that looks like a generated block."""
    preamble = segments.preamble_end
    for code, mark, what in _TWINS:
        for at in _line_starts(segments.data, mark, preamble):
            yield Note(code, at, f"{what} below the first h2 is prose, not generated")


def _located(path: str, data: bytes, notes: Iterable[Note]) -> Iterator[Finding]:
    """Turn offsets into lines in one pass, and cap how many of one code are listed."""
    seen: Counter[str] = Counter()
    line, at = 1, 0
    for note in sorted(notes, key=lambda note: note.offset):
        line += data.count(b"\n", at, note.offset)
        at = note.offset
        seen[note.code] += 1
        if seen[note.code] <= PER_CODE:
            severity: Severity = "error" if note.severity == "error" else "info"
            yield Finding(note.code, severity, path, line, note.message)
    for code, n in seen.items():
        if n > PER_CODE:
            yield Finding(code, "info", path, None, f"and {n - PER_CODE} more {code}")


def _id_findings(ledger: Ledger, census: Census) -> Iterator[Finding]:
    if not ledger.prefix:
        return
    rows, sections = census.rows, census.sections
    groups = {
        "duplicate_row": [f"{i} ×{n}" for i, n in rows.items() if n > 1],
        "duplicate_section": [f"{i} ×{n}" for i, n in sections.items() if n > 1],
        "conflicting_id": census.conflicting,
        "row_without_section": [i for i in rows if i not in sections],
        "section_without_row": [i for i in sections if i not in rows],
        "mentioned_only": census.mentioned_only,
    }
    for code, members in groups.items():
        if members:
            named = ", ".join(members[:SHOWN])
            rest = f" and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
            yield Finding(code, "info", ledger.path, None, f"{len(members)} ids: {named}{rest}")

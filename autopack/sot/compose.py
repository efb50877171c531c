"""A new entry of a ledger: the next free id, an INDEX row and a section, shaped like the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from autopack.errors import Refused, UsageError
from autopack.sot.counts import Census, take_census
from autopack.sot.generate import Splice, apply
from autopack.sot.ids import sort_key
from autopack.sot.ledgers import Ledger
from autopack.sot.segment import segment
from autopack.sot.segments import Kind, Segments

_DEFAULTS = {"DEC": {"Status": "Proposed"}, "DBG": {"Severity": "MEDIUM", "Status": "Open"}}
_INDEX_HEAD = re.compile(
    rb"^##[ \t]+INDEX\b[^\n]*\n(?:(?!##)[^|\n]*\n)*\|[^\n]*\n\|(?=[^\n]*-)[ \t:|-]*(?:\r?\n|\Z)",
    re.M | re.I,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Draft:
    """What a person gives of a new entry: its title, INDEX cells by column name, and the text."""

    title: str
    cells: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True)
class Entry:
    """What is about to be written, without line ends: the id, the row and the section."""

    ident: str
    row: str
    section: str


def next_id(ledger: Ledger, census: Census, texts: Sequence[bytes]) -> str:
    """Return the lowest id above the latest one that none of the texts mentions."""
    taken = {
        int(match)
        for text in texts
        for match in re.findall(rb"\b" + ledger.prefix.encode() + rb"-(\d{1,18})\b", text)
    }
    number = sort_key(census.latest)[0] + 1 if census.latest else 1
    while number in taken:
        number += 1
    return f"{ledger.prefix}-{number:03d}"


def compose(ledger: Ledger, ident: str, draft: Draft, today: date) -> Entry:
    """Return the entry that a draft becomes.

    Raises:
        UsageError: The title or a cell is empty or holds a line break, or no column has the name.
    """
    title, given = _line("--title", draft.title), dict(_named_cells(ledger, draft.cells))
    filled = {**_DEFAULTS.get(ledger.prefix, {}), **given}
    row = [
        f"{today:%Y-%m-%d}", ident,
        *(filled.get(name, title if at == ledger.title_column else "-")
          for at, name in enumerate(ledger.columns) if at > 1),
    ]  # fmt: skip
    # A **Summary** line in a section would look like the generated one.
    untold = {_title_cell(ledger), "Summary"}
    facts = "\n".join(f"**{n}**: {value}" for n, value in filled.items() if n not in untold)
    parts = [f"### {ident} | {today:%Y-%m-%d} | {title}", facts, draft.text.strip()]
    section = "\n\n".join(part for part in parts if part)
    return Entry(ident, "| " + " | ".join(map(_cell, row)) + " |", section)


def _title_cell(ledger: Ledger) -> str:
    return ledger.columns[ledger.title_column]


def _named_cells(ledger: Ledger, cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    known = {name.lower(): name for name in ledger.columns[2:]}
    for name, value in cells.items():
        if name.lower() not in known:
            raise UsageError(
                f"--cells: {ledger.path} has no column {name!r}",
                next_step=f"use one of: {', '.join(known.values())}",
            )
        yield known[name.lower()], _line(f"--cells {name}", value)


def _line(flag: str, words: str) -> str:
    words = words.strip()
    if not words or _CONTROL.search(words):
        raise UsageError(
            f"{flag} must be one line of text", next_step="python -m flows.sot_counts --help"
        )
    return words


def _cell(words: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", words)


def insert(ledger: Ledger, data: bytes, entry: Entry) -> bytes:
    """Return the ledger with the entry in it, in the order and line ends of the others.

    Raises:
        Refused: It has no INDEX table, or the entry would not be read back as one row and one
            section.
    """
    segments = segment(ledger, data)
    head = _INDEX_HEAD.search(data)
    if head is None:
        raise Refused(
            f"{ledger.path} has no INDEX table to put a row into",
            next_step=f"write it: ## INDEX, | {' | '.join(ledger.columns)} |, |{'---|' * 5}",
        )
    eol = b"\r\n" if data[: head.end()].endswith(b"\r\n") else b"\n"
    row = Splice(*_row_place(segments, head.end()), _ends(data, head.end(), eol, entry.row) + eol)
    at = _section_place(segments)
    level = "## " if _stand_at_h2(segments) else "### "
    section = f"{level}{entry.section.removeprefix('### ')}\n".encode().replace(b"\n", eol)
    lead = b"" if at < len(data) else _blank_line_before(data, eol)
    trail = eol if at < len(data) else b""
    grown = apply(data, [row, Splice(at, at, lead + section + trail)])
    _check(ledger, segments, grown, entry)
    return grown


def _ends(data: bytes, at: int, eol: bytes, row: str) -> bytes:
    return (b"" if data[:at].endswith(b"\n") else eol) + row.encode()


def _descending(segments: Segments, kind: Kind) -> bool:
    """Tell whether entries of a kind run from the latest to the first; an empty ledger's will."""
    numbers = [sort_key(ident) for ident in segments.idents_of(kind)]
    return len(numbers) < 2 or numbers[0] >= numbers[-1]


def _row_place(segments: Segments, top: int) -> tuple[int, int]:
    if _descending(segments, Kind.ROW):
        return top, top
    last = len(segments) - 1 - segments.kinds[::-1].index(Kind.ROW)
    end = segments.span(last, last + 1)[1]
    return end, end


def _section_place(segments: Segments) -> int:
    if _descending(segments, Kind.SECTION):
        at = segments.kinds.find(Kind.SECTION)
        return segments.starts[at] if at >= 0 else len(segments.data)
    return len(segments.data)


def _stand_at_h2(segments: Segments) -> bool:
    at = segments.kinds.find(Kind.SECTION)
    return at >= 0 and segments.content(at)[:3] == b"## "


def _blank_line_before(data: bytes, eol: bytes) -> bytes:
    if data.endswith(eol + eol):
        return b""
    return eol if data.endswith(b"\n") else eol + eol


def _check(ledger: Ledger, before: Segments, grown: bytes, entry: Entry) -> None:
    """Refuse an insertion that is not read back as exactly one more row and section."""
    old, new = take_census(ledger, before), take_census(ledger, segment(ledger, grown))
    more = (new.rows - old.rows, new.sections - old.sections)
    one = {entry.ident: 1}
    if more != (one, one) or old.rows - new.rows or old.sections - new.sections:
        raise Refused(
            f"{ledger.path}: {entry.ident} would not be read back as one row and one section",
            next_step="add it by hand, then run: python -m flows.sot_counts",
        )


def skeleton(ledger: Ledger) -> bytes:
    """Return an empty ledger with its generated blocks, for a workspace that has none."""
    names = " | ".join(ledger.columns)
    title = ledger.stem.replace("_", " ").title()
    return "\n".join(
        [
            f"# {title}", "",
            "<!-- AUTO-GENERATED SUMMARY - DO NOT EDIT MANUALLY -->",
            "<!-- END AUTO-GENERATED SUMMARY -->", "",
            "<!-- META", f"{ledger.total_key}: 0", "Format_Version: 2.0", "-->", "",
            "## INDEX (Chronological - Most Recent First)", "",
            f"| {names} |", f"|{'---|' * len(ledger.columns)}", "",
            f"## {ledger.units.upper()} (Reverse Chronological)", "",
        ]
    ).encode()  # fmt: skip

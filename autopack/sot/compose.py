"""A new entry of a ledger: the next free id, an INDEX row and a section, shaped like the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from autopack.errors import Refused, UsageError
from autopack.sot.counts import Census, take_census
from autopack.sot.diagnose import blocking
from autopack.sot.generate import Splice, apply
from autopack.sot.ids import sort_key
from autopack.sot.ledgers import Ledger
from autopack.sot.segment import Fences, cells_of, closed_fences, segment
from autopack.sot.segments import Kind, Segments

_DEFAULTS = {"DEC": {"Status": "Proposed"}, "DBG": {"Severity": "MEDIUM", "Status": "Open"}}
_INDEX_HEAD = re.compile(
    rb"^##[ \t]+INDEX\b[^\n]*\n(?:(?!##)[^|\n]*\n)*( {0,3}\|[^\n]*)\n"
    rb" {0,3}\|(?=[^\n]*-)[ \t:|-]*(?:\r?\n|\Z)",
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
    digits = (census.latest or "").removeprefix(f"{ledger.prefix}-").partition(".")[0]
    return f"{ledger.prefix}-{number:0{max(3, len(digits))}d}"


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
    if not words or _CONTROL.search(words) or any("\ud800" <= char <= "\udfff" for char in words):
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
    head = _index_head(ledger, data)
    eol = b"\r\n" if head[0].endswith(b"\r\n") else b"\n"
    at = _row_place(segments, head.end())
    row = (b"" if data[:at].endswith(b"\n") else eol) + entry.row.encode() + eol
    level = "## " if _stand_at_h2(segments) else "### "
    section = f"{level}{entry.section.removeprefix('### ')}\n".encode().replace(b"\n", eol)
    below = _section_place(segments)
    if below < len(data):
        section += eol
    whole = apply(data, [Splice(at, at, row)])
    below += len(whole) - len(data) if below >= at else 0
    lead = _blank_line_before(whole[:below], eol)
    grown = apply(whole, [Splice(below, below, lead + section)])
    _check(segments, grown, ledger, entry.ident, section)
    return grown


def _index_head(ledger: Ledger, data: bytes) -> re.Match[bytes]:
    """Return the INDEX heading with the head of its table; examples in fences are none."""
    fences = closed_fences(data)
    found = (
        match
        for match in _INDEX_HEAD.finditer(data)
        if not any(start <= match.start() < end for start, end in fences)
    )
    head = next(found, None)
    columns = len(ledger.columns)
    if head is None or len(cells_of(head[1].strip())) != columns + 2:
        what = f"INDEX table of {columns} columns"
        raise Refused(
            f"{ledger.path} has no {what} to put a row into",
            next_step=f"write it: ## INDEX, | {' | '.join(ledger.columns)} |, |{'---|' * columns}",
        )
    return head


def _descending(segments: Segments, kind: Kind) -> bool:
    """Tell whether entries of a kind run from the latest to the first; an empty ledger's will."""
    numbers = [sort_key(ident) for ident in segments.idents_of(kind)]
    return len(numbers) < 2 or numbers[0] >= numbers[-1]


def _row_place(segments: Segments, top: int) -> int:
    if _descending(segments, Kind.ROW):
        return top
    return _end_of_last(segments, Kind.ROW)


def _section_place(segments: Segments) -> int:
    if _descending(segments, Kind.SECTION):
        at = segments.kinds.find(Kind.SECTION)
        return segments.starts[at] if at >= 0 else len(segments.data)
    return _end_of_last(segments, Kind.SECTION)


def _end_of_last(segments: Segments, kind: Kind) -> int:
    last = segments.kinds.rfind(kind)
    return segments.span(last, last + 1)[1]


def _stand_at_h2(segments: Segments) -> bool:
    at = segments.kinds.find(Kind.SECTION)
    return at >= 0 and segments.content(at)[:3] == b"## "


def _blank_line_before(data: bytes, eol: bytes) -> bytes:
    if data.endswith(eol + eol):
        return b""
    return eol if data.endswith(b"\n") else eol + eol


def _check(before: Segments, grown: bytes, ledger: Ledger, ident: str, section: bytes) -> None:
    """Refuse an entry that is not read back as itself, or changes how the rest is read."""
    after = segment(ledger, grown)
    old, new = take_census(ledger, before), take_census(ledger, after)
    one, written = {ident: 1}, (Kind.SECTION, ident)
    at = next((i for i, k in enumerate(after.kinds) if (k, after.idents[i]) == written), None)
    whole = (
        (new.rows - old.rows, new.sections - old.sections) == (one, one)
        and (new.strays, new.kinds[Kind.NON_ID_ROW]) == (old.strays, old.kinds[Kind.NON_ID_ROW])
        and at is not None
        and after.content(at).strip() == section.strip()
        and len(after.notes) == len(before.notes)
        and not next(iter(blocking(ledger, grown)), None)
        and not _left_open(section)
    )
    if not whole:
        raise Refused(
            f"{ledger.path}: {ident} would not be read back as one row and one section",
            next_step="leave headings, tables, conflict markers and open fences out of --text",
        )


def _left_open(section: bytes) -> bool:
    """Tell whether a code fence or a comment of a section would swallow what follows it."""
    fence = Fences(section).open_at(0, len(section))
    return fence is not None or section.rfind(b"<!--") > section.rfind(b"-->")


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

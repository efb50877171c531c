"""The texts of owned blocks, and the splices that put them into a page's bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from autopack.sot.blocks import Block, find_block
from autopack.sot.claims import meta_claims, readme_claims, summary_lines
from autopack.sot.counts import Counts
from autopack.sot.drift import Truth, required
from autopack.sot.ledgers import COUNTED, Ledger

_STAMP = re.compile(rb"^\*\*Last Updated\*\*:[^\r\n]*", re.M)
_META_STAMP = re.compile(rb"^([ \t]*Last_Updated[ \t]*:[ \t]*)([^\r\n]*?)[ \t]*(?=\r?$)", re.M)
_SHAPES = (
    (r"\d{4}-\d\d-\d\d", "%Y-%m-%d"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "%Y-%m-%dT%H:%M:%SZ"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "%Y-%m-%dT%H:%M:%S.%fZ"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "%Y-%m-%d %H:%M:%S"),
)


@dataclass(frozen=True)
class Splice:
    """Replace the bytes `start:end` of a page."""

    start: int
    end: int
    new: bytes


def apply(data: bytes, splices: Iterable[Splice]) -> bytes:
    """Return the page with every splice made; they do not overlap."""
    out, at = [], 0
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
        out += [data[at : splice.start], splice.new]
        at = splice.end
    return b"".join([*out, data[at:]])


def mend_meta(data: bytes, preamble: int, ledger: Ledger, truth: Truth, now: datetime) -> bytes:
    """Return a ledger whose META totals are true; a stamp keeps the shape it has."""
    block = find_block("meta", data, preamble).block
    counts = truth.get(ledger.prefix)
    if block is None or counts is None:
        return data
    splices, first = [], dict[str, int]()
    for claim in meta_claims(data, block):
        known = truth.get(claim.ledger.prefix)
        if known is None:
            continue
        if claim.offset != first.setdefault(claim.ledger.prefix, claim.offset):
            again = Splice(claim.offset, _after_line(data, claim.span[1]), b"")
            splices += [again] if again not in splices else []
        else:
            value = str(getattr(known, claim.count or "")).encode()
            splices.append(Splice(*claim.span, value))
    if ledger.prefix not in first:
        splices.append(_first_line(data, block, f"{ledger.total_key}: {counts.index_entries}"))
    stamp = _META_STAMP.search(data, block.start, block.end)
    if stamp:
        splices.append(Splice(stamp.start(2), stamp.end(2), _restamped(stamp[2], now)))
    return apply(data, splices)


def _restamped(old: bytes, now: datetime) -> bytes:
    for shape, form in _SHAPES:
        if re.fullmatch(shape.encode(), old):
            return now.strftime(form).encode()
    return old


def mend_summary(data: bytes, preamble: int, ledger: Ledger, truth: Truth, now: datetime) -> bytes:
    """Return a ledger whose marked summary is one true line."""
    block = find_block("summary", data, preamble).block
    counts = truth.get(ledger.prefix)
    if block is None or counts is None:
        return data
    text = summary_text(ledger, counts, now)
    lines = summary_lines(data, block.start, block.end)
    if not lines:
        return apply(data, [_first_line(data, block, text)])
    first, *more = lines
    splices = [Splice(first.start(), first.end(), text.encode())]
    splices += [Splice(line.start(), _after_line(data, line.end()), b"") for line in more]
    return apply(data, splices)


def summary_text(ledger: Ledger, counts: Counts, now: datetime) -> str:
    """Return the in-file summary: how many entries, and how many different ones."""
    unique = f"{counts.unique_base} unique {ledger.units}"
    if "unique_ids" in required(counts):
        unique += f", {counts.unique_ids} unique dotted ids"
    entries = f"{counts.index_entries} {ledger.noun} entries"
    return f"**Summary**: {entries} ({unique}) documented | Last updated: {now:%Y-%m-%d %H:%M:%S}"


def mend_readme(data: bytes, truth: Truth, now: datetime, title: Callable[[Ledger], str]) -> bytes:
    """Return a page whose SOT_SUMMARY block states every count; lines that are no claim stay.

    `title` gives the title of a ledger's latest entry.
    """
    block = find_block("readme", data).block
    if block is None:
        return data
    eol = _eol(data, block)
    bullets = eol.join(line.encode() for line in readme_lines(truth, title))
    stamp = f"**Last Updated**: {now:%Y-%m-%d %H:%M}".encode()
    lines = _claim_lines(data, block, truth)
    found = _STAMP.search(data, block.start, block.end)
    splices = [Splice(found.start(), found.end(), stamp)] if found else []
    if found and found.start() in dict(lines):  # that line goes with its claim
        splices, bullets = [], stamp + eol + eol + bullets
    if lines:
        (first, end), *more = lines
        splices.append(Splice(first, end, bullets + eol))
        splices += [Splice(start, after, b"") for start, after in more]
    else:
        at = block.end
        lead = b"" if data[at - 1 : at] == b"\n" else eol
        lead += b"" if found else stamp + eol + eol
        splices.append(Splice(at, at, lead + bullets + eol))
    return apply(data, splices)


def _claim_lines(data: bytes, block: Block, truth: Truth) -> list[tuple[int, int]]:
    """Return the lines of a block that state counts of ledgers that exist."""
    stated = (c.offset for c in readme_claims(data, block) if c.ledger.prefix in truth)
    return [(start, _after_line(data, start)) for start in dict.fromkeys(stated)]


def readme_lines(truth: Truth, title: Callable[[Ledger], str]) -> Iterator[str]:
    """Yield the bullets of the README summary, for the ledgers that exist."""
    for ledger in COUNTED:
        counts = truth.get(ledger.prefix)
        if counts is None:
            continue
        yield f"- **{ledger.noun.title()} entries**: {counts.index_entries}"
        yield f"- **Unique {ledger.units}**: {counts.unique_base}"
        if "unique_ids" in required(counts):
            yield f"- **Unique dotted {ledger.noun} ids**: {counts.unique_ids}"
        if ledger.prefix == "BUILD":
            name = title(ledger) if counts.latest else ""
            yield f"- **Latest build**: {counts.latest or 'none'}{f': {name}' if name else ''}"


def _first_line(data: bytes, block: Block, text: str) -> Splice:
    """Return the splice that makes `text` the first line between a block's markers."""
    eol = _eol(data, block)
    at = data.find(b"\n", block.start, block.end) + 1
    if at:
        return Splice(at, at, text.encode() + eol)
    return Splice(block.end, block.end, eol + text.encode() + eol)


def _after_line(data: bytes, offset: int) -> int:
    return (data.find(b"\n", offset) + 1) or len(data)


def _eol(data: bytes, block: Block) -> bytes:
    """Return the line ending of the block's opening marker."""
    end = data.find(b"\n", block.opened)
    return b"\r\n" if end > 0 and data[end - 1 : end] == b"\r" else b"\n"

"""Numbers that pages state about the ledgers, and which count each of them says it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from autopack.sot.blocks import Block, Place
from autopack.sot.ledgers import COUNTED, Ledger
from autopack.sot.segment import closed_fences

COUNT_NAMES = (
    "unique_index_ids", "unique_sections", "unique_base", "unique_ids", "index_entries",
    "rows_without_section", "sections_without_row", "non_id_rows", "stray_rows",
    "mentioned_only", "sections",
)  # fmt: skip
"""Counts that a claim may name as they stand; longer names first."""

# A whole number of sane length: not a part of an id, a date, a version, `10k` or `3+`.
_NUMBER = rb"(?<![\w.,#/-])(\d[\d,]{0,17}+)(?![\w+%]|[.,/-]\d)"
_ABOUT = (
    rb"(?:unique|dotted|different|documented|architecture|stray|detail|index|"
    rb"builds?|decisions?|debug(?:ging)?|issues?)"
)
_THING = rb"(?:entry|entries|rows?|sections?|ids?|sessions?|builds?|decisions?|issues?)"
_PHRASE = re.compile(
    _NUMBER + rb"[*_]{0,3}[ \t]+((?:" + _ABOUT + rb"[ \t]+)*" + _THING + rb")\b", re.I
)
_TOTAL = re.compile(rb"^[ \t]*(Total_\w+)[ \t]*:[ \t]*([^\r\n]*)", re.M)
_VALUE = re.compile(rb"[*_]{0,3}(\d[\d,]{0,17}+)[*_]{0,3}(?=$|[ \t(,;.|])")
_SUMMARY = re.compile(rb"^\*\*Summary\*\*:[^\r\n]*", re.M)
_LABEL = re.compile(
    rb"(?:[^\w<\r\n]|_){0,24}([A-Za-z][A-Za-z \t]{0,60}?)[*_]{0,3}[ \t]*"
    rb"(?:\([^()\r\n]{0,40}\)[*_]{0,3}[ \t]*)?[:|=][*_]{0,3}[ \t]*([^\r\n]*)",
)
_ROUGHLY = re.compile(r"[~≈<>=±]*[ \t]*\d")
_LATEST = re.compile(r"(?:latest|last|newest)\b", re.I)
_A_FEW = re.compile(
    rb"\b(?:last|latest|past|next|first|top|newest|recent|most|least|these|those|the|each|every|"
    rb"adds?|phase|python)[ \t]+\Z",
    re.I,
)
_UNSEEN = re.compile(rb"(`+)(?!`).*?(?<!`)\1(?!`)|<!--.*?-->", re.S)
_NOUNS = {
    "BUILD": re.compile(r"\bbuilds?\b", re.I),
    "DEC": re.compile(r"\bdecisions?\b", re.I),
    "DBG": re.compile(r"\b(?:debug(?:ging)?|issues?)\b", re.I),
}


@dataclass(frozen=True)
class Claim:
    """One number, or latest id, that a page states about a ledger.

    `count` names what it says it counts, None if it does not say. `offset` is the start of its
    line, `words` how it reads. `span` is where the value of a META total stands.
    """

    place: Place | Literal["navigation"]
    ledger: Ledger
    count: str | None
    value: int | str
    offset: int
    words: str
    span: tuple[int, int] = (0, 0)


def count_named(words: str) -> str | None:
    """Return the count that words name: `unique builds` is `unique_base`, `entries` the INDEX."""
    low = words.lower()
    for name in COUNT_NAMES:
        if name in low or name.replace("_", " ") in low:
            return name
    if re.search(r"\b(?:unique|different)\b", low):
        return "unique_ids" if re.search(r"\bids?\b|\bdotted\b", low) else "unique_base"
    return "index_entries" if re.search(r"\b(?:entry|entries|rows?)\b", low) else None


def ledger_named(words: str) -> Ledger | None:
    """Return the ledger whose entries these words are about."""
    return next((ledger for ledger in COUNTED if _NOUNS[ledger.prefix].search(words)), None)


def meta_claims(data: bytes, block: Block) -> Iterator[Claim]:
    """Yield the totals of a META block; a number that says no more counts the INDEX entries."""
    by_key = {ledger.total_key: ledger for ledger in COUNTED}
    for line in _TOTAL.finditer(data, block.start, block.end):
        ledger = by_key.get(line[1].decode())
        if ledger is None:
            continue
        numbers = _numbers(data, line.start(2), line.end(2))
        first = _VALUE.match(data, line.start(2), line.end(2))
        if first is None or not numbers or numbers[0].start(1) != first.start(1):
            end = line.start(2) + len(line[2].rstrip())
            span = (line.start(2), end)
            yield Claim("meta", ledger, "index_entries", _text(line[2]), line.start(),
                        _text(line[0]), span)  # fmt: skip
            continue
        for n, phrase in enumerate(numbers):
            count = count_named(_text(phrase[2])) or ("index_entries" if n == 0 else None)
            if count:
                yield Claim("meta", ledger, count, _integer(phrase[1]), line.start(),
                            f"{_text(line[1])}: {_text(phrase[0])}", phrase.span(1))  # fmt: skip


_NUMBER_AND_WORDS = re.compile(_NUMBER + rb"([^\d|;(),\r\n]*)")


def _numbers(data: bytes, start: int, end: int) -> list[re.Match[bytes]]:
    """Return numbers, each with the words behind it."""
    return list(_NUMBER_AND_WORDS.finditer(data, start, end))


def summary_lines(data: bytes, start: int, end: int) -> list[re.Match[bytes]]:
    """Return the **Summary** lines between two offsets."""
    return list(_SUMMARY.finditer(data, start, end))


def summary_claims(data: bytes, ledger: Ledger, start: int, end: int) -> Iterator[Claim]:
    """Yield the numbers of the **Summary** lines between two offsets of a ledger."""
    for line in summary_lines(data, start, end):
        for phrase in _PHRASE.finditer(data, line.start(), line.end()):
            about = ledger_named(_text(phrase[2])) or ledger
            count, value = count_named(_text(phrase[2])), _integer(phrase[1])
            yield Claim("summary", about, count, value, line.start(), _text(phrase[0]))


def readme_claims(data: bytes, block: Block) -> Iterator[Claim]:
    """Yield what a README summary states: `- **Build entries**: 168`, or `168 build entries`."""
    at = block.start
    while at < block.end:
        end = data.find(b"\n", at, block.end)
        end = block.end if end < 0 else end
        yield from _line_claims(data, at, end)
        at = end + 1


def _line_claims(data: bytes, start: int, end: int) -> Iterator[Claim]:
    """Yield the claims of one line: of its label, and of every number that names what it counts."""
    labelled = _LABEL.match(data, start, end)
    ledger = ledger_named(_text(labelled[1])) if labelled else None
    if labelled and ledger and (claim := _label_claim(ledger, data, labelled)):
        yield claim
        first = claim.span[1]
    else:
        labelled, first = None, start
    for phrase in _PHRASE.finditer(data, first, end):
        about, count = ledger_named(_text(phrase[2])) or ledger, count_named(_text(phrase[2]))
        if about and (count or labelled is None):
            yield Claim("readme", about, count, _integer(phrase[1]), start, _text(phrase[0]))


def _label_claim(ledger: Ledger, data: bytes, line: re.Match[bytes]) -> Claim | None:
    """Return what a label states; None where the line is no count, as `**Build status**: red`."""
    label, text = _text(line[1]), _text(line[2])
    if _LATEST.match(label):
        own = re.search(rf"\b{ledger.prefix}-[\d.]*\d", text)
        shown = own[0] if own else text[:60]
        return Claim("readme", ledger, "latest", shown, line.start(), f"{label}: {shown}",
                     line.span(2))  # fmt: skip
    value = _VALUE.match(data, line.start(2), line.end(2))
    if value is None:
        named = count_named(label)
        if named is None and not _ROUGHLY.match(text):
            return None
        return Claim("readme", ledger, named, text[:60], line.start(), f"{label}: {text[:60]}",
                     line.span(2))  # fmt: skip
    after = _PHRASE.match(data, value.start(1), line.end(2))
    count = (count_named(_text(after[2])) if after else None) or count_named(label)
    words = f"{label}: {_text(after[0] if after else value[1])}"
    return Claim("readme", ledger, count, _integer(value[1]), line.start(), words,
                 (value.start(1), after.end() if after else value.end()))  # fmt: skip


def navigation_claims(data: bytes, owned: Block | None) -> Iterator[Claim]:
    """Yield counts in the prose of a navigation page, on lines that name a ledger's file.

    What stands in a fence, in code, in a comment or in the page's summary block is none.
    """
    fences = closed_fences(data)
    shown = _UNSEEN.sub(lambda match: b" " * len(match[0]), data)
    for ledger in COUNTED:
        for name in re.finditer(ledger.stem.encode(), data):
            line = data.rfind(b"\n", 0, name.start()) + 1
            end = data.find(b"\n", line)
            end = len(data) if end < 0 else end
            hidden = any(a <= line < b for a, b in fences)
            if (
                hidden
                or (owned and owned.start <= line < owned.end)
                or ledger.stem.encode() in (data[line : name.start()])
            ):
                continue
            yield from _prose(ledger, shown, line, end)


def _prose(ledger: Ledger, shown: bytes, line: int, end: int) -> Iterator[Claim]:
    for phrase in _PHRASE.finditer(shown, line, end):
        words = _text(phrase[2])
        if ledger_named(words) in (None, ledger) and not _A_FEW.search(
            shown[line : phrase.start()]
        ):
            value = _integer(phrase[1])
            yield Claim("navigation", ledger, count_named(words), value, line, _text(phrase[0]))


def _text(raw: bytes) -> str:
    return " ".join(raw.decode("utf-8", "replace").split())


def _integer(digits: bytes) -> int:
    return int(digits.replace(b",", b""))

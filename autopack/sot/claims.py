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

_NUMBER = rb"(?<![\w.,-])(\d[\d,]*)(?![\w.]*\d|-\d)"
_PHRASE = re.compile(_NUMBER + rb"([^\d|;(),\n]*)")
_TOTAL = re.compile(rb"^[ \t]*(Total_\w+)[ \t]*:[ \t]*([^\r\n]*)", re.M)
_SUMMARY = re.compile(rb"^\*\*Summary\*\*:[ \t]*([^|\r\n]*)[^\r\n]*", re.M)
_BULLET = re.compile(rb"^[-*+][ \t]+\*\*([^*\r\n]+?):?\*\*:?[ \t]*([^\r\n]*)", re.M)
_PROSE = re.compile(
    _NUMBER + rb"[ \t]+(unique[ \t]+(?:dotted[ \t]+)?(?:builds?|decisions?|debug[ \t]+sessions?)"
    rb"(?:[ \t]+ids?\b)?|(?:build|decision|debug)[ \t]+entr(?:y|ies)"
    rb"|builds?|decisions?|debug(?:ging)?[ \t]+sessions?)\b",
    re.I,
)
_A_FEW = re.compile(rb"\b(?:last|latest|past|next|first|top|newest|recent|most)[ \t]+\Z", re.I)
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
        if name in low:
            return name
    if re.search(r"\bunique\b", low):
        return "unique_ids" if re.search(r"\bids?\b|\bdotted\b", low) else "unique_base"
    if re.search(r"\b(?:entry|entries|rows?)\b", low):
        return "index_entries"
    return "sections" if re.search(r"\bsections?\b", low) else None


def ledger_named(words: str) -> Ledger | None:
    """Return the ledger whose entries these words are about."""
    return next((ledger for ledger in COUNTED if _NOUNS[ledger.prefix].search(words)), None)


def meta_claims(data: bytes, block: Block) -> Iterator[Claim]:
    """Yield the totals of a META block; a total that says no more counts the INDEX entries."""
    by_key = {ledger.total_key: ledger for ledger in COUNTED}
    for match in _TOTAL.finditer(data, block.start, block.end):
        ledger = by_key.get(match[1].decode())
        if ledger is not None:
            number = re.match(rb"(\d[\d,]*)(?![\w.])", match[2])
            words = _text(match[2])
            value = _integer(number[1]) if number else words
            end = match.start(2) + (number.end() if number else len(match[2].rstrip()))
            count = count_named(words) or "index_entries"
            span = (match.start(2), end)
            yield Claim("meta", ledger, count, value, match.start(), _text(match[0]), span)


def summary_lines(data: bytes, start: int, end: int) -> list[re.Match[bytes]]:
    """Return the **Summary** lines between two offsets."""
    return list(_SUMMARY.finditer(data, start, end))


def summary_claims(data: bytes, ledger: Ledger, start: int, end: int) -> Iterator[Claim]:
    """Yield the numbers of the **Summary** lines between two offsets of a ledger."""
    for line in summary_lines(data, start, end):
        for phrase in _PHRASE.finditer(data, line.start(1), line.end(1)):
            count, value = count_named(_text(phrase[2])), _integer(phrase[1])
            yield Claim("summary", ledger, count, value, line.start(), _text(phrase[0]))


def claim_bullets(data: bytes, block: Block) -> list[re.Match[bytes]]:
    """Return the bullets of a block that are about a ledger: `- **Build entries**: 168`."""
    found = _BULLET.finditer(data, block.start, block.end)
    return [bullet for bullet in found if ledger_named(_text(bullet[1]))]


def readme_claims(data: bytes, block: Block) -> Iterator[Claim]:
    """Yield what the bullets of a README summary state."""
    for bullet in claim_bullets(data, block):
        ledger = ledger_named(_text(bullet[1]))
        assert ledger
        if re.match(r"latest\b", _text(bullet[1]), re.I):
            yield _latest(ledger, bullet)
        else:
            yield from _bullet_claims(ledger, data, bullet)


def _latest(ledger: Ledger, bullet: re.Match[bytes]) -> Claim:
    label, text = _text(bullet[1]), _text(bullet[2])
    own = re.search(rf"\b{ledger.prefix}-[\d.]*\d", text)
    shown = own[0] if own else text
    return Claim("readme", ledger, "latest", shown, bullet.start(), f"{label}: {shown}")


def _bullet_claims(ledger: Ledger, data: bytes, bullet: re.Match[bytes]) -> Iterator[Claim]:
    """Yield a bullet's numbers: the first is what the label says, others name their count."""
    label = _text(bullet[1])
    phrases = list(_PHRASE.finditer(data, bullet.start(2), bullet.end(2)))
    if not phrases:
        words = f"{label}: {_text(bullet[2])}"
        yield Claim("readme", ledger, count_named(label), _text(bullet[2]), bullet.start(), words)
    for n, phrase in enumerate(phrases):
        own = count_named(_text(phrase[2]))
        count = own or (count_named(label) if n == 0 else None)
        if n == 0 or own:
            words = f"{label}: {_text(phrase[0])}"
            yield Claim("readme", ledger, count, _integer(phrase[1]), bullet.start(), words)


def navigation_claims(data: bytes, owned: Block | None) -> Iterator[Claim]:
    """Yield counts in the prose of a navigation page, outside its summary block and its fences.

    A number of plain `builds` is a claim only on a line that names their ledger.
    """
    fences = closed_fences(data)
    for match in _PROSE.finditer(data):
        at = match.start()
        if (owned and owned.start <= at < owned.end) or any(a <= at < b for a, b in fences):
            continue
        ledger, count = ledger_named(_text(match[2])), count_named(_text(match[2]))
        line = data.rfind(b"\n", 0, at) + 1
        if ledger and (count or _counts_its_ledger(data, line, at, ledger)):
            value, words = _integer(match[1]), _text(match[0])
            yield Claim("navigation", ledger, count, value, line, words)


def _counts_its_ledger(data: bytes, line: int, at: int, ledger: Ledger) -> bool:
    whole = data[line : (data.find(b"\n", at) + 1) or len(data)]
    return ledger.stem.encode() in whole and not _A_FEW.search(data[line:at])


def _text(raw: bytes) -> str:
    return " ".join(raw.decode("utf-8", "replace").split())


def _integer(digits: bytes) -> int:
    return int(digits.replace(b",", b""))

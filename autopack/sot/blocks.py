"""Where a page's generator-owned blocks are: META, the in-file summary, the README summary.

A block's marker begins its line; up to three blanks, or a BOM, may stand before it. In a ledger
only the part before the first h2 counts; elsewhere text inside a code fence that ends is an
example, not a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from autopack.sot.segment import closed_fences

Place = Literal["meta", "summary", "readme"]
Problem = Literal["missing", "duplicated", "unclosed"]

_OPEN = rb"^(?:\xef\xbb\xbf)?[ \t]{0,3}<!--[ \t]*"
_MARKERS: dict[Place, tuple[re.Pattern[bytes], re.Pattern[bytes]]] = {
    "meta": (re.compile(_OPEN + rb"META\b", re.M), re.compile(rb"-->")),
    "summary": (
        re.compile(_OPEN + rb"AUTO-GENERATED SUMMARY\b[^\n]*?-->", re.M),
        re.compile(_OPEN + rb"END AUTO-GENERATED SUMMARY[ \t]*-->", re.M),
    ),
    "readme": (
        re.compile(_OPEN + rb"SOT_SUMMARY_START[ \t]*-->", re.M),
        re.compile(_OPEN + rb"SOT_SUMMARY_END[ \t]*-->", re.M),
    ),
}
MARKS: dict[Place, str] = {
    "meta": "<!-- META and -->",
    "summary": "<!-- AUTO-GENERATED SUMMARY --> and <!-- END AUTO-GENERATED SUMMARY -->",
    "readme": "<!-- SOT_SUMMARY_START --> and <!-- SOT_SUMMARY_END -->",
}
"""The marker lines of each block, as a person writes them to get one."""


@dataclass(frozen=True)
class Block:
    """One block: the opening marker's offset, and the bytes between the markers."""

    place: Place
    opened: int
    start: int
    end: int


@dataclass(frozen=True)
class Found:
    """The one block of its place, or the problem that leaves it without an owner."""

    block: Block | None
    problem: Problem | None = None
    offset: int | None = None


def find_block(place: Place, data: bytes, limit: int | None = None) -> Found:
    """Return the block of one place before the offset `limit`.

    Two blocks, or one whose end is missing, are a problem for a person: none of them is owned.
    """
    end = len(data) if limit is None else limit
    opening, closing = _MARKERS[place]
    opened = list(_outside_examples(opening, data, end))
    if not opened:
        return Found(None, "missing")
    if len(opened) > 1:
        return Found(None, "duplicated", opened[1].start())
    first = opened[0]
    closed = closing.search(data, first.end(), end)
    if closed is None:
        return Found(None, "unclosed", first.start())
    return Found(Block(place, first.start(), first.end(), closed.start()))


def _outside_examples(
    marker: re.Pattern[bytes], data: bytes, end: int
) -> Iterator[re.Match[bytes]]:
    found = list(marker.finditer(data, 0, end))
    fences = closed_fences(data[:end]) if found else []
    for match in found:
        if not any(start <= match.start() < stop for start, stop in fences):
            yield match

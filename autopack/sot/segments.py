"""A ledger cut into segments that join back to the exact bytes of the file."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import compress
from operator import sub


class Kind(IntEnum):
    """What a segment is. The values are stored; never renumber them."""

    PREAMBLE = 0
    TEXT = 1
    ROW = 2
    NON_ID_ROW = 3
    STRAY_ROW = 4
    SECTION = 5
    MEMBER = 6


ENTRY_KINDS = frozenset({Kind.ROW, Kind.STRAY_ROW, Kind.SECTION, Kind.MEMBER})
"""Kinds that are entries of a ledger; the others keep the bytes between them."""


@dataclass(frozen=True)
class Note:
    """An oddity of a ledger, named, at a byte offset."""

    code: str
    offset: int
    message: str
    severity: str = "info"


@dataclass
class Segments:
    """The segments of one file, column by column, so that a million of them stay small.

    Segment `i` is `data[starts[i]:starts[i] + lengths[i]]`; the segments tile the file.
    """

    data: bytes
    starts: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    kinds: bytearray = field(default_factory=bytearray)
    idents: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.kinds)

    def begin(self, start: int, kind: int, ident: str) -> None:
        """Begin a segment; the one before it ends there, and is replaced if it is empty."""
        if self.starts and self.starts[-1] == start:
            self.kinds[-1], self.idents[-1] = kind, ident
            return
        self.starts.append(start)
        self.kinds.append(kind)
        self.idents.append(ident)

    def close(self) -> Segments:
        """Fill in the lengths once every start is known."""
        ends = self.starts[1:]
        ends.append(len(self.data))
        self.lengths = array("Q", map(sub, ends, self.starts))
        return self

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return the offsets at which the segments `first:last` begin and end."""
        ends = self.starts[last] if last < len(self) else len(self.data)
        return (self.starts[first] if first < len(self) else len(self.data)), ends

    @property
    def preamble_end(self) -> int:
        """Where the part before the first h2 or entry ends: generated blocks stand in it.

        An h2 inside a code fence ends it too, so that an open fence cannot stretch it.
        """
        if not self.kinds or self.kinds[0] != Kind.PREAMBLE or self.data.startswith(b"## "):
            return 0
        return self.data.find(b"\n## ", 0, self.lengths[0]) + 1 or self.lengths[0]

    def content(self, i: int) -> bytes:
        """Return the exact bytes of segment `i`."""
        start = self.starts[i]
        return self.data[start : start + self.lengths[i]]

    def idents_of(self, kind: Kind) -> Iterator[str]:
        """Yield the ids of the segments of one kind, in file order."""
        mask = self.kinds.translate(bytes(k == kind for k in range(256)))
        return compress(self.idents, mask)

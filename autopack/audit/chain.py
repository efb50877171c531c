"""A chain of JSON lines, each naming the digest of the line before it: how one is written and read.

`prev` is the SHA-256 of the previous line's bytes without its newline, zeros for the first line.
A line that kill -9 or a full disk cut short stays as it is, on a line of its own; the next record
chains on from its bytes and says so with `after_torn_tail`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FIRST = "0" * 64
RESERVED = frozenset({"seq", "time", "prev", "after_torn_tail"})
"""Members that the chain itself writes."""
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=str)


@dataclass(frozen=True, order=True)
class Head:
    """A record's number, and the digest that pins the chain up to it."""

    seq: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.sha256}"


@dataclass(frozen=True)
class BadRecord:
    """A line that does not fit the chain: its line number, from 1, and why.

    `torn` is a write that was cut short; `tampered` is anything else. `seq` is the number of the
    record that should stand there.
    """

    line: int
    kind: Literal["torn", "tampered"]
    why: str
    seq: int


@dataclass(frozen=True)
class Chain:
    """What the bytes of a chain say; `heads` has the digest of each record by its number."""

    heads: Mapping[int, str]
    genesis: str | None
    tampered: BadRecord | None
    torn: BadRecord | None

    @property
    def bad(self) -> BadRecord | None:
        """The first tampered line, else the first torn one."""
        return self.tampered or self.torn

    @property
    def head(self) -> Head | None:
        """The record with the highest number."""
        return max((Head(seq, sha) for seq, sha in self.heads.items()), default=None)


def parse(line: bytes) -> dict[str, Any] | None:
    """Return a line's record, or None for what is no record of a chain."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    good = isinstance(record, dict) and type(record.get("seq")) is int
    return record if good and isinstance(record.get("prev"), str) else None


def encode(record: Mapping[str, Any]) -> bytes:
    """Return the one form in which a record is written, without the newline."""
    return _ENCODER.encode(record).encode()


def digest(line: bytes) -> str:
    """Return what the next record names a line by."""
    return hashlib.sha256(line).hexdigest()


def split(data: bytes) -> tuple[list[bytes], bool]:
    """Return the lines of a chain without their newlines, and whether the last one has its own."""
    lines = data.split(b"\n")
    ended = lines[-1] == b""
    return (lines[:-1] if ended else lines), ended


def read(data: bytes, after: Head | None = None, *, exact: bool = True) -> Chain:
    """Return what a chain says; every record's digest is there, also behind a bad line.

    `after` is what stood before the first line, for a part of a chain. `exact` says that each line
    is in the form that `encode` gives it.
    """
    walk = _Walk(*split(data), exact)
    if after:
        walk.seq, walk.prev = after.seq, after.sha256
    for number in range(1, len(walk.lines) + 1):
        walk.take(number)
    genesis = digest(walk.lines[0]) if walk.lines else None
    return Chain(walk.heads, genesis, walk.tampered, walk.torn)


@dataclass
class _Walk:
    """One pass over the lines; after the first tampered one only digests are taken."""

    lines: list[bytes]
    ended: bool
    exact: bool
    heads: dict[int, str] = field(default_factory=dict)
    tampered: BadRecord | None = None
    torn: BadRecord | None = None
    prev: str = FIRST
    seq: int = 0

    def take(self, number: int) -> None:
        line = self.lines[number - 1]
        record, sha = parse(line), digest(line)
        if self.tampered is None:
            self._judge(number, line, record)
        if record is not None:
            self.heads.setdefault(record["seq"], sha)
            self.seq = record["seq"]
        self.prev = sha

    def _judge(self, number: int, line: bytes, record: dict[str, Any] | None) -> None:
        last = number == len(self.lines)
        if record is None:
            if last or self._goes_on_after_torn(number):
                self._tear(number, "the write of this record was cut short")
            else:
                self._tamper(number, "bad JSON")
        elif record["prev"] != self.prev:
            self._tamper(number, "broken link: prev is not the line before")
        elif record["seq"] != self.seq + 1:
            self._tamper(number, f"record number {record['seq']} follows {self.seq}")
        elif self.exact and encode(record) != line:
            self._tamper(number, "the line is not written as records are")
        elif last and not self.ended:
            self._tear(number, "the line has no end")

    def _goes_on_after_torn(self, number: int) -> bool:
        follower = parse(self.lines[number])
        return bool(follower and follower.get("after_torn_tail") is True)

    def _tear(self, number: int, why: str) -> None:
        self.torn = self.torn or BadRecord(number, "torn", why, self.seq + 1)

    def _tamper(self, number: int, why: str) -> None:
        self.tampered = BadRecord(number, "tampered", why, self.seq + 1)


def records(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the readable records, oldest first, whether or not they fit together."""
    yield from filter(None, map(parse, split(data)[0]))

"""Search results: one per entry id, with the line where the entry stands now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Found:
    """One hit: score and what the index stores of its entry."""

    score: float
    payload: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """One result; `line` is None when the entry no longer stands in the file."""

    id: str
    title: str
    path: str
    line: int | None
    score: float

    def as_json(self) -> dict[str, Any]:
        """Return the result as the report gives it."""
        return asdict(self)

    @property
    def place(self) -> str:
        """The file and line, as editors take it."""
        return f"{self.path}:{self.line}" if self.line else self.path


def best_per_entry(hits: Iterable[Found], limit: int) -> list[Found]:
    """Return the best hit of each entry id, best first; an entry has a row and a section."""
    best: dict[str, Found] = {}
    for hit in sorted(hits, key=lambda hit: -hit.score):
        best.setdefault(str(hit.payload["entry_id"]), hit)
    return list(best.values())[:limit]


def result(hit: Found, data: bytes | None) -> Result:
    """Return a hit as a result, given its file's bytes as they are now."""
    payload = hit.payload
    line = None if data is None else line_of(data, payload["head"], payload["ordinal"])
    return Result(payload["entry_id"], payload["title"], payload["path"], line, hit.score)


def line_of(data: bytes, head: str, ordinal: int) -> int | None:
    """Return the 1-based line that begins with `head`; of several, the one with this ordinal."""
    mark, found = head.encode(), []
    at = data.find(mark)
    while at >= 0 and mark:
        if at == 0 or data[at - 1 : at].isspace() or data[at - 1 : at] in b"[{,":
            found.append(at)
        at = data.find(mark, at + 1)
    if not found:
        return None
    return data.count(b"\n", 0, found[min(ordinal, len(found)) - 1]) + 1

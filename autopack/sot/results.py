"""Search results: one per entry id, with the line where the entry stands now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from autopack.sot.entries import HEAD_BYTES


@dataclass(frozen=True)
class Hit:
    """One hit of a vector engine: a point, how well it fits, and what is stored of its entry."""

    id: str
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


def best_per_entry(hits: Iterable[Hit], limit: int) -> list[Hit]:
    """Return the best hit of each entry id, best first; an entry has a row and a section."""
    best: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda hit: -hit.score):
        best.setdefault(str(hit.payload["entry_id"]), hit)
    return list(best.values())[:limit]


def result(hit: Hit, data: bytes | None) -> Result:
    """Return a hit as a result, given its file's bytes as they are now."""
    payload = hit.payload
    line = None if data is None else _line(data, payload)
    return Result(payload["entry_id"], payload["title"], payload["path"], line, hit.score)


def _line(data: bytes, payload: dict[str, Any]) -> int | None:
    return line_of(data, payload["path"], payload["head"], payload["ordinal"])


def line_of(data: bytes, path: str, head: str, ordinal: int) -> int | None:
    """Return the 1-based line of an entry that begins with `head`.

    Of several, the one with this ordinal. In Markdown the head is the whole first line, or its
    first `HEAD_BYTES`; a JSON member may stand anywhere in a line.
    """
    mark, found = head.encode(), []
    at = data.find(mark)
    while at >= 0 and mark:
        if path.endswith(".json") or _is_line(data, at, mark):
            found.append(at)
        at = data.find(mark, at + 1)
    if not found:
        return None
    return data.count(b"\n", 0, found[min(ordinal, len(found)) - 1]) + 1


def _is_line(data: bytes, at: int, mark: bytes) -> bool:
    cut = len(mark) > HEAD_BYTES - 4  # a character at the cut may have been left out
    end = data[at + len(mark) : at + len(mark) + 1]
    return (at == 0 or data[at - 1] == 0x0A) and (cut or end in b"\r\n")

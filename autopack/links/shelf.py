"""Many pages in columns: what a judge asks first is there without taking one page apart.

A shelf is what reading leaves: a reader process sends one, the cache is one, and judging looks
through one. It is bytes and plain numbers, so a damaged one can at worst be unreadable.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import get_args

from autopack.links.model import CodeSpan, Kind, Link, Page
from autopack.links.target import Where

KINDS: tuple[Kind, ...] = get_args(Kind)
WHERES: tuple[Where, ...] = get_args(Where)
NONE = -1
"""No span, or no path that a target means below the root."""
ENCLOSED = ("", "<", '"', "'")
DIGEST = 16
"""Bytes of a page's digest."""
PER_PAGE = {
    "mtime": "q", "size": "q", "inode": "q", "ctime": "q", "exact": "b", "links": "I",
    "anchors": "I", "code": "I", "hidden": "I",
}  # fmt: skip
PER_LINK = {
    "kind": "b", "where": "b", "enclosed": "b", "fragment": "b", "line": "I", "start": "q",
    "end": "q", "raw": "i", "target": "i", "resolved": "i",
}  # fmt: skip
COLUMNS = {**PER_PAGE, **PER_LINK, "code_line": "I"}
TEXTS = ("names", "redirect", "strings", "anchor", "code_text", "hidden_path")


@dataclass(frozen=True, slots=True)
class Stat:
    """What tells without reading that a file is the one that was read; times in nanoseconds."""

    mtime: int = 0
    size: int = 0
    inode: int = 0
    ctime: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """One page as it was read: what it holds, of which bytes, and whether by the full parser."""

    page: Page
    digest: bytes
    stat: Stat = Stat()
    exact: bool = True


class Texts(Sequence[str]):
    """Texts one behind the other; each is cut out when it is asked for."""

    def __init__(self, whole: str, ends: Sequence[int]) -> None:
        self.whole, self.ends = whole, ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Return these texts in one piece."""
        parts = list(texts)
        return cls("".join(parts), array("I", accumulate(map(len, parts))))

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, at: int) -> str:  # type: ignore[override]
        return self.whole[self.ends[at - 1] if at else 0 : self.ends[at]]

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self.ends:
            yield self.whole[start:end]
            start = end

    def cut(self, first: int, last: int) -> list[str]:
        """Return the texts `first:last`."""
        return [self[at] for at in range(first, last)]


class Shelf:
    """Readings in columns, in order of their names.

    `code` keeps the code spans that look like paths, which is all that is ever asked of them.
    """

    def __init__(
        self, columns: dict[str, array[int]], texts: dict[str, Texts], digests: bytes
    ) -> None:
        self.columns, self.texts, self.digests = columns, texts, digests

    def __len__(self) -> int:
        return len(self.texts["names"])

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each page by its name."""
        return {name: row for row, name in enumerate(self.texts["names"])}

    @cached_property
    def starts(self) -> dict[str, list[int]]:
        """The first link, anchor, code span and hidden path of each row, and the end of all."""
        return {
            name: list(accumulate(self.columns[name], initial=0))
            for name in ("links", "anchors", "code", "hidden")
        }

    def stat(self, row: int) -> Stat:
        """Return what the file of a row was like when it was read."""
        return Stat(*(self.columns[name][row] for name in ("mtime", "size", "inode", "ctime")))

    def note(self, row: int, stat: Stat) -> None:
        """Change what the file of a row is like: its bytes are the same."""
        for name in ("mtime", "size", "inode", "ctime"):
            self.columns[name][row] = getattr(stat, name)

    def digest(self, row: int) -> bytes:
        """Return the digest of the bytes that were read."""
        return self.digests[row * DIGEST : (row + 1) * DIGEST]

    def exact(self, row: int) -> bool:
        """Return whether the full parser read it; otherwise the scanner was sure."""
        return bool(self.columns["exact"][row])

    def page(self, row: int) -> Page:
        """Return the page of a row."""
        first, last = self.starts["links"][row : row + 2]
        links = tuple(self.link(at) for at in range(first, last))
        return Page(
            self.texts["names"][row], links, self.anchors(row), self.code(row), self.redirect(row)
        )

    def anchors(self, row: int) -> frozenset[str]:
        """Return the fragments that lead into the page of a row."""
        return frozenset(self.texts["anchor"].cut(*self.starts["anchors"][row : row + 2]))

    def redirect(self, row: int) -> str:
        """Return where the page of a row leads if it is a redirect stub."""
        return self.texts["redirect"][row]

    def code(self, row: int) -> tuple[CodeSpan, ...]:
        """Return the code spans of a row that look like paths."""
        first, last = self.starts["code"][row : row + 2]
        texts, lines = self.texts["code_text"], self.columns["code_line"]
        return tuple(CodeSpan(texts[at], lines[at]) for at in range(first, last))

    def hidden(self, row: int) -> list[str]:
        """Return what the page's links may mean in folders that no tree has."""
        return self.texts["hidden_path"].cut(*self.starts["hidden"][row : row + 2])

    def link(self, at: int) -> Link:
        """Return one link by its place among all of them."""
        c, strings = self.columns, self.texts["strings"]
        start = c["start"][at]
        return Link(
            KINDS[c["kind"][at]], strings[c["raw"][at]], strings[c["target"][at]], c["line"][at],
            None if start == NONE else (start, c["end"][at]), ENCLOSED[c["enclosed"][at]],
        )  # fmt: skip

    def size(self, rows: Iterable[int]) -> tuple[int, int]:
        """Return how many links rows have, and how many of these name a fragment."""
        links = fragments = 0
        starts, fragment = self.starts["links"], self.columns["fragment"]
        for row in rows:
            first, last = starts[row], starts[row + 1]
            links += last - first
            fragments += sum(fragment[first:last])
        return links, fragments

    def to_bytes(self) -> bytes:
        """Return the shelf for a pipe or a file."""
        parts = [self.columns[name].tobytes() for name in COLUMNS] + [self.digests]
        for name in TEXTS:
            texts = self.texts[name]
            parts += [array("I", texts.ends).tobytes(), _encoded(texts.whole)]
        head = json.dumps([sys.byteorder, *map(len, parts)]).encode()
        return b"".join([len(head).to_bytes(4, "big"), head, *parts])


def shelf_from(data: bytes | memoryview) -> Shelf:
    """Return the shelf of these bytes.

    Raises:
        ValueError: They are no whole shelf of this machine's byte order.
    """
    view = memoryview(data)
    at = 4 + int.from_bytes(view[:4], "big")
    try:
        order, *lengths = json.loads(bytes(view[4:at]))
        wanted = len(COLUMNS) + 1 + 2 * len(TEXTS)
        if order != sys.byteorder or len(lengths) != wanted or at + sum(lengths) != len(view):
            raise ValueError("not the length of a shelf")
        ends = list(accumulate(lengths, initial=at))
        parts = [view[a:b] for a, b in pairwise(ends)]
        columns = {
            n: _array(code, part) for (n, code), part in zip(COLUMNS.items(), parts, strict=False)
        }
        rest = parts[len(COLUMNS) :]
        texts = {
            name: Texts(_decoded(rest[2 * n + 2]), _array("I", rest[2 * n + 1]))
            for n, name in enumerate(TEXTS)
        }
    except (TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no shelf: {error}") from None
    return Shelf(columns, texts, bytes(rest[0]))


def _array(code: str, data: memoryview) -> array[int]:
    made = array(code)
    made.frombytes(data)
    return made


def _encoded(text: str) -> bytes:
    """Return text in UTF-8; bytes that were no UTF-8 are lone surrogates in it."""
    return text.encode("utf-8", "surrogatepass")


def _decoded(data: memoryview) -> str:
    return str(data, "utf-8", "surrogatepass")

"""Where a piece of what the Markdown parser saw stands in the file: line, and bytes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

_BREAK = re.compile(r"\r\n?|\n")
_FRONT = re.compile(r"---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_BEHIND = re.compile(r"\s*#*\s*")
BOM = "\ufeff"


@dataclass(frozen=True)
class Source:
    """A file's text by lines.

    Bytes that are no UTF-8 are kept as lone surrogates, so that every offset leads back.
    """

    data: bytes
    lines: tuple[str, ...] = field(init=False)
    starts: tuple[int, ...] = field(init=False)
    _asked: dict[int, tuple[int, int]] = field(init=False, default_factory=dict, repr=False)
    """For each line the column that was asked for last, and the bytes before it."""

    def __post_init__(self) -> None:
        text = self.data.decode("utf-8", "surrogateescape")
        at, lines, starts = 0, [], []
        for part in _pieces(text):
            lines.append(part.rstrip("\r\n"))
            starts.append(at)
            at += len(_encoded(part))
        object.__setattr__(self, "lines", tuple(lines))
        object.__setattr__(self, "starts", tuple(starts))

    @cached_property
    def markdown(self) -> str:
        """What GitHub reads as Markdown: front matter is blank, its line ends stay."""
        text = "\n".join(self.lines).removeprefix(BOM)
        front = _FRONT.match(text)
        return "\n" * front[0].count("\n") + text[front.end() :] if front else text

    def offset(self, line: int, column: int) -> int:
        """Return the byte at which a column (in characters) of a line, from 0, begins."""
        text = self.lines[line]
        if text.isascii():
            return self.starts[line] + min(column, len(text))
        # Links come in order: each character of a long line is looked at once, not once a link.
        known, size = self._asked.get(line, (0, 0))
        if column < known:
            known, size = 0, 0
        size += len(_encoded(text[known:column]))
        self._asked[line] = (max(column, 0), size)
        return self.starts[line] + size

    def text(self, start: int, end: int) -> str:
        """Return the text of some bytes, as the parser sees it."""
        return seen(self.data[start:end].decode("utf-8", "surrogateescape"))


def seen(text: str) -> str:
    """Return text as CommonMark has it read: NUL is the replacement character."""
    return text.replace("\0", "\ufffd")


def _pieces(text: str) -> list[str]:
    """Return the lines with their ends; only CR and LF end a line in CommonMark."""
    ends = [0, *(found.end() for found in _BREAK.finditer(text))]
    return [text[a:b] for a, b in zip(ends, [*ends[1:], len(text)], strict=True)]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Cut:
    """The content of one block as the parser cut it out, and where its lines stand.

    `columns` has, for every line of the content, the column of its first character in the file,
    or None where that cannot be told. In a table cell `|` was written `\\|`.
    """

    source: Source
    content: str
    first: int
    columns: Sequence[int | None]
    cell: bool = False

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer("\n", self.content))]

    def line(self, at: int) -> int:
        """Return the line, from 0, of an offset of the content."""
        return self.first + bisect_right(self._starts, at) - 1

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the bytes that a part of the content came from."""
        low, high = self._byte(start), self._byte(end)
        if low is None or high is None:
            return None
        wanted = self.content[start:end].replace("|", "\\|" if self.cell else "|")
        return (low, high) if self.source.text(low, high) == wanted else None

    def _byte(self, at: int) -> int | None:
        n = bisect_right(self._starts, at) - 1
        column = self.columns[n] if n < len(self.columns) else None
        if column is None:
            return None
        pipes = self.content.count("|", 0, at) if self.cell else 0
        return self.source.offset(self.first + n, column + at - self._starts[n] + pipes)


def cut_lines(source: Source, content: str, first: int) -> Cut:
    """Return the cut of a block whose every line is the end of a line of the file."""
    columns = []
    for n, line in enumerate(content.split("\n")):
        there = seen(source.lines[first + n]) if first + n < len(source.lines) else ""
        columns.append(_column(there, line))
    return Cut(source, content, first, columns)


def _column(there: str, line: str) -> int | None:
    """Return where a content line begins in its line of the file; tabs may have become spaces."""
    bare = line.lstrip()
    at = there.rfind(bare)
    if at < 0 or not _BEHIND.fullmatch(there, at + len(bare)):
        return None
    return at - (len(line) - len(bare))


def cut_cell(source: Source, content: str, line: int, behind: int) -> tuple[Cut, int]:
    """Return the cut of a table cell that stands behind a column, and the column behind it."""
    written = content.replace("|", "\\|")
    at = seen(source.lines[line]).find(written, behind) if line < len(source.lines) else -1
    cut = Cut(source, content, line, [at if at >= 0 else None], cell=True)
    return cut, at + len(written) if at >= 0 else behind

"""Cut a ledger's bytes into segments; nothing is lost, whatever the file looks like.

The rules come from real ledgers: an entry heading is `##` or `###`, a blank and the ledger's own
prefix at column 0, also inside an open code fence (an orphan fence must not swallow an entry);
an h1 is never an entry. Lines end at LF only, so a form feed or a lone CR cuts nothing.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from functools import cache

from autopack.sot.ids import ID_NUMBER, slug
from autopack.sot.json_members import segment_json
from autopack.sot.ledgers import Ledger
from autopack.sot.segments import Kind, Note, Segments

_FENCE = re.compile(rb"(?:\A|\n) {0,3}(`{3,}|~{3,})([^\n]*)")
_BAR = re.compile(rb" {0,3}\|")
_DELIMITER = re.compile(rb" {0,3}\|(?=[^\n]*-)[ \t:|-]*\r?\n?")
_PIPE = re.compile(rb"(?<!\\)\|")
_INDEX_TITLE = re.compile(rb"INDEX\b", re.I)


def segment(ledger: Ledger, data: bytes) -> Segments:
    """Return the segments of one ledger file."""
    if ledger.suffix == ".json":
        return segment_json(data)
    if not ledger.prefix:
        return _segment_headings(data)
    return _Cutter(ledger, data).run()


def cells_of(row: bytes) -> list[bytes]:
    """Split a table row at its pipes; an escaped one stays inside its cell (GFM, Tables)."""
    return _PIPE.split(row) if b"\\|" in row else row.split(b"|")


def closed_fences(data: bytes) -> list[tuple[int, int]]:
    """Return where the code fences that end begin and end; one that never ends is no example."""
    spans = []
    fences = Fences(data)
    for match in _FENCE.finditer(data):
        opened = fences.opened
        fences.step(match)
        if opened is not None and fences.opened is None:
            spans.append((opened, match.end()))
    return spans


class Fences:
    """Follows code fences forward through a file, so that no byte is looked at twice.

    A fence closes with the same character, at least as many, and nothing behind
    (CommonMark 0.31, 4.5 Fenced code blocks).
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.start = self.at = 0
        self.mark: bytes | None = None
        self.opened: int | None = None

    def open_at(self, start: int, end: int) -> int | None:
        """Return the offset of the fence that is open at `end`, looking from `start`."""
        if start != self.start:
            self.start = self.at = start
            self.mark = self.opened = None
        if self.data.find(b"```", self.at, end) >= 0 or self.data.find(b"~~~", self.at, end) >= 0:
            for match in _FENCE.finditer(self.data, self.at, end):
                self.step(match)
        self.at = max(self.at, end - 1)  # the newline in front of the next line belongs to it
        return self.opened

    def step(self, match: re.Match[bytes]) -> None:
        """Take one fence line into account."""
        mark, info = match[1], match[2]
        if self.mark is None:
            if mark[:1] != b"`" or b"`" not in info:
                self.mark, self.opened = mark, match.start(1)
        elif mark[0] == self.mark[0] and len(mark) >= len(self.mark) and not info.strip():
            self.mark = self.opened = None


def _has(data: bytes, mark: bytes) -> bool:
    """Tell whether a fence mark occurs; looking for one character first is far faster."""
    return mark in data and mark * 3 in data


@cache
def _landmarks(prefix: str) -> re.Pattern[bytes]:
    """Match what can begin a segment: a heading up to h3, or a row that looks like INDEX."""
    own = prefix.encode() + ID_NUMBER
    heading = rb"(#{1,3})[ \t]+(?:(" + own + rb")|([^\n]*))"
    return re.compile(rb"\n(?:" + heading + rb"|" + _row_shape(prefix).pattern + rb")")


@cache
def _row_shape(prefix: str) -> re.Pattern[bytes]:
    """Match the date and the id of a row that looks like INDEX."""
    own = prefix.encode() + ID_NUMBER
    return re.compile(rb"\|[ \t]*\d{4}-\d\d-\d\d[^|\n]*\|[ \t]*(" + own + rb")[ \t]*\|")


def _segment_headings(data: bytes) -> Segments:
    """Cut a ledger without ids (changelog, plan) at every h2 and h3 outside code."""
    out = Segments(data)
    out.begin(0, Kind.PREAMBLE, "")
    fences, fenced_from = Fences(data), 0
    for match in re.finditer(rb"(?:\A(?:\xef\xbb\xbf)?|\n)(#{2,3})[ \t]+([^\n]*)", data):
        start = 0 if match[0].startswith(BOM_UTF8) else match.start(1)
        if fences.open_at(fenced_from, start) is not None:
            continue
        fenced_from = start
        out.begin(start, Kind.SECTION, _heading_slug(match[2]))
    return out.close()


def _unnamed_scaffolding(out: Segments) -> Segments:
    """Take the slug from headings with nothing but a table's head below: nobody looks for them."""
    i = out.kinds.find(Kind.TEXT)
    while i >= 0:
        lines = out.content(i).split(b"\n")[1:]
        if all(line.strip() in {b"", b"---"} or line.startswith(b"|") for line in lines):
            out.idents[i] = ""
        i = out.kinds.find(Kind.TEXT, i + 1)
    return out


def _heading_slug(text: bytes) -> str:
    return slug(text.decode("utf-8", "replace")) or "untitled"


class _Cutter:
    """One pass over a ledger whose entries carry ids."""

    def __init__(self, ledger: Ledger, data: bytes) -> None:
        self.ledger = ledger
        self.data = data
        self.out = Segments(data)
        self.level = 0  # of the heading whose section is open; 0 before the first
        self.in_index = False
        self.index_from = 0
        self.fenced = _has(data, b"`") or _has(data, b"~")
        self.fences = Fences(data)
        self.counted = (0, 1)  # an offset and its line
        self.block_end = 0  # of the run of `|` lines looked at last
        self.block_is_table = False

    def run(self) -> Segments:
        """Walk the landmarks in file order."""
        self.out.begin(0, Kind.PREAMBLE, "")
        pattern = _landmarks(self.ledger.prefix)
        # A landmark follows a newline, so the one that may open the file is matched behind one.
        if first := pattern.match(b"\n" + self.data[:4096].removeprefix(BOM_UTF8)):
            self._landmark(first, 0)
        starts, kinds, idents = self.out.starts, self.out.kinds, self.out.idents
        for match in pattern.finditer(self.data):
            # Nearly every landmark of a large ledger is a plain entry: keep its path short.
            start = match.start() + 1
            level = match.end(1) - start
            if match.lastindex != 2 or level < 2 or self.in_index or self.fenced:
                self._landmark(match, start)
            elif starts[-1] == start:
                self._entry(start, level, match[2])
            else:
                starts.append(start)
                kinds.append(Kind.SECTION)
                idents.append(match[2].decode())
                self.level = level
        self._close_index(len(self.data))
        return _unnamed_scaffolding(self.out.close())

    def _landmark(self, match: re.Match[bytes], start: int) -> None:
        marks, own, text, row = match.groups()
        if own is not None and len(marks) > 1:
            self._entry(start, len(marks), own)
        elif row is None:
            self._heading(start, len(marks), text or own or b"")
        elif not self.in_index:
            self._stray(start, row)

    def _entry(self, start: int, level: int, own: bytes) -> None:
        if self.in_index:
            self._close_index(start)
        ident = own.decode()
        fence = self._fence(start)
        if fence is not None:
            line = self._line(fence)
            message = f"{ident} starts inside the code fence opened on line {line}"
            self.out.notes.append(Note("fence_recovered", start, message))
        self.out.begin(start, Kind.SECTION, ident)
        self.level = level

    def _line(self, fence: int) -> int:
        """Return the line of a fence; each begins behind the one before, so counting goes on."""
        at, line = self.counted
        self.counted = fence, line + self.data.count(b"\n", at, fence)
        return self.counted[1]

    def _heading(self, start: int, level: int, text: bytes) -> None:
        """An h1-h3 without an own id closes a section of its own level or deeper."""
        if level > (self.level or 2) or (level == 1 and not self.level):
            return  # the file's title belongs to the preamble
        if not self.in_index and self._fence(start) is not None:
            return
        self._close_index(start)
        foreign = re.match(rb"([A-Z]{2,})-\d+", text)
        if foreign and level > 1:
            shown = text.decode("utf-8", "replace").strip()[:80]
            message = f"heading with a foreign id is no entry of this ledger: {shown}"
            self.out.notes.append(Note("foreign_heading", start, message))
        self.out.begin(start, Kind.TEXT, _heading_slug(text))
        self.level = level
        if level == 2 and _INDEX_TITLE.match(text):
            self.in_index, self.index_from = True, self.data.find(b"\n", start) + 1 or start

    def _fence(self, start: int) -> int | None:
        return self.fences.open_at(self.out.starts[-1], start) if self.fenced else None

    def _stray(self, start: int, ident: bytes) -> None:
        if self._inside_table(start) or self._fence(start) is not None:
            return
        self._begin_stray(start, ident.decode())
        end = self.data.find(b"\n", start) + 1
        if 0 < end < len(self.data):
            self.out.begin(end, Kind.TEXT, "")

    def _inside_table(self, start: int) -> bool:
        """Tell whether a delimiter row stands in the `|` lines above: then the row is content."""
        begin = start
        if begin > self.block_end:
            self.block_is_table = False
            while begin > 0 and not self.block_is_table:
                previous = self.data.rfind(b"\n", 0, begin - 1) + 1
                if self.data[previous : previous + 1] != b"|":
                    break
                self.block_is_table = bool(_DELIMITER.fullmatch(self.data, previous, begin))
                begin = previous
            self.block_end = self._end_of_block(start)
        return self.block_is_table

    def _end_of_block(self, start: int) -> int:
        at = start
        while self.data[at : at + 1] == b"|":
            at = self.data.find(b"\n", at) + 1 or len(self.data)
        return at

    def _close_index(self, end: int) -> None:
        """Cut the rows of the INDEX section that ends at `end`."""
        if not self.in_index:
            return
        self.in_index = False
        seen_delimiter = False
        at = self.index_from
        while at < end:
            after = self.data.find(b"\n", at, end) + 1 or end
            if self.data[at] != 0x7C and not _BAR.match(self.data, at, after):
                seen_delimiter = False
                self._text(at)
            elif _DELIMITER.fullmatch(self.data, at, after):
                seen_delimiter = True
                self._text(at)
            elif seen_delimiter:
                self._row(at, after)
            else:
                self._behind_table(at, after)
            at = after

    def _text(self, at: int) -> None:
        """Let text between rows be a segment of its own; the INDEX heading keeps what follows."""
        if self.out.kinds[-1] != Kind.TEXT:
            self.out.begin(at, Kind.TEXT, "")

    def _behind_table(self, at: int, after: int) -> None:
        """A blank line or a comment ends a table: what looks like its row is a stray one."""
        row = _row_shape(self.ledger.prefix).match(self.data, at, after)
        fenced = self.fenced and self.fences.open_at(self.index_from, at) is not None
        if row is None or fenced:
            self._text(at)
        else:
            self._begin_stray(at, row[1].decode())

    def _begin_stray(self, start: int, ident: str) -> None:
        self.out.begin(start, Kind.STRAY_ROW, ident)
        message = f"row of {ident} outside the INDEX table"
        self.out.notes.append(Note("stray_row", start, message))

    def _row(self, start: int, end: int) -> None:
        cells = cells_of(self.data[start:end])
        cell = cells[2].strip() if len(cells) > 2 else b""
        own = re.fullmatch(self.ledger.prefix.encode() + ID_NUMBER, cell)
        ident = cell.decode("utf-8", "replace")[:120]
        self.out.begin(start, Kind.ROW if own else Kind.NON_ID_ROW, ident.replace("\0", ""))
        if not own:
            message = f"the id cell of this INDEX row holds no {self.ledger.prefix} id: {ident!r}"
            self.out.notes.append(Note("non_id_row", start, message))
        surplus = len(cells) - 2 - len(self.ledger.columns)
        if surplus > 0:
            message = f"{surplus} raw | inside the cells of {ident}: renderers drop text"
            self.out.notes.append(Note("overflow_cells", start, message))

"""Put pages on a shelf: as they were read, or from other shelves."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator

from autopack.links.code_paths import looks_like_a_path
from autopack.links.model import Link
from autopack.links.resolve import hidden_paths
from autopack.links.shelf import (
    COLUMNS,
    DIGEST,
    ENCLOSED,
    KINDS,
    NONE,
    PER_LINK,
    PER_PAGE,
    TEXTS,
    WHERES,
    Reading,
    Shelf,
    Texts,
)
from autopack.links.target import join, take_apart
from autopack.links.tree import SKIPPED

_SKIPPED = re.compile("|".join(map(re.escape, sorted(SKIPPED))))


def shelf_of(readings: Iterable[Reading]) -> Shelf:
    """Return readings as a shelf, in the order given."""
    filling = _Filling()
    for reading in readings:
        filling.add(reading)
    return filling.shelf()


class _Filling:
    """A shelf on its way."""

    def __init__(self) -> None:
        self.columns = {name: array(code) for name, code in COLUMNS.items()}
        self.texts: dict[str, list[str]] = {name: [] for name in TEXTS}
        self.digests: list[bytes] = []
        self.numbers: dict[str, int] = {}

    def add(self, reading: Reading) -> None:
        page, stat = reading.page, reading.stat
        for link in page.links:
            self._link(page.path, link)
        code = [span for span in page.code if _is_path(span.text)]
        hidden = sorted(hidden_paths(page)) if any(map(_may_hide, page.links)) else []
        self._row(
            mtime=stat.mtime, size=stat.size, inode=stat.inode, ctime=stat.ctime,
            exact=reading.exact, links=len(page.links), anchors=len(page.anchors),
            code=len(code), hidden=len(hidden),
        )  # fmt: skip
        self.columns["code_line"].extend(span.line for span in code)
        self.texts["names"].append(page.path)
        self.texts["redirect"].append(page.redirect)
        self.texts["anchor"] += sorted(page.anchors)
        self.texts["code_text"] += [span.text for span in code]
        self.texts["hidden_path"] += hidden
        self.digests.append(reading.digest)

    def _link(self, name: str, link: Link) -> None:
        target = take_apart(link.target)
        resolved, out = join(name, target.path) if target.where == "path" else ("", 1)
        start, end = link.span or (NONE, NONE)
        self._row(
            kind=KINDS.index(link.kind), where=WHERES.index(target.where),
            enclosed=ENCLOSED.index(link.enclosed), fragment=bool(target.fragment),
            line=link.line, start=start, end=end, raw=self._number(link.raw),
            target=self._number(link.target), resolved=NONE if out else self._number(resolved),
        )  # fmt: skip

    def _row(self, **values: int) -> None:
        for name, value in values.items():
            self.columns[name].append(value)

    def _number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))

    def shelf(self) -> Shelf:
        self.texts["strings"] = list(self.numbers)
        texts = {name: Texts.of(found) for name, found in self.texts.items()}
        return Shelf(self.columns, texts, b"".join(self.digests))


def gathered(picked: Iterable[tuple[Shelf, int]]) -> Shelf:
    """Return rows of several shelves as one, in the order given."""
    filling = _Gathering()
    runs: list[tuple[Shelf, int, int]] = []
    for shelf, row in picked:
        if runs and runs[-1][0] is shelf and runs[-1][2] == row:
            runs[-1] = (shelf, runs[-1][1], row + 1)
        else:
            runs.append((shelf, row, row + 1))
    for shelf, first, last in runs:
        filling.take(shelf, first, last)
    return filling.shelf()


class _Gathering(_Filling):
    """Columns that are copied in slices; only the numbers of texts become others."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, dict[int, int]] = {}

    def take(self, shelf: Shelf, first: int, last: int) -> None:
        """Add the rows `first:last` of a shelf."""
        for name in PER_PAGE:
            self.columns[name].extend(shelf.columns[name][first:last])
        for name in ("names", "redirect"):
            self.texts[name] += shelf.texts[name].cut(first, last)
        self.digests.append(shelf.digests[first * DIGEST : last * DIGEST])
        for counted, text in (
            ("anchors", "anchor"),
            ("code", "code_text"),
            ("hidden", "hidden_path"),
        ):
            a, b = shelf.starts[counted][first], shelf.starts[counted][last]
            self.texts[text] += shelf.texts[text].cut(a, b)
            if counted == "code":
                self.columns["code_line"].extend(shelf.columns["code_line"][a:b])
        a, b = shelf.starts["links"][first], shelf.starts["links"][last]
        for name in PER_LINK:
            found = shelf.columns[name][a:b]
            named = name in ("raw", "target", "resolved")
            self.columns[name].extend(self._renumbered(shelf, found) if named else found)

    def _renumbered(self, shelf: Shelf, numbers: Iterable[int]) -> Iterator[int]:
        known, strings = self.known.setdefault(id(shelf), {NONE: NONE}), shelf.texts["strings"]
        for number in numbers:
            if number not in known:
                known[number] = self._number(strings[number])
            yield known[number]


def _may_hide(link: Link) -> bool:
    """Return whether a link may lead into a folder that no tree has."""
    return "%" in link.target or _SKIPPED.search(link.target) is not None


def _is_path(code: str) -> bool:
    text = code.strip()
    return looks_like_a_path(text) and take_apart(text).where == "path"

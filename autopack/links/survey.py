"""Judge a shelf of pages: only links that may be told about are taken out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from autopack.links.code_paths import paths_in_code
from autopack.links.mend import unmendable
from autopack.links.model import Page
from autopack.links.resolve import Judge, outside, rendered
from autopack.links.shelf import NONE, WHERES, Shelf
from autopack.links.tree import Tree
from autopack.links.verdict import Verdict

_WEB, _HERE = (WHERES.index(where) for where in ("web", "here"))


class Told(NamedTuple):
    """What is said about a link or path in code, and its place: row, line, number in the shelf."""

    row: int
    line: int
    at: int
    verdict: Verdict


def _place(told: Told) -> tuple[int, int, int]:
    return told[:3]


def merged(some: Iterable[Told], others: Iterable[Told]) -> list[Told]:
    """Return both in the order of their pages."""
    return sorted((*some, *others), key=_place)


class Anchors(Mapping[str, Page]):
    """The pages of a shelf with their fragments alone, each taken out when it is asked for."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.known: dict[str, Page] = {}

    def __getitem__(self, name: str) -> Page:
        page = self.known.get(name)
        if page is None:
            row = self.shelf.rows[name]
            page = Page(name, (), self.shelf.anchors(row), (), self.shelf.redirect(row))
            self.known[name] = page
        return page

    def __iter__(self) -> Iterator[str]:
        return iter(self.shelf.rows)

    def __len__(self) -> int:
        return len(self.shelf)


class Pages(Mapping[str, Page]):
    """Pages of a shelf as a whole, each put together when it is asked for."""

    def __init__(self, shelf: Shelf, names: Sequence[str]) -> None:
        self.shelf, self.names = shelf, [name for name in names if name in shelf.rows]

    @cached_property
    def _there(self) -> frozenset[str]:
        return frozenset(self.names)

    def __getitem__(self, name: str) -> Page:
        if name not in self._there:
            raise KeyError(name)
        return self.shelf.page(self.shelf.rows[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class Survey:
    """What a shelf of pages says when it is held against a tree, with its redirect stubs."""

    def __init__(self, shelf: Shelf, tree: Tree, stubs: Mapping[str, str]) -> None:
        self.shelf, self.tree = shelf, tree
        self.judge = Judge(tree, Anchors(shelf), stubs)
        self._files: dict[int, str | None] = {}

    def fragment_files(self, rows: Iterable[int]) -> set[str]:
        """Return the Markdown files whose fragments the links of rows name."""
        columns, starts = self.shelf.columns, self.shelf.starts["links"]
        numbers = set()
        for row in rows:
            part = slice(starts[row], starts[row + 1])
            both = zip(columns["resolved"][part], columns["fragment"][part], strict=True)
            numbers |= {number for number, fragment in both if fragment and number != NONE}
        strings = self.shelf.texts["strings"]
        led = {strings[number] for number in numbers}
        return {file for path in led if path in self.tree and (file := rendered(self.tree, path))}

    def told(self, row: int, code: bool) -> list[Told]:
        """Return what is to be said about a page, by line; its paths in code only if asked for.

        Addresses on the web are left to `outside`: there are very many, and nothing to decide.
        """
        name = self.shelf.texts["names"][row]
        found: list[Told] = []
        for at in self._doubtful(row):
            link = self.shelf.link(at)
            if verdict := self.judge.judge(name, link):
                said = unmendable(verdict) if link.span is None else verdict
                found.append(Told(row, link.line, at, said))
        spans = self.shelf.code(row) if code else ()
        if spans:
            said_of = paths_in_code(self.tree, Page(name, (), frozenset(), spans))
            behind = self.shelf.starts["links"][row + 1]
            found += [Told(row, v.line or 0, n, v) for n, v in enumerate(said_of, behind)]
        return sorted(found, key=_place)

    def outside(self, row: int) -> list[Told]:
        """Return what is to be said about a page's addresses on the web, by line."""
        name, lines = self.shelf.texts["names"][row], self.shelf.columns["line"]
        found = (
            Told(row, lines[at], at, outside(name, self.shelf.link(at), "web"))
            for at in self.web(row)
        )
        return sorted(found, key=_place)

    def web(self, row: int) -> list[int]:
        """Return which links of a row are addresses on the web."""
        first, last = self.shelf.starts["links"][row : row + 2]
        part = self.shelf.columns["where"][first:last]
        return [at for at, where in enumerate(part, first) if where == _WEB]

    def _doubtful(self, row: int) -> list[int]:
        """Return the links of a row that may not simply work: all but pages that are there."""
        first, last = self.shelf.starts["links"][row : row + 2]
        c, gone = self.shelf.columns, self._gone | self._stubbed
        return [
            at
            for at, where, fragment, resolved in zip(
                range(first, last), c["where"][first:last], c["fragment"][first:last],
                c["resolved"][first:last], strict=True,
            )
            if (resolved in gone and where not in (_HERE, _WEB))
            or (fragment and not self._lands(row, at))
        ]  # fmt: skip

    def _lands(self, row: int, at: int) -> bool:
        """Return whether a link's fragment is surely one of a page; False is no answer."""
        columns, names = self.shelf.columns, self.shelf.texts["names"]
        fragment = self.shelf.texts["strings"][columns["target"][at]].partition("#")[2]
        if "%" in fragment or fragment.startswith("user-content-"):
            return False
        number = columns["resolved"][at]
        file = names[row] if number == NONE else self._file(number)
        page = self.judge.pages.get(file) if file is not None else None
        return page is not None and fragment in page.anchors

    def _file(self, number: int) -> str | None:
        """Return the Markdown file that is shown for a path, by the path's number."""
        if number not in self._files:
            path = self.shelf.texts["strings"][number]
            self._files[number] = rendered(self.tree, path) if path in self.tree else None
        return self._files[number]

    @cached_property
    def _gone(self) -> frozenset[int]:
        """The numbers of the paths that are not in the tree; what means no path is there too."""
        strings = self.shelf.texts["strings"]
        numbers = set(self.shelf.columns["resolved"]) - {NONE}
        return frozenset({n for n in numbers if strings[n] not in self.tree} | {NONE})

    @cached_property
    def _stubbed(self) -> frozenset[int]:
        """The numbers of the paths that lead to a redirect stub."""
        if not self.judge.stubs:
            return frozenset()
        numbers = set(self.shelf.columns["resolved"]) - {NONE}
        return frozenset(n for n in numbers if self._file(n) in self.judge.stubs)

"""The pages of a deep scan: taken from the cache, scanned or parsed, and kept for the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import Refused
from autopack.io import link_cache
from autopack.io.link_readers import digest, read_pages
from autopack.io.renames import history_key, read_history
from autopack.links.history import History
from autopack.links.shelf import Shelf, Stat
from autopack.links.shelving import gathered, shelf_of
from autopack.links.stubs import living
from autopack.links.survey import Anchors, Pages, Survey, Told, merged
from autopack.links.verdict import Verdict
from autopack.report import Finding

if TYPE_CHECKING:
    from tasks.links_session import Checking

Progress = Callable[[int, int], None]
"""Is told how many of how many bytes have been read."""


class Library:
    """What one deep scan knows of its pages.

    Every page that something is told about was read by the parser, and so was the page that a
    broken fragment leads to. What the scanner alone has read is silent, and it was sure of it.
    """

    def __init__(self, checking: Checking, progress: Progress) -> None:
        self.checking, self.progress = checking, progress
        self.told: dict[str, list[Told]] = {}
        self.kept: Path | None = None

    @property
    def root(self) -> Path:
        """The workspace."""
        return self.checking.root

    def read(self, names: list[str]) -> None:
        """Read the pages to check, and those whose fragments they name."""
        from autopack.io.tree import look_up

        checking = self.checking
        self.began = time.time_ns()
        self.cached = link_cache.load(self.root)
        self.picked: dict[str, tuple[Shelf, int]] = {}
        self.changed, self.told = self.cached is None, {}
        self._remembered: tuple[History | None, str] = (None, "")
        if self.cached:
            self._remembered = (self.cached.history, self.cached.history_key)
        self._want(names)
        self._set(names)
        hidden = {path for row in self._rows for path in self.shelf.hidden(row)}
        checking.tree = checking.tree.with_files(look_up(self.root, hidden))
        self._add(self._survey.fragment_files(self._rows), names)
        self._add(self._stubs(), names)

    def _add(self, wanted: set[str], names: list[str]) -> None:
        """Read more pages, to be led into by the pages to check."""
        if wanted - self.picked.keys():
            self._want(wanted)
            self._set(names)

    def _stubs(self) -> set[str]:
        """Learn which pages are redirect stubs; return the pages that they lead to."""
        leads = {name: self.shelf.redirect(row) for name, row in self.shelf.rows.items()}
        stubs = living({name: page for name, page in leads.items() if page}, self.checking.tree)
        self.checking.stubs = stubs
        return set(stubs.values()) - {""}

    def _set(self, names: Iterable[str]) -> None:
        self.shelf = self._shelved()
        checking = self.checking
        checking.sources = Pages(self.shelf, [name for name in names if name in self.picked])
        checking.pages = Anchors(self.shelf)
        self._rows = [self.shelf.rows[name] for name in checking.sources]

    def _shelved(self) -> Shelf:
        """Return the shelf of what was picked: the cache's own if that is exactly it."""
        cached = self.cached.shelf if self.cached else shelf_of(())
        whole = len(self.picked) == len(cached)
        if whole and all(shelf is cached for shelf, _ in self.picked.values()):
            return cached
        return gathered(self.picked[name] for name in sorted(self.picked))

    # --- reading ------------------------------------------------------------------------------

    def _want(self, names: Iterable[str]) -> None:
        """Pick pages from the cache, and read those that it does not know."""
        now = link_cache.stats(self.root, (name for name in names if name not in self.picked))
        self._read({n: stat for n, stat in now.items() if not self._known(n, stat)}, exact=False)

    def _known(self, name: str, stat: Stat) -> bool:
        """Return whether the cache knows a page: by what its file is like, or by its bytes."""
        cached = self.cached
        row = cached.shelf.rows.get(name) if cached else None
        if cached is None or row is None:
            return False
        if not cached.trusts(row, stat):
            data = self._read_bytes(name) if stat.size == cached.shelf.stat(row).size else None
            if data is None or digest(data) != cached.shelf.digest(row):
                return False
            cached.shelf.note(row, stat)
            self.changed = True
        self.picked[name] = (cached.shelf, row)
        return True

    def _read(self, wanted: dict[str, Stat], *, exact: bool) -> None:
        done, total = 0, sum(stat.size for stat in wanted.values())

        def more(size: int) -> None:
            nonlocal done
            done += size
            self.progress(done, total)

        deadline = self.checking.deadline
        for shelf in read_pages(self.root, wanted, deadline, exact=exact, progress=more):
            self.changed = True
            self.picked |= {name: (shelf, row) for name, row in shelf.rows.items()}

    def _read_bytes(self, name: str) -> bytes | None:
        from autopack.io.files import read_page

        return read_page(self.root, name)

    def bytes_of(self, name: str) -> bytes:
        """Return the bytes of a page that was read.

        Raises:
            Refused: It holds other bytes by now.
        """
        data = self._read_bytes(name)
        shelf, row = self.picked[name]
        if data is None or digest(data) != shelf.digest(row):
            raise Refused(
                f"{name} has changed since it was read; nothing was written to it",
                next_step="run the same command again",
            )
        return data

    # --- judging ------------------------------------------------------------------------------

    def confirm(self) -> None:
        """Read with the parser what the scanner read and something is told about, until all is."""
        open_ = list(self.checking.sources)
        while open_:
            survey = self._survey
            for name in open_:
                self.checking.deadline.check(f"judging {name}")
                deep = self.checking.wish.mode == "deep"
                self.told[name] = survey.told(self.shelf.rows[name], deep)
            doubted = self._doubted(open_)
            if not doubted:
                return
            for name in doubted:  # one that goes away meanwhile is left out
                self.picked.pop(name, None)
            self._read(link_cache.stats(self.root, doubted), exact=True)
            self._set(list(self.checking.sources))
            open_ = [name for name in self.checking.sources if self._again(name, doubted)]

    def _doubted(self, names: Iterable[str]) -> set[str]:
        """Return the pages that what is told rests on, and that only the scanner has read."""
        found, stubs = set(), self.checking.stubs
        for name in names:
            said = [told.verdict for told in self.told[name]]
            found |= {name} if said else set()
            found |= {v.resolved for v in said if v.category == "missing_anchor"}
            found |= {stubs[v.resolved] for v in said if v.resolved in stubs}
        rows = self.shelf.rows
        return {name for name in found if name in rows and not self.shelf.exact(rows[name])}

    def _again(self, name: str, doubted: set[str]) -> bool:
        return name in doubted or any(t.verdict.resolved in doubted for t in self.told[name])

    def verdicts(self) -> list[Verdict]:
        """Return what is to be said about the pages, in order, but for what leads to the web."""
        return [told.verdict for name in self.checking.sources for told in self.told[name]]

    def web(self) -> int:
        """Return how many links lead to the web."""
        survey = self._survey
        return sum(len(survey.web(row)) for row in self._rows)

    def first_web(self, count: int) -> Iterator[Verdict]:
        """Yield what is to be said about the first links that lead to the web."""
        return islice((told.verdict for told in self._outside()), count)

    def with_web(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Return verdicts, in the order that `verdicts` gave, with the web among them."""
        said = iter(verdicts)
        kept = (
            told._replace(verdict=next(said))
            for name in self.checking.sources
            for told in self.told[name]
        )
        return [told.verdict for told in merged(kept, self._outside())]

    def _outside(self) -> Iterator[Told]:
        survey = self._survey
        return (told for row in self._rows for told in survey.outside(row))

    @property
    def _survey(self) -> Survey:
        return Survey(self.shelf, self.checking.tree, self.checking.stubs)

    def size(self) -> tuple[int, int]:
        """Return how many links the pages have, and how many of these name a fragment."""
        return self.shelf.size(self._rows)

    def history(self) -> History:
        """Return what git remembers, without asking it again where nothing can have changed."""
        key = history_key(self.root, self.checking.deadline)
        known, named = self._remembered
        if known is not None and key is not None and key == named:
            return known
        history = read_history(self.root, self.checking.deadline)
        if key is not None and not history.skipped:
            self._remembered, self.changed = (history, key), True
        return history

    # --- the cache ----------------------------------------------------------------------------

    def keep(self) -> None:
        """Put what is known into the cache, if that is more than it holds."""
        if not self.changed:
            return
        try:
            made = link_cache.Cached(self.began, self._all(), *self._remembered)
            self.kept = link_cache.store(self.root, made)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            words = f"what was read could not be kept for the next scan: {why}"
            fix = "make the cache folder writable, or set AUTOPACK_CACHE_DIR"
            found = Finding("cache_not_written", "info", "", None, words, fix)
            self.checking.about_rules = [*self.checking.about_rules, found]

    def _all(self) -> Shelf:
        """Return the pages of this scan and those of others that are still there.

        A page whose file changed when another scan began is left out: from now on it would be
        judged by when this scan began, which did not look at it.
        """
        kept, cached = dict(self.picked), self.cached
        if cached:
            files, shelf = self.checking.tree.files, cached.shelf
            others = ((n, r) for n, r in shelf.rows.items() if n in files and n not in kept)
            kept |= {n: (shelf, r) for n, r in others if cached.trusts(r, shelf.stat(r))}
        if kept.keys() == self.shelf.rows.keys():
            return self.shelf
        return gathered(kept[name] for name in sorted(kept))

"""Pages: runs of segments with one digest, so that an edit of a large ledger costs its window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from autopack.sot.segments import Segments

PAGE = 64
"""Segments in a freshly cut page."""
PARSER = 3
"""Raised when the same bytes are cut, counted or diagnosed differently: stored pages are stale."""


@dataclass(frozen=True)
class Page:
    """A stored page: positions of its first and last segment, their count, bytes and digest."""

    pos: int
    last: int
    count: int
    size: int
    digest: bytes


@dataclass(frozen=True)
class Window:
    """What differs: new segments `first:last` stand where old pages `first_page:last_page` were."""

    first: int
    last: int
    first_page: int
    last_page: int

    @property
    def empty(self) -> bool:
        """True when nothing is new and nothing is gone."""
        return self.first == self.last and self.first_page == self.last_page


def page_digest(segments: Segments, first: int, count: int) -> bytes:
    """Return the digest of a run of segments: where it is cut, as what, its ids and its bytes.

    An id may come from above the run, as that of a list's elements does from the list's name.
    """
    last = first + count
    digest = sha256(b"%d:" % PARSER)
    digest.update(segments.kinds[first:last])
    digest.update(segments.lengths[first:last].tobytes())
    digest.update("\0".join(segments.idents[first:last]).encode())
    start = segments.starts[first]
    end = segments.starts[last - 1] + segments.lengths[last - 1]
    digest.update(memoryview(segments.data)[start:end])
    return digest.digest()


def cut_pages(segments: Segments, first: int, positions: Sequence[int]) -> list[Page]:
    """Cut the segments from `first`, which stand at `positions`, into pages."""
    pages = []
    for at in range(0, len(positions), PAGE):
        count = min(PAGE, len(positions) - at)
        begin = first + at
        size = sum(segments.lengths[begin : begin + count])
        pages.append(
            Page(
                positions[at],
                positions[at + count - 1],
                count,
                size,
                page_digest(segments, begin, count),
            )
        )
    return pages


def changed_window(segments: Segments, pages: list[Page]) -> Window:
    """Return what is left after the equal pages at both ends are set aside."""
    first, first_page = 0, 0
    while first_page < len(pages) and _same(segments, first, pages[first_page]):
        first += pages[first_page].count
        first_page += 1
    last, last_page = len(segments), len(pages)
    while last_page > first_page:
        begin = last - pages[last_page - 1].count
        if begin < first or not _same(segments, begin, pages[last_page - 1]):
            break
        last, last_page = begin, last_page - 1
    return Window(first, last, first_page, last_page)


def _same(segments: Segments, first: int, page: Page) -> bool:
    last = first + page.count
    if last > len(segments):
        return False
    size = segments.starts[last - 1] + segments.lengths[last - 1] - segments.starts[first]
    return size == page.size and page_digest(segments, first, page.count) == page.digest

"""The plan that turns what an index holds of one ledger into what the file says."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from autopack.sot.pages import Page, Window, cut_pages
from autopack.sot.segments import Kind, Segments

GAP = 1 << 32
"""Distance between the positions of neighbours in a fresh load."""
STEP = 1 << 16
"""Distance of an inserted segment from the one behind it: entries arrive at the top."""

SEARCHED_KINDS = frozenset(Kind) - {Kind.PREAMBLE}
"""Segments of these kinds that carry an id or slug are vector points."""


def points(segments: Segments) -> int:
    """Return how many segments are searched; only the preamble and separators have no id."""
    return len(segments.idents) - segments.idents.count("")


@dataclass(frozen=True)
class Row:
    """One segment as the index holds it."""

    pos: int
    kind: int
    ident: str
    digest: bytes
    size: int


@dataclass(frozen=True)
class FilePlan:
    """The writes that bring one file's rows in line.

    `load` counts rows that are streamed from the file instead of listed here, after the
    `cleared` ones, all that the index holds of the file, are gone.
    """

    window: Window
    insert: tuple[tuple[int, Row], ...] = ()
    update: tuple[tuple[int, Row], ...] = ()
    delete: tuple[Row, ...] = ()
    replaced: tuple[Row, ...] = ()
    pages: tuple[Page, ...] = ()
    stale_pages: tuple[int, ...] = ()
    load: int = 0
    cleared: int = 0
    touched: frozenset[str] = field(default_factory=frozenset)

    @property
    def inserted(self) -> int:
        """Rows to insert."""
        return self.load or len(self.insert)

    @property
    def deleted(self) -> int:
        """Rows to delete."""
        return self.cleared or len(self.delete)


def plan_load(segments: Segments | None, cleared: int = 0) -> FilePlan:
    """Return the plan that loads a whole file anew; None removes it."""
    count = len(segments) if segments is not None else 0
    return FilePlan(Window(0, count, 0, 0), load=count, cleared=cleared)


def plan_window(
    segments: Segments,
    window: Window,
    pages: Sequence[Page],
    old: Sequence[Row],
) -> FilePlan | None:
    """Return the plan for the changed window, or None when no position is free: then load anew.

    Args:
        segments: The whole file as it is now.
        window: Where it differs.
        pages: The stored pages.
        old: The stored rows of the window, by position.
    """
    new = [
        Row(0, segments.kinds[i], segments.idents[i], sha256(segments.content(i)).digest(),
            segments.lengths[i])
        for i in range(window.first, window.last)
    ]  # fmt: skip
    kept = _align(_keyed(old), _keyed(new))
    fixed = [old[kept[i]].pos if i in kept else None for i in range(len(new))]
    low = pages[window.first_page - 1].last if window.first_page else 0
    high = pages[window.last_page].pos if window.last_page < len(pages) else None
    positions = _positions(fixed, low, high)
    if positions is None:
        return None
    placed = [
        Row(pos, row.kind, row.ident, row.digest, row.size)
        for pos, row in zip(positions, new, strict=True)
    ]
    insert, update, replaced = [], [], []
    for i, row in enumerate(placed):
        if i not in kept:
            insert.append((window.first + i, row))
        elif old[kept[i]] != row:
            update.append((window.first + i, row))
            replaced.append(old[kept[i]])
    surviving = set(kept.values())
    delete = [row for i, row in enumerate(old) if i not in surviving]
    changed = [row for _, row in (*insert, *update)] + delete + replaced
    return FilePlan(
        window=window,
        insert=tuple(insert),
        update=tuple(update),
        delete=tuple(delete),
        replaced=tuple(replaced),
        pages=tuple(cut_pages(segments, window.first, positions)),
        stale_pages=tuple(page.pos for page in pages[window.first_page : window.last_page]),
        touched=frozenset(row.ident for row in changed if row.ident),
    )


def _keyed(rows: Iterable[Row]) -> list[Hashable]:
    """Name each row by kind, id and how often that pair has come before in the window."""
    seen: Counter[tuple[int, str]] = Counter()
    keys: list[Hashable] = []
    for row in rows:
        pair = (row.kind, row.ident)
        keys.append((pair, seen[pair]))
        seen[pair] += 1
    return keys


def _align(old: Sequence[Hashable], new: Sequence[Hashable]) -> dict[int, int]:
    """Map new indexes to old ones: equal keys, in the same order, as many as possible.

    The longest increasing subsequence of the old indexes, so the fewest rows move.
    """
    at = {key: i for i, key in enumerate(old)}
    pairs = [(i, at[key]) for i, key in enumerate(new) if key in at]
    tails: list[int] = []
    tail_pairs: list[int] = []
    back: list[int] = []
    for n, (_, position) in enumerate(pairs):
        slot = bisect_left(tails, position)
        tails[slot : slot + 1] = [position]
        tail_pairs[slot : slot + 1] = [n]
        back.append(tail_pairs[slot - 1] if slot else -1)
    kept: dict[int, int] = {}
    n = tail_pairs[-1] if tail_pairs else -1
    while n >= 0:
        kept[pairs[n][0]] = pairs[n][1]
        n = back[n]
    return kept


def _positions(fixed: Sequence[int | None], low: int, high: int | None) -> list[int] | None:
    """Give every segment a position between `low` and `high`, keeping the fixed ones.

    None when a gap is full.
    """
    out: list[int] = []
    i, floor = 0, low
    while i < len(fixed):
        run = i
        while run < len(fixed) and fixed[run] is None:
            run += 1
        ceiling = fixed[run] if run < len(fixed) else high
        placed = _spread(run - i, floor, ceiling)
        if placed is None:
            return None
        out += placed
        if run < len(fixed):
            out.append(fixed[run])  # type: ignore[arg-type]
            run += 1
        floor = out[-1] if out else floor
        i = run
    return out


def _spread(n: int, low: int, high: int | None) -> list[int] | None:
    """Return `n` positions strictly between `low` and `high`, close below `high`."""
    if high is None:
        return [low + GAP * (k + 1) for k in range(n)]
    step = min(STEP, (high - low) // (n + 1))
    return [high - step * (n - k) for k in range(n)] if step or not n else None

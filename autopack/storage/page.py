"""Pictures as tables, as text and as a page; names are shown so that a line holds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from autopack.render import cells, size
from autopack.report import Table
from autopack.storage.names import shown
from autopack.storage.picture import TOP, Picture
from autopack.storage.snapshot import NotSeen
from autopack.storage.uses import HEADS, Use

LINES = 8
"""The rows of a table that a terminal is shown."""
WHY = {
    "denied": "permission denied",
    "mount": "a mount point: another file system, or a bind mount",
    "filesystem": "another file system",
    "replaced": "another folder came to this name during the scan",
    "loop": "a folder that lies in itself",
    "failed": "could not be read",
}
BLIND = 500
"""As many of the places that were not seen are listed."""
ALLOCATED, APPARENT = "allocated", "apparent"


def tables(pictures: Sequence[Picture]) -> list[Table]:
    """Return what there is to see, most important first; tables without rows are left out."""
    made = (
        _categories(pictures), _growth(pictures), _folders(pictures), _files(pictures),
        _ages(pictures), _not_seen(pictures),
    )  # fmt: skip
    return [table for table in made if table.rows]


def text(pictures: Sequence[Picture], told: Sequence[Table]) -> str:
    """Return the pictures for a terminal: lines per root, then the first rows of each table."""
    blocks = ["\n".join(line for picture in pictures for line in headline(picture))]
    blocks += ["\n".join(aligned(_without_zeros(table))) for table in told]
    return "\n\n".join(blocks)


def headline(picture: Picture) -> Iterator[str]:
    """Yield what one root is in a few lines."""
    all_ = picture.totals
    part = ", not all of it was seen" if picture.partial else ""
    yield f"{shown(picture.root)}: {picture.label}{part}"
    yield (
        f"  {size(all_.allocated)} allocated, {size(all_.apparent)} apparent; "
        f"{counted(all_.files, 'file')}, {counted(all_.folders, 'folder')}, hard links counted once"
    )
    there = picture.entries
    if picture.growth and there and picture.since_ns is not None:
        yield (
            f"  since {moment(picture.since_ns)}: {signed(picture.growth.change)} allocated; "
            f"{there.new:,} entries are new, {there.gone:,} gone, {there.changed:,} changed"
        )
    yield from (f"  {shown(remark)}" for remark in picture.remarks)


def counted(number: int, noun: str) -> str:
    """Return a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def moment(ns: int) -> str:
    """Return a time in UTC, to the minute."""
    return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d %H:%M} UTC"


def day(ns: int) -> str:
    """Return a date in UTC; a time that no calendar has is shown as it is."""
    try:
        return f"{datetime.fromtimestamp(ns // 10**9, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return f"{ns // 10**9} s"


def signed(count: int) -> str:
    """Return bytes that were added or taken away."""
    return f"+{size(count)}" if count > 0 else size(count)


def place(pictures: Sequence[Picture], picture: Picture, path: str) -> str:
    """Return a path as it is shown: from its root, and with the root's name among several."""
    if len(pictures) == 1:
        return shown(path) or "."
    return shown(f"{picture.root.rstrip('/')}/{path}".rstrip("/") or "/")


def _files(pictures: Sequence[Picture]) -> Table:
    rows = [
        (place(pictures, p, one.path), one.allocated, one.size, one.names, day(one.mtime_ns))
        for p in pictures for one in p.files.shown
    ]  # fmt: skip
    rows = sorted(rows, key=lambda row: -row[1])[:TOP]
    return Table(
        "largest-files", "Largest files", ("file", ALLOCATED, APPARENT, "names", "modified"), rows,
        ALLOCATED, (ALLOCATED, APPARENT), sum(p.files.among for p in pictures),
    )  # fmt: skip


def _folders(pictures: Sequence[Picture]) -> Table:
    rows = [
        (place(pictures, p, one.path), one.allocated, one.size, one.entries)
        for p in pictures for one in p.folders.shown
    ]  # fmt: skip
    rows = sorted(rows, key=lambda row: -row[1])[:TOP]
    return Table(
        "largest-folders", "Largest folders", ("folder", ALLOCATED, APPARENT, "entries"), rows,
        ALLOCATED, (ALLOCATED, APPARENT), sum(p.folders.among for p in pictures),
    )  # fmt: skip


def _ages(pictures: Sequence[Picture]) -> Table:
    rows = [
        (
            same[0].bucket,
            sum(age.allocated for age in same),
            sum(age.size for age in same),
            sum(age.files for age in same),
        )
        for same in zip(*(p.ages for p in pictures), strict=True)
    ]
    return Table(
        "ages", "Age of the files, by their last modification",
        ("modified", ALLOCATED, APPARENT, "files"), rows, ALLOCATED, (ALLOCATED, APPARENT),
    )  # fmt: skip


def _growth(pictures: Sequence[Picture]) -> Table:
    rows = [
        (place(pictures, p, one.path), one.status, one.change, one.size_change, one.after,
         shown(one.mostly))
        for p in pictures if p.growth for one in p.growth.shown
    ]  # fmt: skip
    rows = sorted(rows, key=lambda row: (-abs(row[2]), -abs(row[3])))[:TOP]
    among = sum(p.growth.among for p in pictures if p.growth)
    return Table(
        "growth", "Growth since the last scan",
        ("folder", "what", "change", "apparent change", "now", "most of it"), rows,
        "change", ("change", "apparent change", "now"), among,
    )  # fmt: skip


def summed(pictures: Sequence[Picture]) -> list[Use]:
    """Return the categories over all roots, the heaviest first."""
    sums: dict[str, Use] = {}
    for use in (use for p in pictures for use in p.uses):
        sums[use.category] = sums.get(use.category, Use(use.category)).plus(use)
    return sorted(sums.values(), key=lambda use: (-use.allocated, use.category))


def _categories(pictures: Sequence[Picture]) -> Table:
    rows = [(use.category, *(getattr(use, head) for head in HEADS)) for use in summed(pictures)]
    return Table(
        "categories", "Categories of the policy",
        ("category", *HEADS), rows, sizes=HEADS,
    )  # fmt: skip


def _not_seen(pictures: Sequence[Picture]) -> Table:
    rows = [row for p in pictures for row in _blind(pictures, p)]
    return Table("not-seen", "Not seen", ("path", "why"), rows[:BLIND], among=len(rows))


def _blind(pictures: Sequence[Picture], p: Picture) -> Iterator[tuple[str, str]]:
    for one in sorted(p.not_seen, key=lambda one: (one.why, one.path)):
        yield place(pictures, p, one.path), _reason(p, one)
    count, first = p.links
    if count:
        some = ", ".join(shown(path) for path in first)
        more = ", …" if count > len(first) else ""
        links = "link that is" if count == 1 else "links that are"
        yield f"{some}{more}", f"{count:,} {links} counted and never followed"


def _reason(p: Picture, one: NotSeen) -> str:
    then = "; only one of the two scans saw this" if one.path in p.unlike else ""
    return f"{WHY[one.why]}{then}"


def _without_zeros(table: Table) -> Table:
    """Return a table without the rows that have no number but 0; a page has room for them."""
    rows = [row for row in table.rows if any(cell not in {0, ""} for cell in row[1:])]
    return replace(table, rows=rows) if table.key == "ages" else table


def aligned(table: Table, limit: int = LINES) -> Iterator[str]:
    """Yield a table as aligned lines under its title, numbers to the right."""
    yield table.title
    rows = [[str(cell) if isinstance(cell, str) else _number(cell) for cell in cells(table, row)]
            for row in table.rows[:limit]]  # fmt: skip
    if not rows:
        return
    words = [isinstance(cell, str) for cell in table.rows[0]]
    columns = list(zip(table.columns, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    for line in zip(*columns, strict=True):
        cells_ = [cell.ljust(width) if left else cell.rjust(width)
                  for cell, width, left in zip(line, widths, words, strict=True)]  # fmt: skip
        # The first column may be a long path, so that it comes last.
        yield f"  {'  '.join([*cells_[1:], line[0]])}".rstrip()
    among = max(len(table.rows), table.among or 0)
    if among > limit:
        yield f"  showing {len(rows)} of {among:,}"


def _number(cell: float) -> str:
    return f"{cell:,}"

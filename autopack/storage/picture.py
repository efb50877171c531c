"""What a person is shown of one root: everything that the page, the tables and the text say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopack.storage.ages import Age, ages
from autopack.storage.classify import Kind
from autopack.storage.delta import delta
from autopack.storage.growth import Growth, growth
from autopack.storage.largest import Largest, largest_files, largest_folders
from autopack.storage.snapshot import NotSeen, Snapshot, Totals, totals, with_tree_sizes
from autopack.storage.treemap import Node, treemap
from autopack.storage.uses import Judged, Use, uses, words

if TYPE_CHECKING:
    import polars as pl

TOP = 20
"""How many files and folders are shown; more is in the snapshot."""
NOT_FOLLOWED = (Kind.LINK, Kind.JUNCTION, Kind.OTHER_REPARSE)


@dataclass(frozen=True)
class Entries:
    """How many entries are new, gone, or others than they were."""

    new: int
    gone: int
    changed: int


@dataclass(frozen=True)
class Picture:
    """One root as it is shown. Bytes count a file with several names once.

    `links` are the entries that lead elsewhere and were not followed, and the first of them.
    `growth` and `since_ns` are None without an earlier scan; `unlike` are the paths that only one
    of the two scans could look into, so that what they seem to have grown by is none.
    """

    root: str
    label: str
    partial: bool
    started_ns: int
    totals: Totals
    files: Largest
    folders: Largest
    ages: tuple[Age, ...]
    nodes: tuple[Node, ...]
    uses: tuple[Use, ...]
    not_seen: tuple[NotSeen, ...]
    links: tuple[int, tuple[str, ...]]
    growth: Growth | None = None
    since_ns: int | None = None
    unlike: tuple[str, ...] = ()
    entries: Entries | None = None
    remarks: tuple[str, ...] = ()


def picture(snapshot: Snapshot, before: Snapshot | None, judged: Judged, now_ns: int) -> Picture:
    """Return the picture of a snapshot; `before` is the one that it is compared with."""
    sized = with_tree_sizes(snapshot.frame)
    grown = growth(with_tree_sizes(before.frame), sized, TOP) if before else None
    blind = {one.path for one in snapshot.not_seen}
    unlike = blind ^ {one.path for one in before.not_seen} if before else set()
    return Picture(
        snapshot.root.path,
        snapshot.label,
        snapshot.partial,
        snapshot.started_ns,
        totals(snapshot.frame),
        largest_files(sized, TOP),
        largest_folders(sized, TOP),
        ages(sized, now_ns),
        treemap(sized, words(sized, judged, snapshot.not_seen)),
        uses(sized, judged),
        tuple(sorted(snapshot.not_seen)),
        _links(snapshot.frame),
        grown,
        before.started_ns if before else None,
        tuple(sorted(unlike)),
        _entries(before.frame, snapshot.frame) if before else None,
        snapshot.remarks,
    )


def _entries(before: pl.DataFrame, after: pl.DataFrame) -> Entries:
    found = delta(before, after)
    return Entries(found.new.height, found.gone.height, found.changed.height)


def _links(frame: pl.DataFrame) -> tuple[int, tuple[str, ...]]:
    import polars as pl

    found = frame.filter(pl.col("kind").is_in([int(kind) for kind in NOT_FOLLOWED]))["path"]
    return found.len(), tuple(found.head(3))

"""What became of a tree between two snapshots: new, gone, changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

COMPARED = ("size", "mtime_ns", "ctime_ns", "ino", "dev", "mode")
"""What tells an entry from its former self; the times of last change catch edits that set the times
of modification back. An edit that changes none of these is invisible to any scan."""


@dataclass(frozen=True, eq=False)
class Delta:
    """Rows of the later frame that are new, of the earlier one that are gone, and the changed ones.

    `changed` has the later row's columns and `size_before`, `allocated_before`.
    """

    new: pl.DataFrame
    gone: pl.DataFrame
    changed: pl.DataFrame


def delta(before: pl.DataFrame, after: pl.DataFrame) -> Delta:
    """Return what differs between two frames of one root, each part in the order of paths."""
    import polars as pl

    pairs = (
        after.lazy().select("path", later=pl.int_range(pl.len(), dtype=pl.UInt32))
        .join(
            before.lazy().select("path", earlier=pl.int_range(pl.len(), dtype=pl.UInt32)),
            on="path", how="inner", maintain_order="left",
        )
        .select("earlier", "later").collect()
    )  # fmt: skip
    earlier, later = pairs["earlier"], pairs["later"]
    differs = pl.zeros(pairs.height, dtype=pl.Boolean, eager=True)
    for column in COMPARED:
        differs |= before[column].gather(earlier) != after[column].gather(later)
    old = before.select("size", "allocated")[earlier.filter(differs)]
    changed = after[later.filter(differs)]
    return Delta(
        _without(after, later),
        _without(before, earlier),
        changed.with_columns(old["size"].alias("size_before"),
                             old["allocated"].alias("allocated_before")),
    )  # fmt: skip


def _without(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    import polars as pl

    if rows.len() == frame.height:
        return frame.clear()
    left = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    return frame.filter(left.scatter(rows, False))

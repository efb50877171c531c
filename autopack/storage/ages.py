"""How old the bytes of a tree are: by the time a file was last modified, never by access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopack.storage.classify import Kind

if TYPE_CHECKING:
    import polars as pl

DAY_NS = 86_400 * 10**9
BUCKETS = (
    ("under 1 day", 1), ("under 1 week", 7), ("under 1 month", 30), ("under 3 months", 90),
    ("under 1 year", 365), ("under 2 years", 730),
)  # fmt: skip
"""The names of the buckets and the days at which the next one begins."""
OLDER, FUTURE = "2 years and more", "in the future"


@dataclass(frozen=True)
class Age:
    """The files of one bucket; bytes count a file with several names once."""

    bucket: str
    files: int
    size: int
    allocated: int


def ages(sized: pl.DataFrame, now_ns: int) -> tuple[Age, ...]:
    """Return every bucket from the youngest on; a file modified after `now_ns` is in the last.

    `sized` is what `autopack.storage.snapshot.with_tree_sizes` returns.
    """
    import polars as pl

    names = [name for name, _ in BUCKETS] + [OLDER, FUTURE]
    age = now_ns - pl.col("mtime_ns")
    bucket = pl.lit(len(BUCKETS))
    for n, (_, days) in reversed(list(enumerate(BUCKETS))):
        bucket = pl.when(age < days * DAY_NS).then(n).otherwise(bucket)
    bucket = pl.when(age < 0).then(len(names) - 1).otherwise(bucket)
    sums = (
        sized.lazy()
        .filter(pl.col("kind") == int(Kind.FILE))
        .group_by(bucket.alias("bucket"))
        .agg(pl.len(), pl.col("tree_size").sum(), pl.col("tree_allocated").sum())
        .collect()
    )
    found = {int(n): (files, size, allocated) for n, files, size, allocated in sums.iter_rows()}
    return tuple(Age(name, *found.get(n, (0, 0, 0))) for n, name in enumerate(names))

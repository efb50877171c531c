"""The outermost files and folders that may go as a whole, and what is in each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopack.storage.classify import Kind
from autopack.storage.matcher import Globs
from autopack.storage.policy import Policy
from autopack.storage.snapshot import below
from autopack.storage.verdicts import Verdicts

if TYPE_CHECKING:
    import polars as pl


def spread(frame: pl.DataFrame, marked: pl.Series) -> pl.Series:
    """Return for each row which marked row it is or lies in, null for none.

    No marked row may lie in another one.
    """
    import polars as pl

    first, last = below(frame)
    rows = marked.arg_true()
    inner = pl.DataFrame({"unit": rows, "first": first.gather(rows), "last": last.gather(rows)})
    held = inner.filter(pl.col("first") < pl.col("last")).sort("first")
    every = frame.select(first=pl.int_range(pl.len(), dtype=pl.UInt32))
    within = every.join_asof(held.set_sorted("first"), on="first", strategy="backward").select(
        pl.when(pl.int_range(pl.len()) < pl.col("last")).then("unit")
    )
    return within.to_series().scatter(rows, rows).alias("unit")


def summed(frame: pl.DataFrame, seen: Verdicts, policy: Policy, unit: pl.Series) -> pl.DataFrame:
    """Return a row per unit: what it is, and the sums over what is in it, by the order of rows.

    `outside` are the bytes on the disk that other names outside the unit hold as well.
    """
    import polars as pl

    inside = frame.with_columns(unit).drop_nulls("unit")
    folder = pl.col("kind") == int(Kind.FOLDER)
    several = ~folder & (pl.col("nlink") > 1)
    size = pl.when(folder).then(0).otherwise("size").alias("size")
    files = (pl.col("kind") == int(Kind.FILE)).sum().alias("files")
    single = (
        inside.filter(~several)
        .group_by("unit")
        .agg(size.sum(), pl.sum("allocated"), files, pl.max("mtime_ns"), outside=pl.lit(0))
    )
    held_outside = pl.when(pl.col("names") < pl.col("nlink")).then("allocated").otherwise(0)
    linked = (
        inside.filter(several)
        .group_by("unit", "dev", "ino")
        .agg(
            pl.first("size", "allocated"), files, pl.max("mtime_ns"),
            names=pl.len(), nlink=pl.max("nlink"),
        )
        .with_columns(outside=held_outside)
    )  # fmt: skip
    together = pl.concat([single, linked.select(single.columns)], how="vertical_relaxed")
    sums = together.group_by("unit").agg(
        pl.sum("size", "allocated", "files", "outside"), pl.max("mtime_ns")
    )
    return _named(frame, seen, policy, sums.sort("unit"))


def _named(frame: pl.DataFrame, seen: Verdicts, policy: Policy, sums: pl.DataFrame) -> pl.DataFrame:
    """Add path, parent, category and the first glob of it that names each unit."""
    import polars as pl

    rows = sums["unit"]
    paths, category = frame["path"].gather(rows), seen.category.gather(rows)
    rule = pl.repeat(None, len(rows), dtype=pl.String, eager=True)
    for number, name in enumerate(seen.names, 1):
        mine = (category == number).arg_true()
        for glob in reversed(policy.categories[name].match):
            matcher = Globs((glob,), fold=policy.case == "insensitive", covering=True)
            rule = rule.scatter(mine.filter(matcher.series(paths.gather(mine))), glob)
    return sums.with_columns(paths, frame["parent"].gather(rows), category, rule=rule)

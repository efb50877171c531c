"""The largest files and folders of a whole tree, whatever depth they lie at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autopack.storage.classify import Kind

if TYPE_CHECKING:
    import polars as pl

STANDS_FOR = 0.9
"""The share of a folder's bytes with which one folder in it is shown in its place."""


@dataclass(frozen=True)
class Large:
    """A file or folder; bytes and entries cover everything in it, `names` are its hard links."""

    path: str
    size: int
    allocated: int
    entries: int
    mtime_ns: int
    names: int


@dataclass(frozen=True)
class Largest:
    """The first few by allocated bytes, and how many there are to choose from."""

    shown: tuple[Large, ...]
    among: int


def largest_files(sized: pl.DataFrame, limit: int) -> Largest:
    """Return the largest files that hold bytes; one with several names is one, at its first.

    `sized` is what `autopack.storage.snapshot.with_tree_sizes` returns.
    """
    import polars as pl

    holds = (pl.col("tree_allocated") > 0) | (pl.col("tree_size") > 0)
    return _first(sized.filter((pl.col("kind") == int(Kind.FILE)) & holds), limit)


def largest_folders(sized: pl.DataFrame, limit: int) -> Largest:
    """Return the largest folders below the root.

    A folder is left out where one folder in it holds nearly all of it: that one stands for both.
    """
    import polars as pl

    folders = sized.with_row_index("row").filter(
        (pl.col("kind") == int(Kind.FOLDER)) & (pl.col("row") > 0)
    )
    heaviest = folders.group_by("parent").agg(heaviest=pl.col("tree_allocated").max())
    own = folders.join(heaviest, left_on="row", right_on="parent", how="left")
    alone = pl.col("heaviest").fill_null(-1) < pl.col("tree_allocated") * STANDS_FOR
    return Largest(_first(own.filter(alone), limit).shown, folders.height)


def _first(rows: pl.DataFrame, limit: int) -> Largest:
    """Return the rows with most allocated bytes, the paths in order where they are equal."""
    order = ["tree_allocated", "tree_size", "path"]
    first = rows.sort(order, descending=[True, True, False]).head(limit)
    return Largest(tuple(_large(row) for row in first.iter_rows(named=True)), rows.height)


def _large(row: dict[str, Any]) -> Large:
    names = row["nlink"] if row["kind"] == int(Kind.FILE) else 1
    return Large(
        row["path"], row["tree_size"], row["tree_allocated"], row["tree_entries"],
        row["mtime_ns"], names,
    )  # fmt: skip

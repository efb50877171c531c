"""What grew and what shrank since the scan before, by folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from autopack.storage.classify import Kind
from autopack.storage.largest import STANDS_FOR

if TYPE_CHECKING:
    import polars as pl

Status = Literal["grown", "shrunk", "new", "gone"]


@dataclass(frozen=True)
class Grown:
    """A folder whose bytes are others than before; everything in it counts.

    `change` is of the allocated bytes, `size_change` of the apparent ones; `mostly` is what in it
    changed most, a name.
    """

    path: str
    status: Status
    before: int
    after: int
    change: int
    size_change: int
    mostly: str


@dataclass(frozen=True)
class Growth:
    """The folders that changed most, how many did, and what the whole tree did."""

    shown: tuple[Grown, ...]
    among: int
    change: int
    size_change: int
    entries_change: int


def growth(before: pl.DataFrame, after: pl.DataFrame, limit: int) -> Growth:
    """Return what changed between two scans of one root, most allocated bytes first.

    Both are what `autopack.storage.snapshot.with_tree_sizes` returns. A folder that is new or gone
    stands for all in it. One in which a single folder accounts for nearly all of the change is left
    out in favour of that one.
    """
    import polars as pl

    changed = _changed(before, after)
    folders = changed.filter(pl.col("folder"))
    listed = _listed(folders, changed)
    first = listed.sort([pl.col("change").abs(), pl.col("size_change").abs(), "path"],
                        descending=[True, True, False]).head(limit)  # fmt: skip
    mostly = _mostly(changed, first)
    return Growth(
        tuple(_grown(row, mostly) for row in first.iter_rows(named=True)),
        listed.height,
        *(int(after[0, name]) - int(before[0, name]) for name in
          ("tree_allocated", "tree_size", "tree_entries")),
    )  # fmt: skip


def _changed(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return a row per path whose bytes differ, with the path of the folder that it lies in."""
    import polars as pl

    keys = ["path", pl.col("kind") == int(Kind.FOLDER), "tree_allocated", "tree_size"]
    old, new = before.select(keys), after.select(keys)
    both = old.join(new, on="path", how="full", coalesce=True, suffix="_after")
    was, now = pl.col("tree_allocated"), pl.col("tree_allocated_after")
    size, size_after = pl.col("tree_size"), pl.col("tree_size_after")
    change = now.fill_null(0) - was.fill_null(0)
    size_change = size_after.fill_null(0) - size.fill_null(0)
    less = (change < 0) | ((change == 0) & (size_change < 0))
    status = (
        pl.when(was.is_null()).then(pl.lit("new")).when(now.is_null()).then(pl.lit("gone"))
        .when(less).then(pl.lit("shrunk")).otherwise(pl.lit("grown"))
    )  # fmt: skip
    return (
        both.lazy()
        .filter((change != 0) | (size_change != 0) | was.is_null() | now.is_null())
        .select(
            "path", folder=pl.col("kind_after").fill_null(pl.col("kind")),
            parent=_parent(), status=status, before=was.fill_null(0), after=now.fill_null(0),
            change=change, size_change=size_change,
        )
        .collect()
    )  # fmt: skip


def _parent() -> pl.Expr:
    """Return the path of the folder around `path`; None for the root itself."""
    import polars as pl

    path = pl.col("path")
    cut = path.str.replace(r"/[^/]*\z", "")
    below = pl.when(path.str.contains("/", literal=True)).then(cut).otherwise(pl.lit(""))
    return pl.when(path != "").then(below)


def _listed(folders: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """Return the folders that stand for themselves; the root does if its own files changed most."""
    import polars as pl

    around = folders.select(parent="path", around="status")
    inner = folders.join(around, on="parent", how="left", nulls_equal=False)
    whole = pl.col("status").is_in(["new", "gone"])
    topmost = ~whole | (pl.col("around") != pl.col("status")).fill_null(value=True)
    kept = inner.filter(topmost)
    own = kept.join(_extremes(kept), left_on="path", right_on="parent", how="left")
    change = _either("change", "size_change")
    inside = (
        pl.when(change > 0).then(_either("up", "size_up")).otherwise(_either("down", "size_down"))
    )
    stands = (inside * change.sign() >= change.abs() * STANDS_FOR).fill_null(value=False)
    return own.filter((whole | ~stands) & ((pl.col("path") != "") | pl.lit(_loose(changed))))


def _extremes(kept: pl.DataFrame) -> pl.DataFrame:
    """Return for every folder the largest growth and the largest loss of a folder in it."""
    import polars as pl

    return kept.group_by("parent").agg(
        up=pl.max("change"), down=pl.min("change"),
        size_up=pl.max("size_change"), size_down=pl.min("size_change"),
    )  # fmt: skip


def _loose(changed: pl.DataFrame) -> bool:
    """Return whether the files right in the root account for half of what it changed, or more."""
    import polars as pl

    direct = changed.filter((pl.col("parent") == "") & ~pl.col("folder"))
    whole = changed.filter(pl.col("path") == "")
    return direct.height > 0 and any(
        int(direct[key].abs().sum()) * 2 >= abs(int(whole[key].sum())) > 0
        for key in ("change", "size_change")
    )


def _either(change: str, size_change: str) -> pl.Expr:
    """Return the change of the allocated bytes, of the apparent ones where there is none."""
    import polars as pl

    return pl.when(pl.col("change") != 0).then(pl.col(change)).otherwise(pl.col(size_change))


def _mostly(changed: pl.DataFrame, shown: pl.DataFrame) -> dict[str, str]:
    """Return for every folder the path right below it that changed most."""
    import polars as pl

    order = [pl.col("change").abs(), pl.col("size_change").abs(), "path"]
    most = (
        changed.join(shown.select(parent="path"), on="parent", how="semi")
        .sort(order, descending=[True, True, False])
        .group_by("parent", maintain_order=True)
        .first()
    )
    return dict(most.select("parent", "path").iter_rows())


def _grown(row: dict[str, Any], mostly: dict[str, str]) -> Grown:
    name = mostly.get(row["path"], "").rpartition("/")[2]
    return Grown(
        row["path"], row["status"], row["before"], row["after"], row["change"],
        row["size_change"], name,
    )  # fmt: skip

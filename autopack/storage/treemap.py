"""A tree as rectangles: its heaviest entries, and what is left of each folder as one more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopack.storage.snapshot import below

if TYPE_CHECKING:
    import polars as pl

NODES = 2000
"""As many rectangles as a browser draws at once without a pause."""


@dataclass(frozen=True)
class Node:
    """One rectangle; `parent` is the position of the one around it, None of the outermost.

    `path` is empty for the root; `rest` says that it is what of its folder has no rectangle of its
    own. `newest_ns` is when anything in it was last modified, `use` what it is coloured by.
    """

    path: str
    parent: int | None
    size: int
    allocated: int
    entries: int
    newest_ns: int
    use: str
    rest: bool = False


def treemap(sized: pl.DataFrame, use: pl.Series, limit: int = NODES) -> tuple[Node, ...]:
    """Return at most `limit` nodes, parents first; empty for a tree without bytes.

    `sized` is what `autopack.storage.snapshot.with_tree_sizes` returns, `use` a word per row.
    The heaviest entries make a tree by themselves: a folder weighs no less than what is in it.
    """
    import polars as pl

    if not sized.height or not int(sized[0, "tree_allocated"]):
        return ()
    order = ["tree_allocated", "path"]
    rows = sized.with_row_index("row").with_columns(use=use).filter(pl.col("tree_allocated") > 0)
    heavy = rows.sort(order, descending=[True, False]).head(max(1, limit // 2))
    newest = _newest(sized, heavy["row"])
    position = {row: n for n, row in enumerate(heavy["row"])}
    nodes = [
        Node(
            row["path"], position[row["parent"]] if row["row"] else None, row["tree_size"],
            row["tree_allocated"], row["tree_entries"], newest[n], row["use"],
        )
        for n, row in enumerate(heavy.iter_rows(named=True))
    ]  # fmt: skip
    return (*nodes, *_rests(nodes))


def _newest(sized: pl.DataFrame, rows: pl.Series) -> list[int]:
    """Return when something in each of the rows was last modified, itself included."""
    first, last = below(sized)
    times = sized["mtime_ns"]
    return [
        max(int(times[row]), int(times.slice(start, end - start).max() or 0))  # type: ignore[arg-type]
        for row, start, end in zip(rows, first.gather(rows), last.gather(rows), strict=True)
    ]


def _rests(nodes: list[Node]) -> list[Node]:
    """Return what has no node of its own in the folders that have nodes in them.

    The blocks of the folder itself are no entry, and get none.
    """
    shown: dict[int, list[Node]] = {}
    for node in nodes:
        if node.parent is not None:
            shown.setdefault(node.parent, []).append(node)
    return [
        Node(around.path, at, *left, around.newest_ns, around.use, rest=True)
        for at, inner in shown.items()
        for around in [nodes[at]]
        if (left := _left(around, inner))[1] > 0 and left[2]
    ]


def _left(around: Node, inner: list[Node]) -> tuple[int, int, int]:
    return (
        around.size - sum(node.size for node in inner),
        around.allocated - sum(node.allocated for node in inner),
        around.entries - 1 - sum(node.entries for node in inner),
    )

"""What of an earlier snapshot still holds, decided from the attributes that its paths have now.

A path's attributes count only if they are of the same inode as before, in a folder that is the same
and whose times have not moved: then the names in it are the same too. Everything else is to be
listed anew. A folder that changed within the clock's step of being listed may look unmoved; so
whatever changed shortly before the earlier scan began, or since, counts as moved ("racy git").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopack.storage.assemble import Part
from autopack.storage.classify import Kind
from autopack.storage.names import unspell
from autopack.storage.snapshot import below

if TYPE_CHECKING:
    from collections.abc import Collection

    import polars as pl

SLACK_NS = 2_000_000_000
"""The coarsest step of a filesystem's clock in use: that of FAT."""
ROUNDS = 20
"""Within so many `fast` scans every file is looked at again."""
_PART = 16_384


@dataclass(frozen=True)
class Held:
    """The rows that still hold, the folders to list again, and the folders known inside those."""

    part: Part
    listed: list[tuple[bytes, int, int]]
    known: dict[bytes, tuple[int, int]]


def to_look_at(frame: pl.DataFrame, turn: int | None) -> pl.Series:
    """Return the rows to look at: all, or every folder and the files whose turn it is."""
    import polars as pl

    row = pl.int_range(pl.len(), dtype=pl.UInt32)
    if turn is None:
        return frame.select(row=row)["row"]
    due = (pl.col("kind") == int(Kind.FOLDER)) | (pl.col("ino") % ROUNDS == turn % ROUNDS)
    return frame.select(row=row, due=due).filter("due")["row"]


def paths_of(paths: pl.Series) -> list[bytes]:
    """Return paths in parts, each joined by NUL; the root is `.`."""
    parts = []
    for start in range(0, paths.len(), _PART):
        text: str = paths.slice(start, _PART).str.join("\0").item()
        if "\\" in text:
            data = b"\0".join(unspell(path) for path in text.split("\0"))
        else:
            data = text.encode()
        parts.append(b"." + data if start == 0 and (not data or data[:1] == b"\0") else data)
    return parts


def held(
    frame: pl.DataFrame,
    at: pl.Series,
    now: pl.DataFrame,
    since_ns: int,
    suspects: Collection[str],
) -> Held:
    """Return what still holds of a frame whose rows `at` have the attributes `now`.

    Args:
        frame: The earlier snapshot's rows.
        at: The rows that were looked at, in order.
        now: Their attributes, as `assemble.attributes` gives them; mode 0 where there are none.
        since_ns: When the earlier scan began.
        suspects: Paths that are taken for new, and whose folders are listed again, whatever they
            look like.
    """
    before = frame.select("kind", "dev", "ino", "mtime_ns", "ctime_ns")
    seen = _put(frame, at, now)
    folder = before["kind"] == int(Kind.FOLDER)
    same = (seen["mode"] != 0) & ~_among(frame, suspects)
    for column in ("kind", "dev", "ino"):
        same &= seen[column] == before[column]
    moved = _among(frame, {path.rpartition("/")[0] for path in suspects})
    for column in ("mtime_ns", "ctime_ns"):
        moved |= (seen[column] != before[column]) | (seen[column] >= since_ns - SLACK_NS)
    return _held(seen, folder, same, moved & folder)


def _among(frame: pl.DataFrame, paths: Collection[str]) -> pl.Series:
    import polars as pl

    if not paths:
        return pl.zeros(frame.height, dtype=pl.Boolean, eager=True)
    return frame["path"].is_in(pl.Series(list(paths), dtype=pl.String).implode())


def _put(frame: pl.DataFrame, at: pl.Series, now: pl.DataFrame) -> pl.DataFrame:
    if at.len() == frame.height:
        return frame.with_columns(now)
    return frame.with_columns(
        frame[column].clone().scatter(at, now[column]) for column in now.columns
    )


def _held(seen: pl.DataFrame, folder: pl.Series, same: pl.Series, moved: pl.Series) -> Held:
    import polars as pl

    if same.all() and not (moved & same).any():
        return Held(Part(seen, seen["path"]), [], {})
    row = pl.int_range(seen.height, dtype=pl.UInt32, eager=True)
    gone = _below(seen, row.filter(folder & ~same)) | ~same
    again = row.is_in(seen["parent"].filter(~same).implode()) | (moved & same)
    again &= folder & ~gone
    inside = seen["parent"].is_in(row.filter(again).implode()) & (row > 0)
    kept = ~gone & ~inside
    known = seen.filter(inside & folder & ~gone).select("path", "dev", "ino")
    listed = seen.filter(again).select("path", "dev", "ino")
    return Held(
        Part(seen.filter(kept), seen["path"]),
        [(unspell(path), dev, ino) for path, dev, ino in listed.iter_rows()],
        {unspell(path): (dev, ino) for path, dev, ino in known.iter_rows()},
    )


def _below(frame: pl.DataFrame, rows: pl.Series) -> pl.Series:
    """Return for every row whether it is below one of some rows."""
    import polars as pl

    first, last = below(frame)
    edges = pl.zeros(frame.height + 1, dtype=pl.Int32, eager=True)
    if rows.len():
        ends = pl.concat([
            pl.DataFrame({"at": first.gather(rows), "step": 1}),
            pl.DataFrame({"at": last.gather(rows), "step": -1}),
        ]).group_by("at").agg(pl.col("step").sum().cast(pl.Int32))  # fmt: skip
        edges = edges.scatter(ends["at"], ends["step"])
    return edges.cum_sum().slice(0, frame.height) > 0

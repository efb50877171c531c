"""Rows as they came home, in any order, become the one frame of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from autopack.storage.classify import kind_of_mode
from autopack.storage.names import spell
from autopack.storage.rows import COLUMNS, Block
from autopack.storage.snapshot import SCHEMA, schema

if TYPE_CHECKING:
    import polars as pl

_SECOND_NS = 1_000_000_000


def spelled(names: bytes) -> str:
    """Return names that are joined by NUL as text, each one spelled."""
    if b"\\" not in names:
        try:
            return names.decode()
        except UnicodeDecodeError:
            pass
    return "\0".join(spell(name) for name in names.split(b"\0"))


def attributes(columns: Sequence[bytes]) -> pl.DataFrame:
    """Return the attributes of rows, in the columns of a snapshot, for the root's `foreign`."""
    import polars as pl

    raw = pl.DataFrame(
        [_column(name, data) for name, data in zip(COLUMNS, columns, strict=True)]
    ).lazy()
    kinds = pl.Series([int(kind_of_mode(n << 12)) for n in range(16)], dtype=pl.UInt8)
    return raw.select(
        kind=pl.lit(kinds).gather(pl.col("mode").cast(pl.UInt32) // 4096),
        mode=pl.col("mode").cast(pl.UInt32),
        size=pl.col("size").cast(pl.Int64),
        allocated=pl.col("blocks").cast(pl.Int64) * 512,
        mtime_ns=pl.col("mtime_s") * _SECOND_NS + pl.col("mtime_n").cast(pl.Int64),
        ctime_ns=pl.col("ctime_s") * _SECOND_NS + pl.col("ctime_n").cast(pl.Int64),
        ino="ino",
        dev=_device(),
        nlink="nlink",
        uid="uid",
    ).collect()


def _column(name: str, data: bytes) -> pl.Series:
    import polars as pl

    kind = {"H": pl.UInt16, "I": pl.UInt32, "Q": pl.UInt64, "q": pl.Int64}[COLUMNS[name]]
    size = {"H": 2, "I": 4, "Q": 8, "q": 8}[COLUMNS[name]]
    if not data:
        return pl.Series(name, [], dtype=kind)
    whole = pl.Series(name, [data], dtype=pl.Binary)
    return whole.bin.reinterpret(dtype=pl.Array(kind, len(data) // size)).explode()


def _device() -> pl.Expr:
    """Return the device number of its two parts, as the C library of Linux makes it."""
    import polars as pl

    major, minor = (pl.col(f"dev_{part}").cast(pl.UInt64) for part in ("major", "minor"))
    low = (major % 4096) * 256 + minor % 256
    return low + (minor // 256) * (1 << 20) + (major // 4096) * (1 << 44)


def rows_of(blocks: Iterable[Block]) -> pl.DataFrame:
    """Return the rows of blocks in no order: `path`, `folder` (the path of it), the attributes."""
    import polars as pl

    used = [block for block in blocks if block.names]
    if not used:
        return pl.DataFrame(schema=row_schema())
    folders = _split(spelled(b"\0".join(block.folders for block in used)))
    counts = _column("nlink", b"".join(block.counts for block in used))
    places = pl.select(pl.int_range(folders.len(), dtype=pl.UInt32).repeat_by(counts)).to_series()
    at = places.explode(empty_as_null=False)
    starts = folders.to_frame("start").with_columns(
        pl.when(pl.col("start") == "")
        .then(pl.lit(""))
        .otherwise(pl.col("start") + "/")
        .alias("start")
    )["start"]
    names = _split(spelled(b"\0".join(block.names for block in used)))
    columns = [b"".join(parts) for parts in zip(*(block.columns for block in used), strict=True)]
    return pl.DataFrame(
        [(starts.gather(at) + names).alias("path"), folders.gather(at).alias("folder")]
    ).hstack(attributes(columns))


def row_schema() -> dict[str, Any]:
    known = schema()
    kept = {name: known[name] for name in SCHEMA if name not in {"path", "parent", "foreign"}}
    return {"path": known["path"], "folder": known["path"], **kept}


def _split(text: str) -> pl.Series:
    import polars as pl

    return pl.Series("folder", [text], dtype=pl.String).str.split("\0").explode()


def assembled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows in the order of paths, each with the row of its folder.

    Rows whose folder has none are left out: the folder went away while it was read.
    """
    import polars as pl

    frame = rows.sort("path")
    while True:
        parent = frame["path"].search_sorted(frame["folder"], "left")
        held = frame["path"].gather(parent.clip(0, frame.height - 1)) == frame["folder"]
        if held.all():
            return frame.with_columns(parent.cast(pl.UInt32).alias("parent"))
        frame = frame.filter(held)

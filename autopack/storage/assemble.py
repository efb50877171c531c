"""Rows as they came home, in any order, become the one frame of a snapshot."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, count, repeat
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
    """Return the attributes of rows in the columns of a snapshot."""
    import polars as pl

    kinds = pl.Series([int(kind_of_mode(n << 12)) for n in range(16)], dtype=pl.UInt8)
    raw = [_numbers(name, data) for name, data in zip(COLUMNS, columns, strict=True)]
    return pl.DataFrame(raw).select(
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
    )


def _numbers(name: str, data: bytes) -> pl.Series:
    """Return a column of `COLUMNS` from its bytes, without a Python object per number."""
    import polars as pl

    kinds = {"H": (pl.UInt16, 2), "I": (pl.UInt32, 4), "Q": (pl.UInt64, 8), "q": (pl.Int64, 8)}
    kind, size = kinds[COLUMNS[name]]
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
    columns = [b"".join(parts) for parts in zip(*(block.columns for block in used), strict=True)]
    return _paths(used).hstack(attributes(columns))


def _paths(used: list[Block]) -> pl.DataFrame:
    """Return the path of each row, and of its folder."""
    import polars as pl

    folders = _split(spelled(b"\0".join(block.folders for block in used)))
    names = _split(spelled(b"\0".join(block.names for block in used)))
    counts = array("I", b"".join(block.counts for block in used))
    at = pl.Series(chain.from_iterable(map(repeat, count(), counts)), dtype=pl.UInt32)
    start = pl.when(pl.col("folder") == "").then("folder").otherwise(pl.col("folder") + "/")
    table = folders.to_frame("folder").with_columns(start=start)[at]
    return table.select(path=pl.col("start") + names, folder="folder")


def row_schema() -> dict[str, Any]:
    known = schema()
    kept = {name: known[name] for name in SCHEMA if name not in {"path", "parent", "foreign"}}
    return {"path": known["path"], "folder": known["path"], **kept}


def _split(text: str) -> pl.Series:
    import polars as pl

    return pl.Series("folder", [text], dtype=pl.String).str.split("\0").explode()


def assembled(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of all parts in the order of paths, each with the row of its folder.

    The list of parts is emptied on the way: column by column the new rows take the place of the
    old ones in memory. Rows whose folder has none are left out: it went away while it was read.
    """
    import polars as pl

    columns = {name: [part[name] for part in parts] for name in parts[0].columns}
    parts.clear()

    def taken(name: str) -> pl.Series:
        return pl.concat(columns.pop(name))

    path, folder = taken("path"), taken("folder")
    order = path.arg_sort()
    path, folder = path.gather(order), folder.gather(order)
    parent = path.search_sorted(folder, "left").clip(0, path.len() - 1)
    held = path.gather(parent) == folder
    if held.all():
        del folder
        made = [path, parent.cast(pl.UInt32).alias("parent")]
        made += [taken(name).gather(order) for name in list(columns)]
        return pl.DataFrame(made)
    rows = [taken(name).gather(order) for name in list(columns)]
    return assembled([pl.DataFrame([path, folder, *rows]).filter(held)])

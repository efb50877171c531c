"""Rows as they came home, in any order, become the one frame of a snapshot."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, count, repeat
from typing import TYPE_CHECKING

from autopack.storage.classify import kind_of_mode
from autopack.storage.names import spell
from autopack.storage.rows import COLUMNS, Block
from autopack.storage.snapshot import SCHEMA, schema

if TYPE_CHECKING:
    import polars as pl

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Part:
    """Rows in no order; `parent` is the number of a row's folder in `folders`, which are paths."""

    rows: pl.DataFrame
    folders: pl.Series


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

    raw = {name: _numbers(name, data) for name, data in zip(COLUMNS, columns, strict=True)}
    kinds = pl.Series([int(kind_of_mode(n << 12)) for n in range(16)], dtype=pl.UInt8)
    mode = raw["mode"].cast(pl.UInt32)
    made = {
        "kind": kinds.gather(mode // 4096),
        "mode": mode,
        "size": raw["size"].cast(pl.Int64),
        "allocated": raw["blocks"].cast(pl.Int64) * 512,
        "mtime_ns": raw["mtime_s"] * _SECOND_NS + raw["mtime_n"].cast(pl.Int64),
        "ctime_ns": raw["ctime_s"] * _SECOND_NS + raw["ctime_n"].cast(pl.Int64),
        "ino": raw["ino"],
        "dev": _device(raw["dev_major"], raw["dev_minor"]),
        "nlink": raw["nlink"],
        "uid": raw["uid"],
    }
    return pl.DataFrame(made)


def _numbers(name: str, data: bytes) -> pl.Series:
    """Return a column of `COLUMNS` from its bytes, without a Python object per number."""
    import polars as pl

    kinds = {"H": (pl.UInt16, 2), "I": (pl.UInt32, 4), "Q": (pl.UInt64, 8), "q": (pl.Int64, 8)}
    kind, size = kinds[COLUMNS[name]]
    if not data:
        return pl.Series(name, [], dtype=kind)
    whole = pl.Series(name, [data], dtype=pl.Binary)
    return whole.bin.reinterpret(dtype=pl.Array(kind, len(data) // size)).explode()


def _device(majors: pl.Series, minors: pl.Series) -> pl.Series:
    """Return device numbers of their two parts, as the C library of Linux makes them."""
    import polars as pl

    major, minor = majors.cast(pl.UInt64), minors.cast(pl.UInt64)
    low = (major % 4096) * 256 + minor % 256
    return low + (minor // 256) * (1 << 20) + (major // 4096) * (1 << 44)


def rows_of(blocks: Iterable[Block]) -> Part:
    """Return the rows of blocks: the path and the attributes of each."""
    import polars as pl

    used = [block for block in blocks if block.names]
    if not used:
        known = schema()
        empty = {name: known[name] for name in SCHEMA if name != "foreign"}
        return Part(pl.DataFrame(schema=empty), pl.Series([], dtype=pl.String))
    columns = [b"".join(parts) for parts in zip(*(block.columns for block in used), strict=True)]
    folders = _split(spelled(b"\0".join(block.folders for block in used)))
    return Part(_paths(used, folders).hstack(attributes(columns)), folders)


def _paths(used: list[Block], folders: pl.Series) -> pl.DataFrame:
    """Return the path of each row, and the number of its folder."""
    import polars as pl

    names = _split(spelled(b"\0".join(block.names for block in used)))
    counts = array("I", b"".join(block.counts for block in used))
    parent = pl.Series(chain.from_iterable(map(repeat, count(), counts)), dtype=pl.UInt32)
    start = pl.when(folders == "").then(folders).otherwise(folders + "/")
    starts = pl.select(start).to_series().gather(parent)
    return pl.DataFrame({"path": starts + names, "parent": parent})


def _split(text: str) -> pl.Series:
    import polars as pl

    return pl.Series("folder", [text], dtype=pl.String).str.split("\0").explode()


def assembled(parts: list[Part]) -> pl.DataFrame:
    """Return the rows of all parts in the order of paths, `parent` being the row of the folder.

    The list of parts is emptied on the way: column by column the new rows take the place of the
    old ones in memory. Rows whose folder has none are left out: it went away while it was read.
    """
    import polars as pl

    folders = pl.concat([part.folders for part in parts])
    starts = accumulate((part.folders.len() for part in parts), initial=0)
    names = [name for name in parts[0].rows.columns if name != "parent"]
    columns = {name: [part.rows[name] for part in parts] for name in names}
    columns["parent"] = [
        part.rows["parent"] + start for start, part in zip(starts, parts, strict=False)
    ]
    parts.clear()

    def taken(name: str) -> pl.Series:
        return pl.concat(columns.pop(name), rechunk=True)

    path = taken("path")
    order = path.arg_sort()
    path, number = path.gather(order), taken("parent").gather(order)
    row = path.search_sorted(folders, "left").clip(0, path.len() - 1)
    held = (path.gather(row) == folders).gather(number)
    made = [path, row.cast(pl.UInt32).gather(number).alias("parent")]
    made += [taken(name).gather(order) for name in list(columns)]
    frame = pl.DataFrame(made)
    if held.all():
        return frame
    return assembled([Part(frame.with_columns(parent=number).filter(held), folders)])

"""Snapshots made up in memory: a mapping of paths in, the frame of a scan out."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autopack.storage.classify import Kind
from autopack.storage.snapshot import NotSeen, RootSeen, Snapshot, schema

if TYPE_CHECKING:
    import polars as pl

NOW_NS = 1_700_000_000_000_000_000
_FORMATS = {Kind.FILE: stat.S_IFREG, Kind.FOLDER: stat.S_IFDIR, Kind.LINK: stat.S_IFLNK}


def frame_of(entries: Mapping[str, Any]) -> pl.DataFrame:
    """Return the frame of `{"src/main.c": 12, "build": None, "x": {"size": 3, "nlink": 2}}`.

    Keys are spelled paths; a number is a file of that size, None a folder, a mapping any of the
    columns (with `kind` a `Kind`). Folders on the way are made up; so is what is left out: inodes
    by the order of paths from 2 on, device 1, times `NOW_NS`, `allocated` in blocks of 4096.
    """
    import polars as pl

    rows: dict[str, dict[str, Any]] = {"": _row(None)}
    for path, given in entries.items():
        for n, letter in enumerate(path):
            if letter == "/":
                rows.setdefault(path[:n], _row(None))
        rows[path] = _row(given)
    paths = sorted(rows, key=str.encode)
    index = {path: n for n, path in enumerate(paths)}
    for path in paths:
        row = rows[path]
        row["path"], row["parent"] = path, index[path.rpartition("/")[0]]
        row.setdefault("ino", index[path] + 2)
    return pl.DataFrame([rows[path] for path in paths], schema=schema())


def _row(given: Any) -> dict[str, Any]:
    own = given if isinstance(given, Mapping) else {"size": given} if given is not None else {}
    kind = Kind(own.get("kind", Kind.FOLDER if given is None else Kind.FILE))
    size = own.get("size", 4096 if kind is Kind.FOLDER else 0)
    made = {
        "mode": _FORMATS.get(kind, 0) | (0o755 if kind is Kind.FOLDER else 0o644),
        "size": size,
        "allocated": -(-size // 4096) * 4096,
        "mtime_ns": NOW_NS,
        "ctime_ns": NOW_NS,
        "dev": 1,
        "nlink": 1,
        "uid": 0,
        "foreign": False,
    }
    return {**made, **own, "kind": int(kind)}


def snapshot_of(
    entries: Mapping[str, Any], *not_seen: NotSeen, root: str = "/tree", **fields: Any
) -> Snapshot:
    """Return a snapshot of made-up entries, as `frame_of` takes them."""
    frame = frame_of(entries)
    top = RootSeen(root, int(frame["dev"][0]), int(frame["ino"][0]))
    made: dict[str, Any] = {"started_ns": NOW_NS, "sizes_ns": NOW_NS, "backend": "made up"}
    return Snapshot(frame, top, not_seen, **{**made, **fields})

"""A tree at one moment: a row per entry, what was not seen, and what follows from them.

The frame holds the root itself (path "") and everything below, sorted by path byte by byte, so that
all rows below a folder follow each other. Paths are relative to the root, as
`autopack.storage.names` spells them.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, cast

from autopack.storage.classify import Kind
from autopack.storage.names import spell

if TYPE_CHECKING:
    import polars as pl

FORMAT = "autopack.storage.snapshot/1"
Mode = Literal["full", "exact", "fast"]
Why = Literal["denied", "mount", "filesystem", "replaced", "loop", "failed"]
"""`replaced`: something else came to the name meanwhile; `loop`: a link that the policy lets be
followed leads to a folder that is seen elsewhere; `failed`: any other error."""
_OUTSIDE = {"mount", "filesystem", "loop"}

SCHEMA: dict[str, str] = {
    "path": "String",
    "parent": "UInt32",  # the row of the folder it lies in; of the root, itself
    "kind": "UInt8",  # a code of `classify.Kind`
    "mode": "UInt32",
    "size": "Int64",  # bytes, apparent
    "allocated": "Int64",  # bytes on the disk
    "mtime_ns": "Int64",
    "ctime_ns": "Int64",
    "ino": "UInt64",
    "dev": "UInt64",
    "nlink": "UInt32",
    "uid": "UInt32",
    "foreign": "Boolean",  # behind a link or mount that the policy lets be scanned: never acted on
}
"""The columns, and the names of their polars types."""


@dataclass(frozen=True)
class RootSeen:
    """The folder that was scanned, as it was named, and who it is."""

    path: str
    dev: int
    ino: int


@dataclass(frozen=True, order=True)
class NotSeen:
    """A path of the tree behind which more may be, and why it was not looked at."""

    path: str
    why: Why

    @classmethod
    def of(cls, path: bytes, why: str) -> NotSeen:
        """Return what a walk noted, its path spelled."""
        return cls(spell(path), cast("Why", why))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a scan saw of one root.

    `started_ns` is the wall clock when it began; `sizes_ns` when the scan began that last looked at
    every file: the same one, except under `fast`. `turn` says which of the files the next `fast`
    scan looks at again, `seen_by` with whose rights it was made, `backend` what read the
    attributes, `remarks` what the scan had to say.
    """

    frame: pl.DataFrame
    root: RootSeen
    not_seen: tuple[NotSeen, ...] = ()
    mode: Mode = "full"
    started_ns: int = 0
    sizes_ns: int = 0
    backend: str = ""
    seen_by: str = ""
    turn: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Return whether something inside the tree could not be looked at."""
        return any(one.why not in _OUTSIDE for one in self.not_seen)

    @property
    def exact(self) -> bool:
        """Return whether every file was looked at: only then may a report be made of it."""
        return self.mode != "fast"

    @property
    def label(self) -> str:
        """Return what may be believed of it."""
        if self.exact:
            return self.mode
        from datetime import UTC, datetime

        moment = datetime.fromtimestamp(self.sizes_ns / 1e9, UTC)
        return f"structural; sizes as of {moment:%Y-%m-%dT%H:%M:%SZ}"

    @cached_property
    def sha256(self) -> str:
        """Return the digest that names its content: rows, root and what was not seen."""
        return f"sha256:{_digest(self)}"


def _digest(snapshot: Snapshot) -> str:
    """Return the SHA-256 of a line of JSON, and of the rows as CSV without `parent`."""
    root = snapshot.root
    head = {
        "format": FORMAT,
        "root": [root.path, str(root.dev), str(root.ino)],
        "not_seen": [[one.path, one.why] for one in sorted(snapshot.not_seen)],
    }
    hashed = _Hashed()
    with io.BufferedWriter(hashed, 1 << 20) as file:
        file.write(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        snapshot.frame.drop("parent").write_csv(file)
    return hashed.digest.hexdigest()


class _Hashed(io.RawIOBase):
    """A file of which only the digest is kept."""

    def __init__(self) -> None:
        self.digest = sha256()

    def writable(self) -> bool:
        """Say that bytes may come."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes in."""
        self.digest.update(data)
        return len(data)


def schema() -> dict[str, Any]:
    """Return the columns with their polars types."""
    import polars as pl

    return {name: getattr(pl, kind) for name, kind in SCHEMA.items()}


# --- what follows from the rows ---------------------------------------------------------------


@dataclass(frozen=True)
class Totals:
    """Sums over a tree; bytes count a file with several names once."""

    entries: int
    files: int
    folders: int
    apparent: int
    allocated: int


def totals(frame: pl.DataFrame) -> Totals:
    """Return the sums over all rows, the root and the folders themselves included, as `du` does."""
    sums = _once(frame).sum().row(0)
    kinds = frame["kind"]
    files, folders = (int((kinds == int(kind)).sum()) for kind in (Kind.FILE, Kind.FOLDER))
    return Totals(frame.height, files, folders, int(sums[0]), int(sums[1]))


def _once(frame: pl.DataFrame) -> pl.DataFrame:
    """Return `size` and `allocated` by row, zero at the second and further names of a file."""
    import polars as pl

    several = (pl.col("kind") != int(Kind.FOLDER)) & (pl.col("nlink") > 1)
    linked = frame.lazy().with_row_index("row").filter(several)
    again = linked.filter(~pl.struct("dev", "ino").is_first_distinct()).select("row").collect()
    own = frame.select("size", "allocated")
    if again.is_empty():
        return own
    rows = again["row"]
    return own.with_columns(own[name].clone().scatter(rows, 0) for name in own.columns)


def with_tree_sizes(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with `tree_size`, `tree_allocated` and `tree_entries`, all below included.

    A file with several names counts where the first of them is, by path; `tree_entries` counts the
    row itself.
    """
    import polars as pl

    first, last = below(frame)
    own = _once(frame)
    inner = (last - first).cast(pl.Int64)
    columns = [(inner + 1).alias("tree_entries")]
    for name in own.columns:
        ends = pl.concat([pl.Series([0], dtype=pl.Int64), own[name].cum_sum()])
        columns.append((own[name] + ends.gather(last) - ends.gather(first)).alias(f"tree_{name}"))
    return frame.with_columns(columns)


def below(frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Return for every row the first row below it and the row after the last; equal for none."""
    import polars as pl

    path = frame["path"]
    start, end = path + "/", path + "0"  # "0" is the character after "/"
    has = frame.select(pl.int_range(pl.len()).is_in(pl.col("parent").implode())).to_series()
    at = frame.select(row=pl.int_range(pl.len(), dtype=pl.UInt32)).to_series()
    rows = at.filter(has)
    first, last = (
        at.clone().scatter(rows, path.search_sorted(edge.gather(rows), "left"))
        for edge in (start, end)
    )
    if frame.height:
        first[0], last[0] = 1, frame.height
    return first, last

"""Keep the snapshots of a root: one Parquet file each, named by its moment and its digest.

A file is written whole or not at all, never changed, and believed only while its bytes have the
digest of its name.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopack.io.replace import remove_file, replace_file
from autopack.state_files import INDEXES
from autopack.storage.snapshot import FORMAT, SCHEMA, NotSeen, RootSeen, Snapshot, schema

if TYPE_CHECKING:
    import polars as pl

    from autopack.io.locks import Fence

STORE = f"{INDEXES}/storage"
KEPT = 10
_NAME = re.compile(r"\d{8}T\d{6}\.\d{9}Z-([0-9a-f]{16})\.parquet")
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Stored:
    """The newest snapshot of a root, if there is one that can be believed, and its file.

    `damaged` says what is wrong with the newest file; then there is no snapshot.
    """

    snapshot: Snapshot | None
    file: str | None = None
    damaged: str | None = None


def folder_of(root: str) -> str:
    """Return where the snapshots of a root are, relative to the workspace."""
    return f"{STORE}/{sha256(root.encode()).hexdigest()[:16]}"


def files_of(workspace: Path, root: str) -> list[str]:
    """Return the snapshot files of a root, relative to the workspace, the newest first."""
    folder = folder_of(root)
    try:
        names = [path.name for path in (workspace / folder).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"{folder}/{name}" for name in sorted(names, reverse=True) if _NAME.fullmatch(name)]


def newest(workspace: Path, root: str) -> Stored:
    """Return the last snapshot that was kept of a root."""
    for file in files_of(workspace, root)[:1]:
        try:
            return Stored(read(workspace, file), file)
        except Damaged as error:
            return Stored(None, file, str(error))
    return Stored(None)


class Damaged(ValueError):
    """A snapshot file cannot be read, or is not what was written."""


def read(workspace: Path, file: str) -> Snapshot:
    """Return the snapshot of a file.

    Raises:
        Damaged: It is not there, not whole, or not of this format.
    """
    import polars as pl

    try:
        data = (workspace / file).read_bytes()
    except OSError as error:
        raise Damaged(f"{file}: {error.strerror}") from None
    named = _NAME.fullmatch(Path(file).name)
    if named is None or sha256(data).hexdigest()[:16] != named[1]:
        raise Damaged(f"{file}: its bytes are not those that were written")
    try:
        frame = pl.read_parquet(io.BytesIO(data))
        head = json.loads(pl.read_parquet_metadata(io.BytesIO(data))["snapshot"])
        return _checked(frame, head)
    except (pl.exceptions.PolarsError, KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{file}: {error}") from None


def _checked(frame: pl.DataFrame, head: dict[str, Any]) -> Snapshot:
    if head.pop("format") != FORMAT or dict(frame.schema) != schema():
        raise ValueError("written by another version")
    if not frame.height or frame["path"][0] != "" or not frame["path"].is_sorted():
        raise ValueError("the rows are in no order")
    root = RootSeen(**head.pop("root"))
    not_seen = tuple(NotSeen(path, why) for path, why in head.pop("not_seen"))
    remarks = tuple(head.pop("remarks"))
    return Snapshot(frame, root, not_seen, remarks=remarks, **head)


def packed(snapshot: Snapshot) -> bytes:
    """Return a snapshot as a Parquet file."""
    head = {name: getattr(snapshot, name) for name in _PLAIN}
    head["format"] = FORMAT
    head["root"] = vars(snapshot.root)
    head["not_seen"] = [[one.path, one.why] for one in snapshot.not_seen]
    buffer = io.BytesIO()
    snapshot.frame.select(list(SCHEMA)).write_parquet(
        buffer, compression="zstd", compression_level=1, metadata={"snapshot": json.dumps(head)}
    )
    return buffer.getvalue()


_PLAIN = (
    "mode", "started_ns", "sizes_ns", "backend", "seen_by", "turn", "remarks",
)  # fmt: skip


def keep(workspace: Path, snapshot: Snapshot, fence: Fence, kept: int = KEPT) -> str:
    """Write a snapshot, take older ones away until `kept` are left, and return the file.

    Raises what `replace_file` raises.
    """
    data = packed(snapshot)
    seconds, rest = divmod(snapshot.started_ns, _SECOND_NS)
    moment = f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S}.{rest:09}Z"
    digest = sha256(data).hexdigest()[:16]
    file = f"{folder_of(snapshot.root.path)}/{moment}-{digest}.parquet"
    if not (workspace / file).exists():
        replace_file(workspace, file, None, data, fence)
    for old in files_of(workspace, snapshot.root.path)[max(kept, 1) :]:
        remove_file(workspace, old, (workspace / old).read_bytes(), fence)
    return file

"""Lists of what is in an item of the quarantine, on disk before any of it is removed."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autopack.canonical import canonical, digest_of_bytes
from autopack.errors import Unreachable
from autopack.io.storage_places import Place
from autopack.io.storage_seen import stats_below


@dataclass(frozen=True)
class Listed:
    """One name in an item, spelled from there ("" is the item), and who it is."""

    path: str
    format: int
    dev: str
    ino: str
    size: int
    mtime_ns: str

    @classmethod
    def of(cls, path: str, found: os.stat_result) -> Listed:
        """Return what the list says of a name; a folder changes while it is emptied."""
        folder = stat.S_ISDIR(found.st_mode)
        told = (0, "0") if folder else (found.st_size, str(found.st_mtime_ns))
        return cls(path, stat.S_IFMT(found.st_mode), str(found.st_dev), str(found.st_ino), *told)

    def is_still(self, found: os.stat_result) -> bool:
        """Return whether that is what was listed."""
        return Listed.of(self.path, found) == self


def list_below(place: Place) -> Iterator[Listed]:
    """Yield an item and all that is in it, each folder before what it holds."""
    yield Listed.of("", os.stat(place[1], dir_fd=place[0], follow_symlinks=False))
    for path, found in stats_below(place):
        yield Listed.of(path, found)


def _path(run: Path, no: int) -> Path:
    return run / f"purge-{no}.jsonl"


def write_listing(run: Path, no: int, listing: Sequence[Listed]) -> str:
    """Write a list, wait until it is on disk, and return its digest.

    Raises:
        Unreachable: It cannot be written.
    """
    data = b"".join(canonical(_row(listed)) + b"\n" for listed in listing)
    path = _path(run, no)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Unreachable(
            f"{path.name}: {error.strerror or error}; nothing was removed",
            next_step="free disk space or fix the permissions, then run again",
            permanent=True,
        ) from error
    return digest_of_bytes(data)


def _row(listed: Listed) -> list[str | int]:
    return [
        listed.path, listed.format, listed.dev, listed.ino, listed.size, listed.mtime_ns,
    ]  # fmt: skip


def read_listing(run: Path, no: int, digest: str) -> list[Listed] | None:
    """Return a list as it was written; None where it is lost or was changed."""
    try:
        data = _path(run, no).read_bytes()
    except FileNotFoundError:
        return None
    if digest_of_bytes(data) != digest:
        return None
    return [Listed(*json.loads(line)) for line in data.split(b"\n") if line]


def drop_listing(run: Path, no: int) -> None:
    """Remove a list that has done its work."""
    with contextlib.suppress(OSError):  # it is of no use any more, and does no harm
        os.unlink(_path(run, no))

"""What a walk brings home: columns of attributes as bytes, small enough to pass between processes.

This module and what it needs load in a few milliseconds, since the walking processes start with it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

Job = tuple[bytes, int, int]
"""A folder to read: its path below the root, and the device and inode that it must still have."""

COLUMNS: dict[str, str] = {
    "mode": "H",
    "nlink": "I",
    "uid": "I",
    "ino": "Q",
    "size": "Q",
    "blocks": "Q",  # of 512 bytes
    "mtime_s": "q",
    "mtime_n": "I",
    "ctime_s": "q",
    "ctime_n": "I",
    "dev_major": "I",
    "dev_minor": "I",
}
"""Attributes in the order they travel, each with the type code of `array`."""


class Block:
    """The rows of some folders, what was not seen in them, and the folders that are left.

    `folders` are paths with `counts` rows each, `names` the rows' names; both are joined by NUL.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one argument per part that travels
        self,
        folders: bytes,
        counts: bytes,
        names: bytes,
        columns: Sequence[bytes],
        not_seen: bytes = b"",
        left: bytes = b"",
        left_ids: bytes = b"",
    ) -> None:
        self.folders, self.counts, self.names = folders, counts, names
        self.columns = tuple(columns)
        self.not_seen, self.left, self.left_ids = not_seen, left, left_ids

    def jobs(self) -> list[Job]:
        """Return the folders that are still to be read."""
        return jobs_of(self.left, self.left_ids)

    def unseen(self) -> list[tuple[bytes, str]]:
        """Return what was not seen, each with the reason."""
        found = []
        for line in self.not_seen.split(b"\0") if self.not_seen else ():
            why, _, path = line.partition(b" ")
            found.append((path, why.decode()))
        return found

    def to_bytes(self) -> bytes:
        """Return it for the way."""
        ends = self.not_seen, self.left, self.left_ids
        return joined([self.folders, self.counts, self.names, *ends, *self.columns])

    @classmethod
    def from_bytes(cls, data: bytes) -> Block:
        """Return what `to_bytes` packed."""
        folders, counts, names, not_seen, left, ids, *columns = parted(data)
        return cls(folders, counts, names, columns, not_seen, left, ids)


def reasons(not_seen: Iterable[tuple[bytes, str]]) -> bytes:
    """Return paths and reasons as `Block.unseen` reads them."""
    return b"\0".join(why.encode() + b" " + path for path, why in not_seen)


def packed_jobs(jobs: Iterable[Job]) -> tuple[bytes, bytes]:
    """Return jobs as two parts; `jobs_of` reads them."""
    ids = array("Q")
    paths = []
    for path, dev, ino in jobs:
        paths.append(path)
        ids.extend((dev, ino))
    return b"\0".join(paths), ids.tobytes()


def jobs_of(paths: bytes, ids: bytes) -> list[Job]:
    """Return the jobs of two parts that `packed_jobs` made."""
    if not ids:
        return []
    numbers = array("Q", ids)
    return list(zip(paths.split(b"\0"), numbers[::2], numbers[1::2], strict=True))


def joined(parts: Sequence[bytes]) -> bytes:
    """Return parts as one message: their number, their lengths, themselves."""
    return b"".join((array("Q", [len(parts), *map(len, parts)]).tobytes(), *parts))


def parted(data: bytes) -> list[bytes]:
    """Return the parts of a message."""
    number = int(array("Q", data[:8])[0])
    at = 8 * (number + 1)
    parts = []
    for length in array("Q", data[8:at]):
        parts.append(data[at : at + length])
        at += length
    return parts

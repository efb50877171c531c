"""Who a file or folder is: by what it is known again when it is acted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Seen:
    """A file or folder as it is on the disk; numbers that may pass 2**53 are text.

    For a folder `size`, `allocated` and `reclaimable` (bytes) cover all files in it, a hard link
    once; `reclaimable` leaves out what has names outside as well. `mtime_ns` and `ctime_ns` are its
    own, `newest_ns` is the latest mtime of it and all in it. `content` is the SHA-256 of a small
    file, `tree` the root of a folder's Merkle tree.
    """

    kind: Literal["file", "folder"]
    dev: str
    ino: str
    mode: int
    nlink: int
    size: int
    allocated: int
    reclaimable: int
    files: int
    mtime_ns: str
    ctime_ns: str
    newest_ns: int
    content: str | None = None
    tree: str | None = None

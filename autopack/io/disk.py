"""How full the filesystem of a workspace is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Room:
    """Bytes of a filesystem: all of them, and those that a file of ours could still take."""

    total: int
    free: int

    @property
    def share(self) -> float:
        """The free part, from 0 to 1."""
        return self.free / self.total if self.total else 0.0


def room(root: Path) -> Room:
    """Return how full the filesystem is that a folder lies on.

    Raises:
        OSError: It cannot be asked.
    """
    told = os.statvfs(root)
    return Room(told.f_blocks * told.f_frsize, told.f_bavail * told.f_frsize)

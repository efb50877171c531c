"""Where other filesystems begin below a folder, bind mounts included: `/proc/self/mountinfo`.

A bind mount has the device of what it shows, so no attribute tells it from a folder (proc(5)).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOUNTINFO = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\([0-7]{3})")
_POINT = 4


def mount_points(table: bytes) -> list[bytes]:
    """Return the mount points of a mountinfo table; octal escapes are undone."""
    lines = (line.split(b" ") for line in table.split(b"\n"))
    return [_unescaped(fields[_POINT]) for fields in lines if len(fields) > _POINT]


def _unescaped(field: bytes) -> bytes:
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field)


def below(root: bytes, points: list[bytes]) -> frozenset[bytes]:
    """Return those of some absolute paths that lie below `root`, relative to it."""
    start = root.rstrip(b"/") + b"/"
    return frozenset(point[len(start) :] for point in points if point.startswith(start)) - {b""}


def mounts_below(folder: int) -> frozenset[bytes]:
    """Return the mount points below an open folder, relative to it; none where nobody can tell."""
    try:
        root = os.readlink(os.fsencode(f"/proc/self/fd/{folder}"))
        return below(root, mount_points(_MOUNTINFO.read_bytes()))
    except OSError:
        return frozenset()

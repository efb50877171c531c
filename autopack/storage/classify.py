"""What a directory entry is, decided from its attributes alone; whatever is unclear is no folder.

Only a `FOLDER` is ever entered by itself. The reparse points are those of Windows, [MS-FSCC] 2.1.2:
a mount point is a junction, and any tag that is not known here (cloud placeholders, WSL, ...) may
lead anywhere.
"""

from __future__ import annotations

import stat
from enum import IntEnum

TYPE_CHECKING = False  # `typing` alone would take a third of a walking process's start
if TYPE_CHECKING:
    from typing import Any

_REPARSE_POINT = 0x400
_MOUNT_POINT = 0xA0000003
_SYMLINK = 0xA000000C
_JUNCTION, _OTHER_REPARSE = 0x3000, 0x5000
"""Formats that no system gives a mode, for what Windows tells beside it."""


class Kind(IntEnum):
    """The kinds of entries, by the codes that snapshots hold."""

    FILE = 1
    FOLDER = 2
    LINK = 3
    JUNCTION = 4
    OTHER_REPARSE = 5
    SPECIAL = 6
    UNKNOWN = 7


_FORMATS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.FOLDER,
    stat.S_IFLNK: Kind.LINK,
    stat.S_IFIFO: Kind.SPECIAL,
    stat.S_IFSOCK: Kind.SPECIAL,
    stat.S_IFCHR: Kind.SPECIAL,
    stat.S_IFBLK: Kind.SPECIAL,
    _JUNCTION: Kind.JUNCTION,
    _OTHER_REPARSE: Kind.OTHER_REPARSE,
}
_WRITTEN = {
    Kind.LINK: stat.S_IFLNK,
    Kind.JUNCTION: _JUNCTION,
    Kind.OTHER_REPARSE: _OTHER_REPARSE,
}
_TAGS = {_MOUNT_POINT: Kind.JUNCTION, _SYMLINK: Kind.LINK}


def classify(seen: Any) -> Kind:
    """Return what an entry is by what `lstat` told; None, or attributes that fail, are a link."""
    try:
        mode = int(seen.st_mode)
        attributes = int(getattr(seen, "st_file_attributes", 0))
        tag = int(seen.st_reparse_tag) if attributes & _REPARSE_POINT else 0
    except (AttributeError, TypeError, ValueError, OSError):
        return Kind.LINK
    if attributes & _REPARSE_POINT:
        return _TAGS.get(tag, Kind.OTHER_REPARSE)
    return kind_of_mode(mode)


def mode_told(seen: Any) -> int:
    """Return the mode of an entry, with a format that tells what `classify` says of it."""
    kind, mode = classify(seen), int(seen.st_mode)
    return mode if kind_of_mode(mode) is kind else stat.S_IMODE(mode) | _WRITTEN[kind]


def kind_of_mode(mode: int) -> Kind:
    """Return what an entry is where its mode tells everything: on POSIX, or by `mode_told`."""
    return _FORMATS.get(stat.S_IFMT(mode), Kind.UNKNOWN)

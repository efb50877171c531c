"""The attributes of many names of one folder: by `statx` in bulk, or by `os.stat` one by one.

Both give the same columns. `statx(2)` writes what it finds into one buffer, from which columns are
cut without a Python object per entry: that halves the time of a scan.
"""

from __future__ import annotations

import ctypes
import os
import sys
from array import array
from collections.abc import Callable
from itertools import repeat

from autopack.storage.classify import mode_told
from autopack.storage.rows import COLUMNS

CAPACITY = 4096
"""Entries whose attributes are held before columns are cut."""
_ENTRY = 256
_HERE = -100  # AT_FDCWD
_NOT_A_LINKS_TARGET = 0x100 | 0x800  # AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT
_BASIC = 0x7FF
_MODE = 14, 128
_INO = 4, 32
_DEV = 34, 35, 64
_LAYOUT: dict[str, tuple[str, int]] = {
    "mode": ("H", 28),
    "nlink": ("I", 16),
    "uid": ("I", 20),
    "ino": ("Q", 32),
    "size": ("Q", 40),
    "blocks": ("Q", 48),
    "mtime_s": ("q", 112),
    "mtime_n": ("I", 120),
    "ctime_s": ("q", 96),
    "ctime_n": ("I", 104),
    "dev_major": ("I", 136),
    "dev_minor": ("I", 140),
}
"""Where `struct statx` has what; it is the same on every architecture."""


class Statx:
    """Attributes by `statx`; up to `CAPACITY` names at once."""

    name = "statx"

    def __init__(self) -> None:
        """Raises OSError where the system has no such call."""
        self.call = _statx()
        self.buffer = bytearray(CAPACITY * _ENTRY)
        one = ctypes.c_char * _ENTRY
        starts = range(0, len(self.buffer), _ENTRY)
        self.places = [ctypes.byref(one.from_buffer(self.buffer, start)) for start in starts]
        view = memoryview(self.buffer)
        self.views = {code: view.cast(code) for code in "HIQq"}  # type: ignore[call-overload]
        self.used = 0
        self.cut: list[list[bytes]] = [[] for _ in COLUMNS]
        self._try(b"/")

    def _try(self, name: bytes) -> None:
        """Raise if the kernel, or what guards it, does not answer."""
        if self.call(_HERE, name, _NOT_A_LINKS_TARGET, _BASIC, self.places[0]):
            raise OSError(ctypes.get_errno(), "statx")

    def look(self, folder: int, names: list[bytes]) -> list[bytes]:
        """Read the attributes of names in an open folder; return the names that have any."""
        found = names
        while found:
            if self.used + len(found) > CAPACITY:
                self._cut()
            results = self._read(folder, found, self.used)
            if not any(results):
                break
            found = [name for name, failed in zip(found, results, strict=True) if not failed]
        self.used += len(found)
        return found

    def _read(self, folder: int, names: list[bytes], start: int) -> list[int]:
        places = self.places[start : start + len(names)]
        flags, mask = repeat(_NOT_A_LINKS_TARGET), repeat(_BASIC)
        return list(map(self.call, repeat(folder), names, flags, mask, places))

    def look_all(self, folder: int, paths: list[bytes]) -> None:
        """Read the attributes of every path; one that has none gets the mode 0."""
        for start in range(0, len(paths), CAPACITY):
            part = paths[start : start + CAPACITY]
            self._cut()
            results = self._read(folder, part, 0)
            if any(results):
                for n, failed in enumerate(results):
                    if failed:
                        self.buffer[n * _ENTRY : (n + 1) * _ENTRY] = bytes(_ENTRY)
            self.used = len(part)

    def modes(self, count: int) -> list[int]:
        """Return the modes of the last `count` names."""
        first, step = _MODE
        start = first + step * (self.used - count)
        return list(self.views["H"][start : first + step * self.used : step])

    def identity(self, count: int, n: int) -> tuple[int, int]:
        """Return device and inode of one of the last `count` names."""
        at = self.used - count + n
        major, minor, step = _DEV
        numbers = self.views["I"]
        device = os.makedev(numbers[major + step * at], numbers[minor + step * at])
        return device, self.views["Q"][_INO[0] + _INO[1] * at]

    def _cut(self) -> None:
        for (code, offset), column in zip(_LAYOUT.values(), self.cut, strict=True):
            view = self.views[code]
            step, first = _ENTRY // view.itemsize, offset // view.itemsize
            column.append(view[first : first + step * self.used : step].tobytes())
        self.used = 0

    def take(self) -> list[bytes]:
        """Return the columns of all that was read since the last time."""
        self._cut()
        columns = [b"".join(column) for column in self.cut]
        self.cut = [[] for _ in COLUMNS]
        return columns


def _statx() -> Callable[..., int]:
    if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "statx"):
        raise OSError(38, "no statx here")
    # Without `argtypes`: numbers go as `int`, bytes as `char *`, which is what the call takes, and
    # a fifth of the time is saved.
    call: Callable[..., int] = ctypes.CDLL(None, use_errno=True).statx
    return call


class Stat:
    """Attributes by `os.stat`, wherever Python runs on POSIX."""

    name = "stat"

    def __init__(self) -> None:
        self.columns = [array(code) for code in COLUMNS.values()]
        self.seen: list[os.stat_result] = []
        self.told: list[int] = []

    def look(self, folder: int, names: list[bytes]) -> list[bytes]:
        """Read the attributes of names in an open folder; return the names that have any."""
        self.seen = []
        found = []
        for name in names:
            try:
                self.seen.append(os.stat(name, dir_fd=folder, follow_symlinks=False))
            except OSError:
                continue
            found.append(name)
        self.told = self._keep(self.seen)
        return found

    def look_all(self, folder: int, paths: list[bytes]) -> None:
        """Read the attributes of every path; one that has none gets the mode 0."""
        for path in paths:
            try:
                self._keep([os.stat(path, dir_fd=folder, follow_symlinks=False)])
            except OSError:
                for column in self.columns:
                    column.append(0)

    def _keep(self, seen: list[os.stat_result]) -> list[int]:
        """Add rows, and return the mode of each."""
        told = [mode_told(one) for one in seen]
        for mode, one in zip(told, seen, strict=True):
            mtime, ctime = one.st_mtime_ns, one.st_ctime_ns
            values = (
                mode, one.st_nlink, one.st_uid, one.st_ino, one.st_size, one.st_blocks,
                *divmod(mtime, 1_000_000_000), *divmod(ctime, 1_000_000_000),
                os.major(one.st_dev), os.minor(one.st_dev),
            )  # fmt: skip
            for column, value in zip(self.columns, values, strict=True):
                column.append(value)
        return told

    def modes(self, count: int) -> list[int]:
        """Return the modes of the last `count` names."""
        return self.told[len(self.told) - count :]

    def identity(self, count: int, n: int) -> tuple[int, int]:
        """Return device and inode of one of the last `count` names."""
        one = self.seen[len(self.seen) - count + n]
        return one.st_dev, one.st_ino

    def take(self) -> list[bytes]:
        """Return the columns of all that was read since the last time."""
        columns = [column.tobytes() for column in self.columns]
        self.columns = [array(code) for code in COLUMNS.values()]
        self.seen, self.told = [], []
        return columns

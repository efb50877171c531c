"""The same hands as `lock_kernel` where there is no flock, through the library `filelock`.

Best effort: it is written for Windows and has never run there. Windows locks are exclusive only,
so shared holders take turns, and a file that is open cannot be replaced, so a break needs the
holder's end.
"""

from __future__ import annotations

import io
import os
import sys

assert sys.platform == "win32"

from filelock import FileLock, Timeout  # noqa: E402 - only there


class _LockedFile(io.FileIO):
    """A lock file with the library's lock beside it: Windows locks bytes, and records are read."""

    def __init__(self, path: str, *, create: bool, write: bool) -> None:
        flags = os.O_RDWR | os.O_BINARY | os.O_NOINHERIT | (os.O_CREAT if create else 0)
        super().__init__(
            path, "r+b" if write else "rb", opener=lambda name, _flags: os.open(name, flags, 0o666)
        )
        self.held = FileLock(f"{path}.held")

    def close(self) -> None:
        super().close()
        self.held.release(force=True)


def open_raw(path: str, *, create: bool, write: bool) -> io.FileIO:
    """Open a lock file."""
    return _LockedFile(path, create=create, write=write)


def try_lock(file: io.FileIO, *, shared: bool = False) -> bool:
    """Lock the open file, or return False at once because somebody else holds it."""
    del shared
    assert isinstance(file, _LockedFile)
    try:
        file.held.acquire(timeout=0)
    except Timeout:
        return False
    return True


def unlock(file: io.FileIO) -> None:
    """Give the lock back and keep the file open."""
    assert isinstance(file, _LockedFile)
    file.held.release()


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read up to `size` bytes at `offset`."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def write_at(descriptor: int, data: bytes, offset: int) -> int:
    """Write at `offset` and return the number of bytes written."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, data)

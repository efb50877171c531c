"""The same hands as `lock_kernel` where there is no flock, through the library `filelock`.

Best effort: it is written for Windows and has never run there. Windows locks are exclusive only,
so shared holders take turns, and a file that is open cannot be replaced, so a break needs the
holder's end.
"""

from __future__ import annotations

import os
import sys

assert sys.platform == "win32"

from filelock import FileLock, Timeout

_locks: dict[int, FileLock] = {}


def open_file(path: str, *, create: bool) -> int:
    """Open a lock file for reading and writing; `create` makes it, but never its folder."""
    flags = os.O_RDWR | os.O_BINARY | os.O_NOINHERIT
    descriptor = os.open(path, flags | os.O_CREAT if create else flags, 0o666)
    # The lock sits in a file of its own: Windows locks bytes, and the record must stay readable.
    _locks[descriptor] = FileLock(f"{path}.held")
    return descriptor


def try_lock(descriptor: int, *, shared: bool) -> bool:
    """Lock the open file, or return False at once because another one holds it."""
    del shared
    try:
        _locks[descriptor].acquire(timeout=0)
    except Timeout:
        return False
    return True


def unlock(descriptor: int) -> None:
    """Give the lock back and keep the file open."""
    _locks[descriptor].release()


def close(descriptor: int) -> None:
    """Close the file and give its lock back."""
    lock = _locks.pop(descriptor, None)
    os.close(descriptor)
    if lock is not None:
        lock.release(force=True)


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Read up to `size` bytes at `offset`."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)


def write_at(descriptor: int, data: bytes, offset: int) -> int:
    """Write at `offset` and return the number of bytes written."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, data)

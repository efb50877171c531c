"""The kernel's part of a lock: open, lock without waiting, read and write in place.

A lock belongs to the open file, so two threads that open it twice exclude each other as two
processes do. Only closing gives it back: an explicit unlock in a forked child would take it away
from the parent.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    from autopack.io.lock_windows import close, open_file, read_at, try_lock, unlock, write_at
else:
    import fcntl

    _FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

    def open_file(path: str, *, create: bool) -> int:
        """Open a lock file for reading and writing; `create` makes it, but never its folder.

        Raises:
            OSError: It cannot be opened.
        """
        return os.open(path, _FLAGS | os.O_CREAT if create else _FLAGS, 0o666)

    def try_lock(descriptor: int, *, shared: bool) -> bool:
        """Lock the open file, or return False at once because another one holds it."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Give the lock back and keep the file open."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    close = os.close
    read_at = os.pread
    write_at = os.pwrite

__all__ = ["close", "open_file", "read_at", "same_file", "try_lock", "unlock", "write_at"]


def same_file(descriptor: int, path: str) -> bool:
    """Return whether the path still names the open file; a breaker puts a fresh one there."""
    try:
        named = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), named)

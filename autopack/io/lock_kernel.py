"""The kernel's part of a lock: open, lock without waiting, read and write in place.

A lock belongs to the open file, so two threads that open it twice exclude each other as two
processes do. A forked child closes its copies at once: otherwise it would keep the lock after its
parent's death. It must never unlock, which would take the lock away from the parent.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
import threading

from autopack.io.lock_refs import Refs

_opening = threading.RLock()
_opened: Refs[io.FileIO] = Refs()

if sys.platform == "win32":
    from autopack.io.lock_windows import open_raw, read_at, try_lock, unlock, write_at
else:
    import fcntl

    def open_raw(path: str, *, create: bool, write: bool) -> io.FileIO:
        """Open a lock file, which is a plain one: a pipe would wait, a link lead elsewhere."""
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise OSError(errno.EINVAL, "it is not a plain file", path)
        try:
            # One step for the interpreter: no signal can lose a descriptor in between.
            return io.FileIO(path, "r+b" if write else "rb")
        except FileNotFoundError:
            if not create:
                raise
        try:
            return io.FileIO(path, "x+b")
        except FileExistsError:  # somebody else made it meanwhile
            return io.FileIO(path, "r+b")

    def try_lock(file: io.FileIO, *, shared: bool = False) -> bool:
        """Lock the open file, or return False at once because somebody else holds it."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(file: io.FileIO) -> None:
        """Give the lock back and keep the file open."""
        fcntl.flock(file, fcntl.LOCK_UN)

    read_at, write_at = os.pread, os.pwrite

__all__ = ["forking_waits", "open_file", "read_at", "same_file", "try_lock", "unlock", "write_at"]


def open_file(path: str, *, create: bool = False, write: bool = True) -> io.FileIO:
    """Open a lock file; `create` makes it, but never its folder. It can be locked without `write`.

    A file object and not a number: it closes itself when an exception, a signal's for one, loses
    it, and closing it twice is harmless.

    Raises:
        OSError: It cannot be opened.
    """
    with _opening:
        file = open_raw(path, create=create, write=write)
        _opened.add(file)
    return file


def forking_waits() -> threading.RLock:
    """Return the lock under which no thread of this process forks."""
    return _opening


def same_file(file: io.FileIO, path: str) -> bool:
    """Return whether the path still names the open file; a breaker puts a fresh one there.

    One that another thread has closed meanwhile is no file of anybody's.
    """
    try:
        named = os.stat(path, follow_symlinks=False)
        return os.path.samestat(os.fstat(file.fileno()), named)
    except (FileNotFoundError, ValueError):
        return False


def _drop_copies() -> None:
    """Close, in a forked child, every lock file that the parent had open."""
    for file in list(_opened):
        file.close()
    _opened.clear()
    _opening.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_opening.acquire,
        after_in_parent=_opening.release,
        after_in_child=_drop_copies,
    )

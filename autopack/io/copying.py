"""Copies across filesystems, and the one place where a person's bytes are removed.

A copy keeps mode, times, holes and extended attributes, and the owner where that is allowed.
Something is only removed when another place holds the same bytes, nobody has it open for writing,
and nobody can open it until it is gone (on systems with leases).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from autopack.io import fingerprint
from autopack.io.beneath import enter
from autopack.io.fingerprint import NotPlain, digest_of, names_in, open_plain

if TYPE_CHECKING:
    from autopack.io.locks import Fence

Place = tuple[int, str]
"""A name in an open folder."""


def copy(source: Place, target: Place) -> list[str]:
    """Copy a file or folder to a free name, all of it on disk; return the attributes lost.

    Raises:
        FileExistsError: The name is taken.
        NotPlain: There is something in it that is neither file, folder nor link.
        OSError: It cannot be read or written.
    """
    found = os.stat(source[1], dir_fd=source[0], follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return _copy_folder(source, target, found)
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(source[1], dir_fd=source[0]), target[1], dir_fd=target[0])
        return []
    with open_plain(*source) as old, _made(target) as new:
        _copy_bytes(old, new, found.st_size)
        lost = _keep(old, new, os.fstat(old))
        os.fsync(new)
    return lost


@contextmanager
def _made(target: Place) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(target[1], flags, 0o600, dir_fd=target[0])
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_folder(source: Place, target: Place, found: os.stat_result) -> list[str]:
    os.mkdir(target[1], 0o700, dir_fd=target[0])
    old, new = enter(source[0], source[1]), enter(target[0], target[1])
    try:
        lost = [
            word for entry in names_in(old) for word in copy((old, entry.name), (new, entry.name))
        ]
        lost += _keep(old, new, found)
        os.fsync(new)
    finally:
        os.close(old)
        os.close(new)
    return lost


def _copy_bytes(old: int, new: int, size: int) -> None:
    """Copy what is data; holes stay holes."""
    at = 0
    while at < size:
        start, end = _next_data(old, at, size)
        while start < end:
            block = os.pread(old, min(fingerprint.CHUNK, end - start), start)
            if not block:
                break
            _write_all(new, block, start)
            start += len(block)
        at = end
    os.ftruncate(new, size)


def _next_data(descriptor: int, at: int, size: int) -> tuple[int, int]:
    try:
        start = os.lseek(descriptor, at, os.SEEK_DATA)
        return start, min(size, os.lseek(descriptor, start, os.SEEK_HOLE))
    except OSError as error:
        if error.errno == errno.ENXIO:  # only a hole is left
            return size, size
        return at, size


def _write_all(descriptor: int, block: bytes, at: int) -> None:
    view = memoryview(block)
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def _keep(old: int, new: int, found: os.stat_result) -> list[str]:
    """Give a copy the attributes of its original; return the names of those that it cannot have."""
    with contextlib.suppress(PermissionError):
        os.fchown(new, found.st_uid, found.st_gid)
    os.fchmod(new, stat.S_IMODE(found.st_mode))
    lost = [] if os.fstat(new).st_uid == found.st_uid else ["owner"]
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        lost.append("its other names")
    for name in _attributes(old):
        try:
            os.setxattr(new, name, os.getxattr(old, name))
        except OSError:
            lost.append(name)
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    return lost


def _attributes(descriptor: int) -> list[str]:
    if not hasattr(os, "listxattr"):
        return []
    try:
        return os.listxattr(descriptor)
    except OSError:  # a filesystem without them
        return []


# --- removal ----------------------------------------------------------------------------------


def remove_held(victim: Place, keeper: Place, fence: Fence) -> bool:
    """Remove a file or folder as far as `keeper` holds the same; return whether all of it went."""
    found = os.stat(victim[1], dir_fd=victim[0], follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return _remove_folder(victim, keeper, fence)
    if stat.S_ISLNK(found.st_mode):
        return _remove_link(victim, keeper, fence)
    try:
        with open_plain(*victim) as going, open_plain(*keeper) as staying:
            return _remove_file(going, staying, victim, fence)
    except (FileNotFoundError, NotADirectoryError, NotPlain):
        return False


def _remove_file(going: int, staying: int, victim: Place, fence: Fence) -> bool:
    with unwritten(going):
        mine, kept = os.fstat(going), os.fstat(staying)
        if os.path.samestat(mine, kept) or mine.st_size != kept.st_size:
            return False
        if digest_of(going) != digest_of(staying):
            return False
        with fence():
            named = os.stat(victim[1], dir_fd=victim[0], follow_symlinks=False)
            still = os.path.samestat(named, mine) and named.st_mtime_ns == mine.st_mtime_ns
            if still:
                os.unlink(victim[1], dir_fd=victim[0])
            return still


def _remove_link(victim: Place, keeper: Place, fence: Fence) -> bool:
    try:
        same = os.readlink(victim[1], dir_fd=victim[0]) == os.readlink(keeper[1], dir_fd=keeper[0])
    except OSError:
        return False
    with fence():
        if same:
            os.unlink(victim[1], dir_fd=victim[0])
    return same


def _remove_folder(victim: Place, keeper: Place, fence: Fence) -> bool:
    try:
        staying = enter(keeper[0], keeper[1])
    except (FileNotFoundError, NotADirectoryError):
        return False
    going = enter(victim[0], victim[1])
    try:
        names = [entry.name for entry in names_in(going)]
        went = [remove_held((going, name), (staying, name), fence) for name in names]
    finally:
        os.close(going)
        os.close(staying)
    if not all(went):
        return False
    with fence():
        return _removed_empty(victim)


def _removed_empty(victim: Place) -> bool:
    try:
        os.rmdir(victim[1], dir_fd=victim[0])
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):  # something came meanwhile
            return False
        raise
    return True


def discard_copy(place: Place) -> None:
    """Remove an unfinished copy, which nobody else has ever seen; nothing there is fine."""
    try:
        found = os.stat(place[1], dir_fd=place[0], follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(place[1], dir_fd=place[0])
        return
    folder = enter(place[0], place[1])
    try:
        os.fchmod(folder, 0o700)
        for entry in names_in(folder):
            discard_copy((folder, entry.name))
    finally:
        os.close(folder)
    os.rmdir(place[1], dir_fd=place[0])


@contextmanager
def unwritten(descriptor: int) -> Iterator[None]:
    """Keep writers from opening a file in the body, where the system can.

    Raises:
        BlockingIOError: Somebody has it open for writing.
    """
    if not _lease(descriptor, fcntl.F_RDLCK):
        yield
        return
    try:
        yield
    finally:
        _lease(descriptor, fcntl.F_UNLCK)


def _lease(descriptor: int, kind: int) -> bool:
    """Take or drop a read lease; False where there are none, or not for another user's file."""
    if sys.platform != "linux":
        return False
    try:
        # A writer who waits is announced by SIGIO, which would end this process; SIGURG is ignored.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, kind)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True

"""Who a file or a folder is: where it lies, when it was written, and a digest."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from autopack.io.beneath import enter
from autopack.tidy.moves import Identity

CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotPlain(OSError):
    """It is a link, a pipe, a socket or a device, and these are not moved."""

    def __init__(self, name: str, mode: int) -> None:
        super().__init__(errno.EINVAL, f"it is {_kind(mode)}, not a file or folder", name)


def fingerprint(folder: int, name: str) -> Identity:
    """Return the identity of a file or folder by its name in an open folder.

    Raises:
        NotPlain: It is neither.
        OSError: It is not there, or cannot be read.
    """
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return _of_folder(folder, name, found)
    if not stat.S_ISREG(found.st_mode):  # a pipe would wait, a device might do anything
        raise NotPlain(name, found.st_mode)
    with open_plain(folder, name) as descriptor:
        digest = digest_of(descriptor)
        now = os.fstat(descriptor)
    return Identity(now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, digest)


@contextmanager
def open_plain(folder: int, name: str) -> Iterator[int]:
    """Open a regular file for reading, never through a link and without waiting."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise NotPlain(
                name, os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            ) from None
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise NotPlain(name, mode)
        yield descriptor
    finally:
        os.close(descriptor)


def digest_of(descriptor: int) -> str:
    """Return the BLAKE2b of an open file, from its beginning."""
    digest, at = blake2b(digest_size=32), 0
    while block := os.pread(descriptor, CHUNK, at):
        digest.update(block)
        at += len(block)
    return digest.hexdigest()


def names_in(folder: int) -> list[os.DirEntry[str]]:
    """Return the entries of an open folder, by name."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def _of_folder(parent: int, name: str, found: os.stat_result) -> Identity:
    digest = blake2b(digest_size=32)
    size = newest = 0
    for path, inner, target in _tree(parent, name, ""):
        file = stat.S_ISREG(inner.st_mode)
        told = (inner.st_size, inner.st_mtime_ns) if file else (0, 0)
        size, newest = size + told[0], max(newest, told[1])
        line = f"{path}\0{stat.S_IFMT(inner.st_mode)}\0{told}\0{target}\0\0"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return Identity(found.st_dev, found.st_ino, size, newest, digest.hexdigest(), "folder")


def _tree(parent: int, name: str, above: str) -> Iterator[tuple[str, os.stat_result, str]]:
    """Yield what is in a folder, in order: path, what it is, and where a link points."""
    folder = enter(parent, name)
    try:
        for entry in names_in(folder):
            path = f"{above}/{entry.name}"
            inner = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            link = stat.S_ISLNK(inner.st_mode)
            yield path, inner, os.readlink(entry.name, dir_fd=folder) if link else ""
            if stat.S_ISDIR(inner.st_mode):
                yield from _tree(folder, entry.name, path)
    finally:
        os.close(folder)


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "something else")

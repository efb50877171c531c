"""Folders of a workspace, opened one by one from its root, never through a symbolic link."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened_root(root: Path) -> Iterator[int]:
    """Open the workspace itself, which may be named through links."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened(root: int, folder: str, *, make: bool = False) -> Iterator[int]:
    """Open a folder below the root; `make` creates what is missing, each name on disk at once.

    Raises:
        NotADirectoryError: Something on the way is a link or a file.
        OSError: It is not there, or may not be entered.
    """
    descriptor = os.dup(root)
    try:
        for part in folder.split("/") if folder else ():
            inner = _enter(descriptor, part, make)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(descriptor: int, part: str, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, dir_fd=descriptor)
            os.fsync(descriptor)
    return os.open(part, _FOLDER, dir_fd=descriptor)


def enter(descriptor: int, name: str) -> int:
    """Open a folder inside an open one; the caller closes it."""
    return _enter(descriptor, name, make=False)


def split(path: str) -> tuple[str, str]:
    """Return the folder and the name of a path."""
    folder, _, name = path.rpartition("/")
    return folder, name


def look(descriptor: int, name: str) -> os.stat_result | None:
    """Return what is at a name, itself and not what it points at; None where nothing is."""
    try:
        return os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None


def missing_folders(root: int, folder: str) -> tuple[str, ...]:
    """Return the folders on the way that are not there, outermost first; none behind a link."""
    parts = folder.split("/") if folder else []
    for n in range(len(parts)):
        try:
            with opened(root, "/".join(parts[: n + 1])):
                pass
        except FileNotFoundError:
            return tuple("/".join(parts[: k + 1]) for k in range(n, len(parts)))
        except OSError:  # whoever goes there will say so
            return ()
    return ()


def drop_empty(root: int, folders: tuple[str, ...]) -> None:
    """Remove those of these folders that are empty, innermost first."""
    for path in reversed(folders):
        folder, name = split(path)
        with contextlib.suppress(OSError), opened(root, folder) as parent:
            os.rmdir(name, dir_fd=parent)


def sync(root: int, folder: str) -> None:
    """Wait until the names in a folder are on disk; one that is gone needs nothing."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), opened(root, folder) as held:
        os.fsync(held)

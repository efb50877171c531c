"""A private temporary folder that is gone afterwards, whatever a program left in it."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autopack.io.beneath import enter, opened_root


@contextmanager
def private_folder(prefix: str) -> Iterator[str]:
    """Give the path of a new folder that nobody else may enter; what cannot go stays."""
    path = os.path.realpath(tempfile.mkdtemp(prefix=prefix))
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.chmod(path, 0o700)
            with opened_root(Path(path)) as top:
                _empty(top)
            os.rmdir(path)


def _empty(top: int) -> None:
    """Remove everything in a folder; folders are lifted to its top, so depth costs nothing."""
    numbers = itertools.count()
    before: set[str] = set()
    while (names := set(os.listdir(top))) and names != before:
        before = names
        for name in names:
            with contextlib.suppress(OSError):
                _drop(top, name, numbers)


def _drop(top: int, name: str, numbers: Iterator[int]) -> None:
    if _unlinked(top, name):
        return
    folder = enter(top, name)
    try:
        for inner in os.listdir(folder):
            with contextlib.suppress(OSError):
                if not _unlinked(folder, inner):
                    lifted = f"{name[:80]}-{next(numbers)}.lifted"
                    os.rename(inner, lifted, src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _unlinked(folder: int, name: str) -> bool:
    """Remove a name that is no folder; a folder is opened up for its owner, never a link."""
    try:
        os.unlink(name, dir_fd=folder)
    except (IsADirectoryError, PermissionError):
        flags = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=folder)
        try:
            with contextlib.suppress(OSError):
                os.chmod(f"/proc/self/fd/{descriptor}", 0o700)
        finally:
            os.close(descriptor)
        return False
    return True

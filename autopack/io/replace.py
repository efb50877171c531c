"""Replace a person's file as a whole, only while it still holds what was read."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import Refused, Unreachable

if TYPE_CHECKING:
    from autopack.io.locks import Fence

_PREFIX = ".autopack-"
_SUFFIX = ".tmp"


def replace_file(root: Path, name: str, old: bytes | None, new: bytes, fence: Fence) -> None:
    """Put `new` where the file `name` of a workspace holds `old`; None means there is no file.

    The new content is on disk before it takes the name, so a crash leaves one of the two whole.
    It takes the name inside `fence()`, which raises when this run has lost its lock. A file that
    is new never takes the place of another; folders that it needs are made.

    Raises:
        Refused: The file has changed since it was read, or leads out of the workspace, or the lock
            was lost.
        Unreachable: The disk is full, or the folder cannot be written.
    """
    path = _inside(root, name)
    try:
        if old is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        with _written(path, new) as made, fence():
            _still(path, name, old)
            if old is None:
                os.link(made, path)
            else:
                os.replace(made, path)
    except FileExistsError:
        raise _changed(name) from None
    except OSError as error:
        raise _failed(name, error) from error
    with contextlib.suppress(OSError):  # the file is there; only its name may not be on disk yet
        sync_folder(path.parent)


def remove_file(root: Path, name: str, old: bytes, fence: Fence) -> None:
    """Take away the file `name` of a workspace while it holds `old`, inside `fence()`.

    Raises what `replace_file` raises.
    """
    path = _inside(root, name)
    try:
        with fence():
            _still(path, name, old)
            path.unlink()
    except OSError as error:
        raise _failed(name, error) from error
    with contextlib.suppress(OSError):  # it is gone; only that may not be on disk yet
        sync_folder(path.parent)


def check_unchanged(root: Path, name: str, old: bytes | None) -> None:
    """Raise `Refused` if a file no longer holds what was read, None for no file."""
    try:
        _still(root / name, name, old)
    except OSError as error:
        raise _failed(name, error) from error


def check_replaceable(root: Path, name: str, old: bytes | None) -> None:
    """Raise what `replace_file` would raise now, without writing."""
    path = _inside(root, name)
    try:
        _still(path, name, old)
        if not os.access(standing(path.parent), os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _failed(name, error) from error


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise Refused(
            f"{name} is a link out of the workspace", next_step=f"make {name} a plain file"
        )
    return path


def standing(folder: Path) -> Path:
    """Return the nearest folder that is there."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _still(path: Path, name: str, old: bytes | None) -> None:
    if _digest(path) != (None if old is None else sha256(old).digest()):
        raise _changed(name)


def _changed(name: str) -> Refused:
    return Refused(
        f"{name} has changed since it was read; nothing was written to it",
        next_step="run the same command again",
    )


def _failed(name: str, error: OSError) -> Unreachable:
    return Unreachable(
        f"{name}: {error.strerror or error}; it holds what it held before",
        next_step="free disk space or fix the permissions, then run again",
        permanent=True,
    )


def _digest(path: Path) -> bytes | None:
    try:
        return sha256(path.read_bytes()).digest()
    except FileNotFoundError:
        return None


@contextmanager
def _written(path: Path, new: bytes) -> Iterator[str]:
    """Give the name of a finished file beside `path`; it is gone afterwards, one way or other."""
    descriptor, name = tempfile.mkstemp(_SUFFIX, _PREFIX, path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            _keep_rights(path, file.fileno())
            os.fsync(file.fileno())
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _keep_rights(path: Path, descriptor: int) -> None:
    """Give the new file the mode and, where allowed, the owner of the one it replaces."""
    try:
        before = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    os.fchmod(descriptor, before.st_mode & 0o7777)
    with contextlib.suppress(PermissionError):
        os.fchown(descriptor, before.st_uid, before.st_gid)


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what killed writers of a folder left; only for the one who holds its lock."""
    for left in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # a folder of that name is nobody's
            left.unlink()

"""Replace a person's file as a whole, only while it still holds what was read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Busy, Refused, Unreachable

WAIT_S = 10.0
"""How long a writer waits for another one in the same folder."""
_PREFIX = ".autopack-"
_SUFFIX = ".tmp"


def replace_file(root: Path, name: str, old: bytes | None, new: bytes) -> None:
    """Put `new` where the file `name` of a workspace holds `old`; None means there is no file.

    The new content is on disk before it takes the name, so a crash leaves one of the two whole.

    Raises:
        Refused: The file has changed since it was read, or leads out of the workspace.
        Unreachable: The disk is full, or the folder cannot be written.
    """
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise Refused(
            f"{name} is a link out of the workspace", next_step=f"make {name} a plain file"
        )
    try:
        if _digest(path) != (None if old is None else sha256(old).digest()):
            raise Refused(
                f"{name} has changed since it was read; nothing was written to it",
                next_step="run the same command again",
            )
        _put(path, new)
        _sync_folder(path.parent)
    except OSError as error:
        raise Unreachable(
            f"{name}: {error.strerror or error}; it holds what it held before",
            next_step="free disk space or fix the permissions, then run again",
            permanent=True,
        ) from error


def _digest(path: Path) -> bytes | None:
    try:
        return sha256(path.read_bytes()).digest()
    except FileNotFoundError:
        return None


def _put(path: Path, new: bytes) -> None:
    descriptor, name = tempfile.mkstemp(_SUFFIX, _PREFIX, path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(new)
            file.flush()
            _keep_rights(path, file.fileno())
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


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


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what killed writers of a folder left; only for the one who holds its lock."""
    for left in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        left.unlink(missing_ok=True)


@contextmanager
def only_writer(folder: Path, deadline: Deadline) -> Iterator[None]:
    """Hold a folder's kernel lock, which needs no file of its own.

    Raises:
        Busy: Another writer held it for `WAIT_S`, or until the deadline.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + deadline.cap(WAIT_S, f"waiting to write in {folder.name}/")
        while not _locked(descriptor):
            if time.monotonic() >= until:
                raise Busy(f"another program is writing in {folder.name}/", next_step="run again")
            time.sleep(0.01)
        sweep(folder)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

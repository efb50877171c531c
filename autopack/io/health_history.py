"""The file of earlier looks: read, and appended to, under its own flock."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autopack.errors import Unreachable
from autopack.health.history import MOST, Look, parse
from autopack.io.replace import sync_folder
from autopack.state_files import HEALTH

_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""A link is not followed, and a pipe is not waited for."""


def read(root: Path) -> tuple[list[Look], int]:
    """Return the earlier looks at a workspace, and how many lines of the file were none.

    Raises:
        Unreachable: The file is there, and cannot be read.
    """
    try:
        with _opened(root / HEALTH, os.O_RDONLY) as descriptor:
            return parse(_text(descriptor).split("\n"))
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise _failed(error) from None


def keep(root: Path, look: Look) -> None:
    """Append a look, and drop the oldest beyond `MOST`; two at once wait for each other.

    Raises:
        Unreachable: The file cannot be written.
    """
    path = root / HEALTH
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path) as descriptor:
            before = _text(descriptor)
            _append(descriptor, look, before)
            looks, _ = parse([*before.split("\n"), look.line()])
            if len(looks) > MOST + MOST // 10:
                _replace(path, looks[-MOST:])
        sync_folder(path.parent)
    except OSError as error:
        raise _failed(error) from None


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | _SAFE, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "it is no plain file")
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Give the history under its flock, whichever file has its name by then."""
    while True:
        with _opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(path, descriptor):
                yield descriptor
                return


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _text(descriptor: int) -> str:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read().decode("utf-8", "replace")


def _append(descriptor: int, look: Look, before: str) -> None:
    torn = before and not before.endswith("\n")  # what was cut short stays on a line of its own
    _write(descriptor, ("\n" if torn else "") + look.line())


def _replace(path: Path, looks: list[Look]) -> None:
    """Put a shorter history in place as a whole; what a crash leaves is taken up by the next."""
    made = path.with_name(f"{path.name}.new")
    with _opened(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
        _write(descriptor, "".join(look.line() for look in looks))
    os.replace(made, path)


def _write(descriptor: int, text: str) -> None:
    data = text.encode()
    if os.write(descriptor, data) != len(data):
        raise OSError(None, "the disk took only a part of the line")
    os.fsync(descriptor)


def _failed(error: OSError) -> Unreachable:
    return Unreachable(
        f"{HEALTH}: {error.strerror or error}",
        next_step="free disk space or fix the permissions, then run again",
    )

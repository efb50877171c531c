"""The file of earlier looks: read, and appended to, under its own flock."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from autopack.errors import Unreachable
from autopack.health.history import MOST, Look, parse
from autopack.io.replace import sync_folder
from autopack.state_files import HEALTH


def read(root: Path) -> tuple[list[Look], int]:
    """Return the earlier looks at a workspace, and how many lines of the file were none.

    Raises:
        Unreachable: The file is there, and cannot be read.
    """
    try:
        text = (root / HEALTH).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise _failed(error) from None
    return parse(text.split("\n"))


def keep(root: Path, look: Look) -> None:
    """Append a look, and drop the oldest beyond `MOST`; two at once wait for each other.

    Raises:
        Unreachable: The file cannot be written.
    """
    path = root / HEALTH
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _append(descriptor, look)
        finally:
            os.close(descriptor)
        sync_folder(path.parent)
    except OSError as error:
        raise _failed(error) from None


def _append(descriptor: int, look: Look) -> None:
    size = os.fstat(descriptor).st_size
    before = os.pread(descriptor, size, 0).decode("utf-8", "replace")
    line = look.line()
    if before and not before.endswith("\n"):  # a write that was cut short stays on its own line
        line = "\n" + line
    looks, _ = parse([*before.split("\n"), line])
    if len(looks) > MOST + MOST // 10:
        os.ftruncate(descriptor, 0)
        line = "".join(one.line() for one in looks[-MOST:])
    data = line.encode()
    if os.write(descriptor, data) != len(data):
        raise OSError(None, "the disk took only a part of the line")
    os.fsync(descriptor)


def _failed(error: OSError) -> Unreachable:
    return Unreachable(
        f"{HEALTH}: {error.strerror or error}",
        next_step="free disk space or fix the permissions, then run again",
    )

"""Make folders that are missing, and remove those that are empty."""

from __future__ import annotations

import errno
from pathlib import Path

from autopack.errors import Unreachable
from autopack.io.locks import Fence


def make_folder(root: Path, path: str, fence: Fence) -> None:
    """Make a folder of the workspace, with those above it; one that is there stays as it is.

    Raises:
        Unreachable: It cannot be made.
    """
    try:
        with fence():
            (root / path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unreachable(
            f"{path}: {error.strerror or error}", next_step="fix the permissions, then run again",
            permanent=True,
        ) from error  # fmt: skip


def remove_if_empty(root: Path, path: str, fence: Fence) -> bool:
    """Remove a folder if nothing is in it; return whether it is gone.

    Raises:
        Unreachable: It may not be removed.
    """
    try:
        with fence():
            (root / path).rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise Unreachable(
            f"{path}: {error.strerror or error}", next_step="fix the permissions, then run again",
            permanent=True,
        ) from error  # fmt: skip
    return True

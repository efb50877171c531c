"""Whether this system has what scans and acts on trees rest on; else they say so and stop."""

from __future__ import annotations

import os
import sys

from autopack.errors import Refused

_CALLS = ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK")


def check_opening() -> None:
    """Make sure that folders can be opened from folders here, never through a link.

    Raises:
        Refused: They cannot, so no tree may be scanned or changed.
    """
    if os.open not in os.supports_dir_fd or not all(hasattr(os, name) for name in _CALLS):
        raise Refused(
            "this system cannot open a folder without following links, so no tree is scanned or "
            "changed on it",
            next_step="run on Linux or macOS",
        )


def check_platform() -> None:
    """Make sure that things can be moved safely here.

    Raises:
        Refused: They cannot, so nothing may be moved.
    """
    check_opening()
    if sys.platform == "linux" and not os.access("/proc/self/mountinfo", os.R_OK):
        raise Refused(
            "/proc/self/mountinfo cannot be read, so nobody can tell where other filesystems begin",
            next_step="mount /proc, then run again",
        )

"""Which checks passed on what, kept in the user's cache folder: one file per workspace.

Only what passed is kept. A file that is damaged or of another format is as good as none.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from autopack.io.git import checkout_id
from autopack.settings import cache_folder

_FORMAT = "autopack.preflight-cache/1"
_WAIT_S = 2.0
"""How long another run's write, which takes milliseconds, is waited for."""


def cache_file(root: Path) -> Path:
    """Return the name of a workspace's cache, which need not be there."""
    return cache_folder() / f"preflight-{checkout_id(root)}.json"


def load(root: Path) -> dict[str, str]:
    """Return the key under which each check passed last."""
    try:
        kept = json.loads(cache_file(root).read_bytes())
    except (OSError, ValueError):
        return {}
    passed = kept.get("passed") if isinstance(kept, dict) else None
    if not isinstance(passed, dict) or kept.get("format") != _FORMAT:
        return {}
    return {name: key for name, key in passed.items() if isinstance(key, str)}


def store(root: Path, passed: Mapping[str, str], before: Mapping[str, str]) -> Path:
    """Keep what a run has passed, and forget what it has not, of the passes that it found before.

    What another run has kept or forgotten meanwhile stays so.

    Raises:
        OSError: It cannot be written; the one before is still there.
    """
    path = cache_file(root)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(path.with_suffix(".lock")):
        now = {n: key for n, key in load(root).items() if n in passed or n not in before}
        return _put(path, now | {n: key for n, key in passed.items() if before.get(n) != key})


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep other runs from writing; where the system has no flock, the last one wins."""
    if os.name == "nt":
        yield
        return
    from fcntl import LOCK_EX

    from autopack.io.again import flock

    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        flock(descriptor, LOCK_EX, time.monotonic() + _WAIT_S, 0.02)
        yield
    finally:
        os.close(descriptor)


def _put(path: Path, passed: Mapping[str, str]) -> Path:
    """Put a cache in place as a whole, so that another run sees the old one or this one."""
    descriptor, made = tempfile.mkstemp(".tmp", f"{path.stem}-", path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump({"format": _FORMAT, "passed": dict(sorted(passed.items()))}, file)
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise
    return path

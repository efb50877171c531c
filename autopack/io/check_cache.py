"""Which checks passed on what, kept in the user's cache folder: one file per workspace.

Only what passed is kept. A file that is damaged or of another format is as good as none.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from autopack.io.git import checkout_id
from autopack.settings import cache_folder

_FORMAT = "autopack.preflight-cache/1"


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


def store(root: Path, passed: Mapping[str, str]) -> Path:
    """Put a cache in place as a whole, so that another run sees the old one or this one.

    Raises:
        OSError: It cannot be written; the one before is still there.
    """
    path = cache_file(root)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
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

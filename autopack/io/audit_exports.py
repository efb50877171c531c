"""Copies of the audit chain as files: never over another one, and with the chain's own bytes."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from autopack.audit.export import Export
from autopack.errors import Refused, Unreachable
from autopack.io.files import read_page
from autopack.io.replace import replace_file

MANIFEST = ".manifest.json"


def place(out: Path, made: Export) -> Path:
    """Return where an export goes: a folder gets a file named after its records."""
    return out / made.name if out.is_dir() else out


def keep(path: Path, made: Export, manifest: dict[str, Any]) -> list[Path]:
    """Write an export and its manifest; one that is there with the same bytes is kept as it is.

    Raises:
        Refused: Another file has one of the names.
        Unreachable: The folder cannot be written.
    """
    beside = path.with_name(path.name + MANIFEST)
    if read_page(path.parent, path.name) == made.data and beside.exists():
        return []
    for taken in (path, beside):
        if taken.is_symlink() or taken.exists():
            raise Refused(
                f"{taken} is there already; an export never replaces a file",
                next_step="pass another --out, or a folder: the file is then named by its records",
            )
    written = json.dumps(manifest, indent=1, sort_keys=True).encode() + b"\n"
    replace_file(path.parent, path.name, None, made.data, nullcontext)
    replace_file(path.parent, beside.name, None, written, nullcontext)
    return [path, beside]


def read(path: Path) -> tuple[bytes, Any]:
    """Return an export and its manifest, None where that is no JSON.

    Raises:
        Unreachable: One of them is not there or cannot be read.
    """
    both = [read_page(path.parent, name) for name in (path.name, path.name + MANIFEST)]
    if both[0] is None or both[1] is None:
        gone = path if both[0] is None else path.with_name(path.name + MANIFEST)
        raise Unreachable(
            f"there is no {gone}", next_step="pass --copy FILE of an export", permanent=True
        )
    try:
        return both[0], json.loads(both[1])
    except (ValueError, RecursionError):
        return both[0], None

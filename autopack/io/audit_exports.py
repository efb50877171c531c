"""Copies of the audit chain as files: never over another one, and with the chain's own bytes."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from autopack.audit.export import Export
from autopack.errors import Refused, Unreachable
from autopack.io.files import read_page
from autopack.io.replace import replace_file

MANIFEST = ".manifest.json"


def place(out: str, made: Export) -> Path:
    """Return where an export goes: a folder, or a name with a slash behind, gets a named file."""
    path = Path(out).expanduser()
    return path / made.name if out.endswith("/") or path.is_dir() else path


def newest(out: str) -> tuple[Path, int] | None:
    """Return the export in a folder that goes furthest, and its last record's number."""
    paths = Path(out).expanduser().glob("audit-*.jsonl")
    ends = {int(match[1]): path for path in paths if (match := _named(path))}
    return (ends[max(ends)], max(ends)) if ends else None


def _named(path: Path) -> re.Match[str] | None:
    return re.fullmatch(r"audit-\d{8,}-(\d{8,})\.jsonl", path.name)


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
            f"there is no {gone}", next_step="pass --exported FILE of an export", permanent=True
        )
    try:
        return both[0], json.loads(both[1])
    except (ValueError, RecursionError):
        return both[0], None

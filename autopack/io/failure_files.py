"""Find and read the artefacts that failed runs left; nothing here writes."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.io.tree import leads_out, read_tree
from autopack.state_files import RUNS

_REPORTS = frozenset({".json", ".txt"})
_OURS = frozenset({"reports"})


class Artefact(NamedTuple):
    """A file that may tell of failures, by its path in the workspace, and the run it lies in."""

    name: str
    run: str


def find_artefacts(root: Path, deadline: Deadline) -> list[Artefact]:
    """Return every error report and every log below the runs, in the order of their names.

    A report is a `.json` or `.txt` in a folder `errors`; its run is the folder above. Folders that
    begin with a dot or an underscore are the program's own.
    """
    if not (root / RUNS).is_dir():
        return []
    names = sorted(read_tree(root / RUNS, deadline).files)
    found = (_artefact(PurePosixPath(name)) for name in names)
    return [one for one in found if one is not None]


def _artefact(path: PurePosixPath) -> Artefact | None:
    if len(path.parts) < 2 or not _is_run(path.parts[0]):
        return None
    if path.parent.name == "errors" and path.suffix in _REPORTS and len(path.parts) > 2:
        return Artefact(f"{RUNS}/{path}", path.parts[-3])
    return Artefact(f"{RUNS}/{path}", path.parts[0]) if path.suffix == ".log" else None


def _is_run(name: str) -> bool:
    return name[0] not in "._" and name not in _OURS


def read_part(root: Path, name: str, limit: int) -> tuple[bytes, bool]:
    """Return up to `limit` bytes of an artefact, and whether there are more.

    Raises:
        Unreachable: It cannot be read, is no file, or leads out of the workspace.
    """
    if leads_out(root, name):
        raise Unreachable(f"{name}: no file of this workspace", next_step="make it a plain file")
    try:
        with open(root / name, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise Unreachable(f"{name}: {error.strerror}", next_step="make it readable") from None
    return data[:limit], len(data) > limit


def run_folders(root: Path) -> dict[str, datetime]:
    """Return the folder of every run and when something in it last changed."""
    try:
        with os.scandir(root / RUNS) as entries:
            return {
                entry.name: datetime.fromtimestamp(entry.stat().st_mtime, UTC)
                for entry in entries
                if _is_run(entry.name) and entry.is_dir(follow_symlinks=False)
            }
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unreachable(f"{RUNS}: {error.strerror}", next_step="make it readable") from None

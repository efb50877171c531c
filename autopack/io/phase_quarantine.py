"""Keep what a phase did and may not have done: a patch, the files, a list. Nothing is undone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.io.phase_contents import Earlier, content_now
from autopack.io.phase_diff import Pair, patch_of
from autopack.io.phase_store import FOLDER
from autopack.io.replace import replace_file
from autopack.phases.census import Change, in_git
from autopack.phases.violations import Judged

if TYPE_CHECKING:
    from autopack.io.locks import Fence

MOST = 2000
"""Files whose copies are kept; the list names all."""
PATCH, LIST = "changes.patch", "violations.json"


def quarantine(root: Path, run: str, judged: Judged, earlier: Earlier, fence: Fence) -> list[str]:
    """Write what was found into a new folder of the run; return the files, the list at the end.

    The patch goes back with `git apply -R`; for what it cannot hold the list says why.
    """
    folder = _next(root, run)
    offending = [change for change, _ in judged.outside]
    pairs, unknown = _pairs(root, offending[:MOST], earlier)
    written = []

    def put(name: str, data: bytes) -> None:
        replace_file(root, f"{folder}/{name}", None, data, fence)
        written.append(f"{folder}/{name}")

    applied = {path: pair for path, pair in pairs.items() if not in_git(path)}
    put(PATCH, patch_of(applied, earlier.deadline))
    for path, (_, after) in pairs.items():
        if after.data is not None and not after.link:
            put(f"files/{_harmless(path)}", after.data)
    put(LIST, _list(judged, unknown))
    return written


def _harmless(path: str) -> str:
    """Return a name for a copy: git obeys what lies in a folder called `.git`."""
    names = ("dot-git" if in_git(name) else name for name in path.split("/"))
    return "/".join(names)


def _next(root: Path, run: str) -> str:
    number = 1
    while os.path.lexists(root / f"{FOLDER}/{run}/quarantine/{number}"):
        number += 1
    return f"{FOLDER}/{run}/quarantine/{number}"


def _pairs(
    root: Path, offending: Sequence[Change], earlier: Earlier
) -> tuple[dict[str, Pair], list[str]]:
    """Return what each name held and holds, and the paths of which one of the two is not known."""
    pairs: dict[str, Pair] = {}
    unknown = []
    for change in offending:
        before = earlier.content(change.path, change.before)
        after = content_now(root, change.path, change.after)
        if change.kind == "folder":
            continue
        if before is None or after is None:
            unknown.append(change.path)
        if after is not None and not _clash(change.path, pairs):
            pairs[change.path] = (before or after, after)
    return pairs, unknown


def _clash(path: str, pairs: dict[str, Pair]) -> bool:
    """Return whether a name above is a file too: one of the two was a folder before."""
    parts = path.split("/")
    return any("/".join(parts[:n]) in pairs for n in range(1, len(parts)))


def _list(judged: Judged, unknown: list[str]) -> bytes:
    rows = [
        {
            "path": change.path,
            "code": violation.code,
            "what": violation.words,
            "before": change.before and change.before._asdict(),
            "after": change.after and change.after._asdict(),
            "earlier_content": "unknown" if change.path in unknown else "in the patch",
        }
        for change, violation in judged.outside
    ]
    about_git = [{"path": v.path, "code": v.code, "what": v.words} for v in judged.about_git]
    return json.dumps({"violations": rows, "git": about_git}, indent=1).encode() + b"\n"

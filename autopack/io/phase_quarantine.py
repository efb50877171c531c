"""Keep what a phase did and may not have done: a patch, the files, a list. Nothing is undone."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.io.phase_contents import Earlier, sides
from autopack.io.phase_diff import Content, Pair, patch_of
from autopack.io.phase_store import FOLDER
from autopack.io.replace import replace_file
from autopack.phases.census import Change, in_git
from autopack.phases.violations import Judged

if TYPE_CHECKING:
    from autopack.io.locks import Fence

MOST = 2000
"""Files whose copies are kept; the list names all."""
LONGEST = 2048
"""Bytes of a path; a longer one has no room below the folders that a copy lies in."""
DEEPEST = 200
"""Folders above a name; deeper ones cannot be made and removed in one go."""
PATCH, LIST = "changes.patch", "violations.json"


def quarantine(root: Path, run: str, judged: Judged, earlier: Earlier, fence: Fence) -> list[str]:
    """Write what was found into a new folder of the run; return the files, the list at the end.

    The patch goes back with `git apply -R`; for what it cannot hold the list says why.
    """
    folder = _next(root, run)
    offending = [change for change, _ in judged.outside]
    pairs, unknown = _pairs(root, offending, earlier)
    written = []

    def put(name: str, data: bytes) -> None:
        replace_file(root, f"{folder}/{name}", None, data, fence)
        written.append(f"{folder}/{name}")

    applied = {path: pair for path, pair in pairs.items() if not in_git(path)}
    put(PATCH, patch_of(applied, earlier.deadline))
    for path, (_, after) in pairs.items():
        if after.data is not None and _copied(after):
            put(f"files/{_harmless(path)}", after.data)
    put(LIST, _list(judged, pairs, unknown))
    return written


def _copied(after: Content) -> bool:
    return after.data is not None and not after.link


def _harmless(path: str) -> str:
    """Return a name for a copy, no two alike: git obeys what lies in a folder called `.git`."""
    return "/".join(map(_renamed, path.split("/")))


def _renamed(name: str) -> str:
    if in_git(name):
        return f"dot-{name[1:]}"
    taken = name.startswith("dot-") and in_git(f".{name[4:].rstrip('_')}")
    return f"{name}_" if taken else name


def _next(root: Path, run: str) -> str:
    number = 1
    while os.path.lexists(root / f"{FOLDER}/{run}/quarantine/{number}"):
        number += 1
    return f"{FOLDER}/{run}/quarantine/{number}"


def _pairs(
    root: Path, offending: Sequence[Change], earlier: Earlier
) -> tuple[dict[str, Pair], list[str]]:
    """Return what each name held and holds, and the paths of which the first is not known."""
    pairs: dict[str, Pair] = {}
    unknown = []
    shown = [change for change in offending if change.kind != "folder" and _fits(change.path)]
    for change, before, after in sides(root, shown[:MOST], earlier):
        if before is None:
            unknown.append(change.path)
        if after is not None and not _clash(change.path, pairs):
            pairs[change.path] = (before or after, after)
    return pairs, unknown


def _fits(path: str) -> bool:
    return len(os.fsencode(path)) <= LONGEST and path.count("/") <= DEEPEST


def _clash(path: str, pairs: dict[str, Pair]) -> bool:
    """Return whether a name above is a file too: one of the two was a folder before."""
    parts = path.split("/")
    return any("/".join(parts[:n]) in pairs for n in range(1, len(parts)))


def _earlier(change: Change, pairs: dict[str, Pair], unknown: list[str]) -> str:
    """Return in words where what a name held can be had."""
    if change.before is None:
        return "there was none"
    known = change.path in pairs and change.path not in unknown
    return "in the patch" if known and not in_git(change.path) else "not kept"


def _list(judged: Judged, pairs: dict[str, Pair], unknown: list[str]) -> bytes:
    copied = {path for path, (_, after) in pairs.items() if _copied(after)}
    rows = [
        {
            "path": change.path,
            "code": violation.code,
            "what": violation.words,
            "before": change.before and change.before._asdict(),
            "after": change.after and change.after._asdict(),
            "earlier_content": _earlier(change, pairs, unknown),
            "copied": change.path in copied,
        }
        for change, violation in judged.outside
    ]
    about_git = [{"path": v.path, "code": v.code, "what": v.words} for v in judged.about_git]
    return json.dumps({"violations": rows, "git": about_git}, indent=1).encode() + b"\n"

"""What is on disk where a phase wants to write: links, second names, things that are no files."""

from __future__ import annotations

import os
import stat
import subprocess
from functools import cache
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.io.git import run_git
from autopack.io.tree import read_tree
from autopack.phases.codes import Code
from autopack.phases.rules import World

_LINK = b"120000"
_REPARSE_POINT = 0x400


def place_fault(root: Path, path: str) -> Code | None:
    """Return why the place of a canonical path may not be written, or None.

    No part may be a symbolic link (a junction, on Windows), a file may have one name only, and
    what is not there yet lies in folders. The answer holds for the moment of asking.
    """
    at = os.fspath(root)
    names = path.split("/")
    for number, name in enumerate(names, 1):
        at = f"{at}{os.sep}{name}"
        try:
            seen = os.lstat(at)
        except FileNotFoundError:
            return None
        except OSError:
            return "PS213"
        code = _kind_fault(seen, last=number == len(names))
        if code:
            return code
    return None


def _kind_fault(seen: os.stat_result, *, last: bool) -> Code | None:
    if _is_link(seen):
        return "PS211"
    if not last:
        return None if stat.S_ISDIR(seen.st_mode) else "PS213"
    if not stat.S_ISREG(seen.st_mode):
        return "PS213"
    return "PS212" if seen.st_nlink > 1 else None


def _is_link(seen: os.stat_result) -> bool:
    return stat.S_ISLNK(seen.st_mode) or bool(
        getattr(seen, "st_file_attributes", 0) & _REPARSE_POINT
    )


def world(root: Path, deadline: Deadline) -> World:
    """Return what the rules may ask about a workspace; files are listed when they first ask."""

    @cache
    def listed() -> tuple[tuple[str, ...], tuple[str, ...]]:
        return _listed(root, deadline)

    return World(
        lambda path: os.path.lexists(root / path),
        lambda path: _link_on(root, path),
        lambda: listed()[0],
        lambda: listed()[1],
    )


def _link_on(root: Path, path: str) -> str:
    """Return the first part of a path that is a symbolic link, "" if none is."""
    names = path.split("/")
    parts = ("/".join(names[:n]) for n in range(1, len(names) + 1))
    return next((part for part in parts if os.path.islink(root / part)), "")


def _listed(root: Path, deadline: Deadline) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return every file, and those that are links: what git tracks, or all outside a repository."""
    rows = _staged(root, deadline)
    if rows is None:
        tree = read_tree(root, deadline)
        links = tuple(sorted(p for p in tree.files if os.path.islink(root / p)))
        return tuple(sorted(tree.files)), links
    files = tuple(sorted({path for _, path in rows}))
    return files, tuple(path for mode, path in rows if mode == _LINK)


def _staged(root: Path, deadline: Deadline) -> list[tuple[bytes, str]] | None:
    """Return mode and path of every tracked file, or None where git knows none of them."""
    try:
        done = run_git(root, deadline, "ls-files", "-sz", limit_s=30, doing="listing tracked files")
    except OSError:
        return None
    except subprocess.TimeoutExpired:
        raise Unreachable("git ls-files did not end", next_step="git status") from None
    if done.returncode or not done.stdout:
        return None
    rows = (row.partition(b"\t") for row in done.stdout.split(b"\0") if row)
    return [(head[:6], os.fsdecode(path)) for head, _, path in rows]

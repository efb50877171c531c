"""One walk over a workspace: the names of its files, without asking about each link."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.links.tree import SKIPPED, Tree


class _Walk:
    """A tree on its way."""

    def __init__(self, root: Path, others: bool) -> None:
        self.root, self.others = root, others
        self.files: set[str] = set()
        self.folders: set[str] = {""}
        self.links: dict[str, str] = {}
        self.waiting = [""]

    def enter(self, folder: str) -> None:
        found = _entries(self.root, folder)
        if folder and not self.others and any(entry.name == ".git" for entry in found):
            return
        for entry in found:
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_symlink():
                self._link(entry, name)
            elif entry.is_file(follow_symlinks=False):
                self.files.add(name)
            elif entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED:
                self.folders.add(name)
                self.waiting.append(name)

    def _link(self, entry: os.DirEntry[str], name: str) -> None:
        """Note a symbolic link; a dangling one, or one that leads out, is still a file to git."""
        if os.path.isdir(entry.path):  # unlike `entry.is_dir()`, false for a link to itself
            self.folders.add(name)
            return
        self.files.add(name)
        real = os.path.realpath(entry.path)
        inside = os.path.relpath(real, os.path.realpath(self.root)).replace(os.sep, "/")
        self.links[name] = inside if os.path.isfile(real) and not inside.startswith("../") else ""


def read_tree(root: Path, deadline: Deadline, *, others: bool = True) -> Tree:
    """Return the workspace's files and folders; folders that are links are not entered.

    Without `others` other checkouts in it, submodules and worktrees, are folders without files.
    A link to a file inside stands for that file. A folder that may not be read counts as empty.
    Pipes, sockets and devices are left out: git has none, and to read one may never end.

    Raises:
        Unreachable: The workspace itself cannot be read.
        DeadlineExceeded: The deadline passed on the way.
    """
    walk = _Walk(root, others)
    while walk.waiting:
        deadline.check("walking the workspace")
        walk.enter(walk.waiting.pop())
    return Tree(frozenset(walk.files), frozenset(walk.folders), walk.links)


def look_up(root: Path, paths: Iterable[str]) -> set[str]:
    """Return those of some paths in skipped folders that are there, by their very names."""
    found = set()
    for path in paths:
        if not SKIPPED.isdisjoint(path.split("/")) and os.path.lexists(root / path):
            folder, _, last = path.rpartition("/")
            found |= {path} if last in _names(root, folder) else set()
    return found


def obstacle(root: Path, name: str) -> str:
    """Return why no new file can take a name, "" where one can: what no walk shows.

    That is a symbolic link among its folders, or a thing of that name which leads nowhere.
    """
    parts = name.split("/")
    for n in range(1, len(parts)):
        folder = "/".join(parts[:n])
        if os.path.islink(root / folder):
            return f"{folder} is a symbolic link"
    return "something of this name stands there" if os.path.lexists(root / name) else ""


def leads_out(root: Path, name: str) -> bool:
    """Return whether a file's name stands for something outside the workspace, or for nothing."""
    real = os.path.realpath(root / name)
    inside = os.path.commonpath([real, os.path.realpath(root)]) == os.path.realpath(root)
    return not inside or not os.path.isfile(real)


def _names(root: Path, folder: str) -> list[str]:
    try:
        return os.listdir(root / folder)
    except OSError:
        return []


def _entries(root: Path, folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root / folder) as found:
            return list(found)
    except OSError as error:
        if folder:
            return []
        raise Unreachable(
            f"{root}: {error.strerror}", next_step="make the workspace readable"
        ) from None

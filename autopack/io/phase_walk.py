"""Look at everything in a workspace, never through a symbolic link: names, digests, git's state."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.io.audit import AUDIT_FILE
from autopack.io.beneath import opened, opened_root
from autopack.io.fingerprint import NotPlain, digest_of, open_plain
from autopack.io.git import ask_git
from autopack.io.git_state import git_folders, refs_of
from autopack.phases.census import GIT, UNREADABLE, Census, Item, in_git
from autopack.phases.paths import fold
from autopack.state_files import AUDIT_HEADS

STATE = (
    AUDIT_FILE,
    AUDIT_HEADS,
    ".autonomous_runs/.locks",
    ".autonomous_runs/_index",
    ".autonomous_runs/phases",
    ".autonomous_runs/reports",
)
"""What this project's own runs write meanwhile; chain and snapshots tell if they are whole."""
_KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}  # fmt: skip
ANSWERS_WITHIN_S = 60
"""Longest time that git may need for its index."""
_NOTHING = Census(0, 0, {})
_OTHERS = (f"{GIT}/worktrees", f"{GIT}/common/worktrees")
"""Other worktrees of the same repository: somebody else works there."""
_OBJECTS = re.compile(
    r"/objects/((?:[0-9a-f]{2}|pack|tmp_objdir-[^/]+)(?:/.*)?"
    r"|info/(?!(?:http-)?alternates$).+|maintenance\.lock)$"
)
"""What a folder of objects has in it: loose ones, packs, and lists of them."""


def take_census(root: Path, deadline: Deadline, known: Census | None = None) -> Census:
    """Return everything that is in a workspace now; `known` saves reading what cannot have changed.

    Without `known`, what cannot be read is an error; with it, it is a difference.

    Raises:
        Unreachable: A folder or the workspace cannot be read.
        DeadlineExceeded: The deadline passed on the way.
    """
    walk = _Walk(known or _NOTHING, deadline)
    try:
        git = git_folders(root)
        with opened_root(root) as top:
            walk.everything(top)
        for folder, name in git.apart:
            with opened_root(folder) as top:
                walk.everything(top, name)
    except OSError as error:
        raise Unreachable(f"{root}: {error.strerror}", next_step="make it readable") from None
    if walk.unread and known is None:
        raise Unreachable(
            f"{walk.unread[0]} cannot be read, so nobody could tell whether it changed",
            next_step="make it readable for whoever begins the phase",
            permanent=True,
        )
    refs, index = refs_of(git), _index(root, deadline, walk, known)
    items = {path: item for path, item in walk.items.items() if not _told(path, item)}
    return Census(walk.taken_ns, walk.device, items, refs, index, walk.top)


class _Walk:
    """A census on its way."""

    def __init__(self, known: Census, deadline: Deadline) -> None:
        self.known = known
        self.deadline = deadline
        self.taken_ns = time.time_ns()
        self.device = 0
        self.items: dict[str, Item] = {}
        self.unread: list[str] = []
        self.top: Item | None = None

    def everything(self, top: int, name: str = "") -> None:
        """Look at all below an open folder; `name` stands in front of each path."""
        found = os.fstat(top)
        self.device = self.device or found.st_dev
        self.top = self.top or _folder_item(found)
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            self.deadline.check("looking at the workspace")
            try:
                with opened(top, folder) as descriptor:
                    waiting += self._folder(descriptor, folder, f"{name}/" if name else "")
            except OSError as error:
                if not folder:
                    raise
                path = f"{name}/{folder}" if name else folder
                self.unread.append(path)
                if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                    # It is there and may not be entered; the others were changed under us.
                    self.items[path] = self.items[path]._replace(digest=UNREADABLE)

    def _folder(self, descriptor: int, folder: str, above: str) -> list[str]:
        """Note what is in one folder, and return the folders to look into."""
        inner = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                below = f"{folder}/{entry.name}" if folder else entry.name
                path = above + below
                with suppress(FileNotFoundError):  # it went while we looked
                    found = entry.stat(follow_symlinks=False)
                    if _of_others(path, found.st_mode):
                        continue
                    self.items[path] = self._item(descriptor, entry.name, path, found)
                    if stat.S_ISDIR(found.st_mode) and not _objects(path):
                        inner.append(below)
        return inner

    def _item(self, folder: int, name: str, path: str, found: os.stat_result) -> Item:
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "device")
        if kind == "folder":
            return _folder_item(found)
        item = Item(
            kind, stat.S_IMODE(found.st_mode), found.st_size, found.st_mtime_ns, found.st_ctime_ns,
            found.st_ino, found.st_nlink, "", _owner(found),
        )  # fmt: skip
        if kind == "link":
            return item._replace(digest=os.readlink(name, dir_fd=folder))
        if kind != "file":
            return item._replace(size=0, mtime_ns=0, ctime_ns=0, digest=str(found.st_ino))
        return item._replace(digest=self._digest(folder, name, path, item))

    def _digest(self, folder: int, name: str, path: str, item: Item) -> str:
        if _semantic(path):
            return ""
        old = self.known.items.get(path)
        same_disk = self.known.device == self.device
        if old and same_disk and old.still(item, self.known.taken_ns) and old.digest != UNREADABLE:
            return old.digest
        try:
            with open_plain(folder, name) as descriptor:
                return digest_of(descriptor)
        except NotPlain:
            return UNREADABLE  # it was replaced while we looked
        except PermissionError:
            self.unread.append(path)
            return UNREADABLE


def _folder_item(found: os.stat_result) -> Item:
    mode = stat.S_IMODE(found.st_mode)
    return Item("folder", mode, 0, 0, 0, found.st_ino, 0, "", _owner(found))


def _of_others(path: str, mode: int) -> bool:
    """Return whether others may change a name meanwhile; a link in its place is nobody's."""
    is_file = path in (AUDIT_FILE, AUDIT_HEADS)
    return path in (*STATE, *_OTHERS) and (stat.S_ISREG if is_file else stat.S_ISDIR)(mode)


def _owner(found: os.stat_result) -> str:
    return f"{found.st_uid}:{found.st_gid}"


def _objects(path: str) -> bool:
    """Return whether a name is about git's objects, which say themselves what they are.

    Where git looks for more of them is another matter, and so is what only lies in a folder of
    that name: a submodule, or a repository, may be called `objects`.
    """
    if not in_git(path):
        return False
    names = fold(path).split("/")
    inside = "/".join(names[names.index(GIT) + 1 :])
    found = _OBJECTS.search(f"/{inside}")
    return found is not None and GIT not in found[1].split("/")


def _told(path: str, item: Item) -> bool:
    """Return whether refs and index tell of a name; what is no plain file there is a difference."""
    return item.kind in ("file", "folder") and _semantic(path)


def _semantic(path: str) -> bool:
    """Return whether a file's bytes change without meaning: git's index, refs and caches."""
    if not in_git(path):
        return False
    name = path.rpartition("/")[2]
    cache = name in ("index", "gc.pid") or name.startswith(("sharedindex.", "fsmonitor--daemon"))
    loose = path.startswith(f"{GIT}/refs/")
    told = (f"{GIT}/packed-refs", f"{GIT}/HEAD", f"{GIT}/info/refs")
    return cache or loose or _objects(path) or path in told


def _would_wait(items: Mapping[str, Item]) -> bool:
    """Return whether git would read from a pipe or a device in its folder."""
    plain = ("file", "folder", "link")
    return any(item.kind not in plain for path, item in items.items() if path.startswith(f"{GIT}/"))


def _index(
    root: Path, deadline: Deadline, walk: _Walk, known: Census | None
) -> dict[str, str] | None:
    """Return what git's index says of each path: its tag (hidden or not), mode, object, stage."""
    if GIT not in walk.items:
        return None
    if known is not None and _would_wait(walk.items):
        return {"": "unreadable"}
    try:
        done = ask_git(
            root,
            deadline,
            "ls-files",
            "-vsz",
            limit_s=ANSWERS_WITHIN_S,
            doing="reading git's index",
        )
    except OSError as error:
        raise _no_index(error.strerror or "git cannot be run", "install git") from None
    except subprocess.TimeoutExpired:
        if known is not None:
            return {"": "unreadable"}
        raise _no_index(f"no answer in {ANSWERS_WITHIN_S} s", "git status") from None
    if done.returncode:
        if known is not None:
            return {"": "unreadable"}
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _no_index(said[-1] if said else "git failed", "git status")
    rows = (row.partition(b"\t") for row in done.stdout.split(b"\0") if row)
    return {os.fsdecode(path): head.decode() for head, _, path in rows}


def _no_index(why: str, advice: str) -> Unreachable:
    return Unreachable(f"git's index cannot be read: {why}", next_step=advice, permanent=True)

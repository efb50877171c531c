"""What is in a workspace at one moment: every name, also ignored ones, and what git remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from autopack.phases.paths import fold

RACY_NS = 2_000_000_000
"""A file written so shortly before it was looked at may be written again unseen: the coarsest
clock among file systems (FAT). As git does, such a file is read again."""
GIT = ".git"
CONFIG = "common/config"
"""Stands among the refs of a linked worktree: the digest of the configuration it shares."""
TOP = "."
"""The name that the workspace's own folder goes by."""
UNREADABLE = "unreadable"
"""The digest of a file or folder that may not be read."""


class Item(NamedTuple):
    """One name. `digest` is the BLAKE2b of a file's bytes; of a link it is where it leads.

    `owner` are the numbers of user and group.
    """

    kind: str
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    names: int
    digest: str
    owner: str = ""

    def still(self, other: Item, taken_ns: int) -> bool:
        """Return whether the digest holds for what was found later, without reading it again."""
        same = self[2:6] == other[2:6] and self.kind == other.kind
        return same and max(self.mtime_ns, self.ctime_ns) < taken_ns - RACY_NS


@dataclass(frozen=True)
class Census:
    """All there is: names by path, git's branches and tags, and its index.

    `taken_ns` is the clock before the first look; `device` is the file system of the root.
    `index` is None where git keeps none. `top` is the workspace's own folder.
    """

    taken_ns: int
    device: int
    items: Mapping[str, Item]
    refs: Mapping[str, str] = field(default_factory=dict)
    index: Mapping[str, str] | None = None
    top: Item | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for a snapshot."""
        return {
            "taken_ns": self.taken_ns,
            "device": self.device,
            "items": dict(self.items),
            "refs": dict(self.refs),
            "index": None if self.index is None else dict(self.index),
            "top": self.top,
        }


def census_of(value: Any) -> Census:
    """Return the census of a snapshot."""
    items = {path: Item(*row) for path, row in value["items"].items()}
    top = Item(*value["top"]) if value["top"] else None
    return Census(value["taken_ns"], value["device"], items, value["refs"], value["index"], top)


@dataclass(frozen=True)
class Change:
    """One difference; `action` says it in a word or two, None stands for nothing there."""

    path: str
    action: str
    before: Item | None
    after: Item | None

    @property
    def kind(self) -> str:
        """What it is now, or was."""
        found = self.after or self.before
        return found.kind if found else ""


def changes(before: Census, after: Census) -> Iterator[Change]:
    """Yield every difference of names, in order of the paths; a rename is deleted and created."""
    same_disk = before.device == after.device
    if before.top and after.top and (action := _action(before.top, after.top, same_disk)):
        yield Change(TOP, action, before.top, after.top)
    for path in sorted(before.items.keys() | after.items.keys()):
        old, new = before.items.get(path), after.items.get(path)
        if action := _action(old, new, same_disk):
            yield Change(path, action, old, new)


def _action(old: Item | None, new: Item | None, same_disk: bool) -> str:
    if old is None or new is None:
        return "created" if old is None else "deleted"
    if old.kind != new.kind:
        return f"a {old.kind} became a {new.kind}"
    if old.digest != new.digest:
        return "retargeted" if new.kind == "link" else "changed"
    if rights := _rights(old, new):
        return rights
    if new.kind == "file":
        return "got a second name" if new.names > old.names else ""
    return "replaced" if same_disk and new.kind != "link" and old.inode != new.inode else ""


def _rights(old: Item, new: Item) -> str:
    if old.mode != new.mode:
        return f"mode {old.mode:o} became {new.mode:o}"
    return f"owner {old.owner} became {new.owner}" if old.owner != new.owner else ""


def in_git(path: str) -> bool:
    """Return whether a path is a git control folder, or lies in one."""
    return any(name == GIT for name in fold(path).split("/"))


def digest(data: bytes) -> str:
    """Return the digest of a file that holds these bytes."""
    return blake2b(data, digest_size=32).hexdigest()


def shown(path: str) -> str:
    """Return a path for people: on one line, with what has no picture escaped."""
    return path if path.isprintable() else ascii(path)[1:-1]

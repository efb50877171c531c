"""Real trees with everything in them that scanners stumble over, and a plain walk as the judge."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.io.storage_scan import scan
from autopack.storage.names import spell
from autopack.storage.snapshot import Mode, Snapshot

ODD_NAMES = (
    b"plain", b"with blank", b"new\nline", b"tab\there", b"back\\slash", b"\\x41", b"not-utf8-\xff",
    b"half-\xe2\x82", b"quote\"'", b"\xe2\x82\xac", b"-dash", b"..."[:3], b"a", b"a-b", b"a0", b"~",
    b"x" * 255,
)  # fmt: skip


def nasty(root: Path, *, levels: int = 30) -> Path:
    """Make a tree of odd names, links of every kind, pipes, sparse files and long paths."""
    root.mkdir()
    top = os.fsencode(root)
    for n, name in enumerate(ODD_NAMES):
        os.makedirs(top + b"/names/" + name)
        _file(top + b"/names/" + name + b"/inside " + name[:200], n * 1000)
        _file(top + b"/files-" + name[:200], n)
    links(root)
    os.mkfifo(root / "pipe")
    _socket(root / "socket")
    _file(top + b"/sparse", 0)
    os.truncate(root / "sparse", 1 << 30)
    for n in range(3):
        os.link(top + b"/files-plain", top + b"/hard%d" % n)
    (root / "empty").mkdir()
    (root / "a").mkdir()
    for name in ("a-b", "a0", "a/x", "a/x-y"):
        _file(top + b"/" + name.encode(), 3)
    chain(root, levels)
    return root


def links(root: Path) -> None:
    """Make links to a folder, a file, nothing, themselves, each other, and out of the tree."""
    (root / "links").mkdir()
    for name, target in {
        "to-folder": "../names", "to-file": "../files-plain", "dangling": "nowhere",
        "itself": "itself", "one": "other", "other": "one", "up": "..", "out": "/",
    }.items():  # fmt: skip
        (root / "links" / name).symlink_to(target)


def chain(root: Path, levels: int, name: str = "d" * 200) -> None:
    """Make a chain of folders, each with a file, longer than any path may be."""
    folder = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
        os.close(os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.close(folder)


def _file(path: bytes, size: int) -> None:
    with open(path, "wb") as file:
        file.write(b"x" * size)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def judged(root: Path) -> dict[str, tuple[int, ...]]:
    """Return mode, size, blocks, times, inode, device, links and owner by spelled path.

    It walks with `os.fwalk`, which neither follows links nor minds long paths.
    """
    seen = {"": _row(os.stat(root))}
    for path, folders, files, descriptor in os.fwalk(os.fsencode(root)):
        start = path[len(os.fsencode(root)) :].lstrip(b"/")
        for name in folders + files:
            whole = start + b"/" + name if start else name
            seen[spell(whole)] = _row(os.stat(name, dir_fd=descriptor, follow_symlinks=False))
    return seen


def _row(seen: os.stat_result) -> tuple[int, ...]:
    return (
        seen.st_mode, seen.st_size, seen.st_blocks * 512, seen.st_mtime_ns, seen.st_ctime_ns,
        seen.st_ino, seen.st_dev, seen.st_nlink, seen.st_uid,
    )  # fmt: skip


COLUMNS = (
    "mode", "size", "allocated", "mtime_ns", "ctime_ns", "ino", "dev", "nlink", "uid",
)  # fmt: skip


def rows(snapshot: Snapshot) -> dict[str, tuple[int, ...]]:
    """Return the same of a snapshot."""
    frame = snapshot.frame
    return dict(zip(frame["path"], frame.select(COLUMNS).iter_rows(), strict=True))


def full(root: Path, **options: Any) -> Snapshot:
    """Return a full scan."""
    return scan(root, "full", {}, None, Deadline.after(600), **options)


def again(root: Path, mode: Mode, last: Snapshot | None, **options: Any) -> Snapshot:
    """Return a scan after another one."""
    return scan(root, mode, {}, last, Deadline.after(600), **options)


HOUR_NS = 3600 * 10**9
"""A clock so far ahead takes no folder for too young to be believed."""


def bury(root: Path, folders: list[str], *files: str) -> None:
    """Write files, each its own name, below a chain of folders too long for one path."""
    descriptor = os.open(root, os.O_RDONLY)
    for name in folders:
        os.mkdir(name, dir_fd=descriptor)
        inner = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    for name in files:
        with open(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=descriptor), "w") as file:
            file.write(name)
    os.close(descriptor)


class Gardener:
    """Changes a tree at random, in all ways that files change."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.chance, self.made = root, random.Random(seed), 0

    def plant(self, files: int) -> None:
        """Make files in some folders."""
        for _ in range(files):
            self._write(self._new())

    def change(self, times: int) -> None:
        """Change this and that."""
        for _ in range(times):
            getattr(self, self.chance.choice(_CHANGES))()

    def _paths(self, *, folders: bool) -> list[Path]:
        found = [p for p in self.root.rglob("*") if not p.is_symlink() and p.is_dir() == folders]
        return sorted(found)

    def _any(self, *, folders: bool = False) -> Path | None:
        found = self._paths(folders=folders)
        return self.chance.choice(found) if found else None

    def _new(self) -> Path:
        self.made += 1
        folders = [self.root, *self._paths(folders=True)]
        folder = self.chance.choice(folders)
        if self.chance.random() < 0.3:
            folder = folder / f"folder{self.made}"
            folder.mkdir()
        return folder / f"file{self.made}"

    def _write(self, path: Path) -> None:
        path.write_bytes(b"x" * self.chance.randrange(9000))

    def add(self) -> None:
        """A new file, now and then in a new folder."""
        self._write(self._new())

    def append(self) -> None:
        """Grow a file in place, and set its time back."""
        if path := self._any():
            before = path.stat()
            with path.open("ab") as file:
                file.write(b"more")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def replace(self) -> None:
        """Put another file of the same size and time in a file's place."""
        if path := self._any():
            before = path.stat()
            other = path.with_name(f"{path.name}.new")
            other.write_bytes(b"y" * before.st_size)
            os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
            os.replace(other, path)

    def remove(self) -> None:
        """Remove a file."""
        if path := self._any():
            path.unlink()

    def mode(self) -> None:
        """Change the rights of a file."""
        if path := self._any():
            path.chmod(path.stat().st_mode ^ 0o100)

    def link(self) -> None:
        """Give a file a second name, or make a link to it."""
        if path := self._any():
            new = self._new()
            os.link(path, new) if self.chance.random() < 0.5 else new.symlink_to(path)

    def rename(self) -> None:
        """Rename a file or a folder, and set the times of the folder around it back."""
        path = self._any(folders=self.chance.random() < 0.5)
        if path:
            before = path.parent.stat()
            new = path.with_name(f"{path.name}-{self.made}")
            self.made += 1
            path.rename(new)
            os.utime(path.parent, ns=(before.st_atime_ns, before.st_mtime_ns))

    def swap(self) -> None:
        """Put a new folder in a folder's place, with what was in the old one."""
        if path := self._any(folders=True):
            old = path.with_name(f"{path.name}-old{self.made}")
            self.made += 1
            path.rename(old)
            path.mkdir()
            for inner in sorted(old.iterdir()):
                inner.rename(path / inner.name)
            old.rmdir()

    def turn(self) -> None:
        """Put a file in a folder's place, or a folder in a file's."""
        path = self._any(folders=self.chance.random() < 0.5)
        if path is None:
            return
        if path.is_dir():
            away = self.root / f"away{self.made}"
            self.made += 1
            path.rename(away)
            path.write_bytes(b"was a folder")
        else:
            path.unlink()
            path.mkdir()
            self._write(path / "was-a-file")


_CHANGES = ("add", "append", "replace", "remove", "mode", "link", "rename", "swap", "turn")

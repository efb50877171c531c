"""Read who a file or folder is, from a folder that is held open, never through a link.

A folder is named by a Merkle tree: its digest is that of a line for each entry, in the order of
their bytes: name, kind, size, mtime, ctime, inode, and what a link points at or the digest of a
folder. Nothing in it depends on the folder's own name or place, so a move does not change it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from autopack.deadline import Deadline
from autopack.io import beneath
from autopack.io.fingerprint import NotPlain, open_plain
from autopack.storage.classify import Kind, classify, mode_told
from autopack.storage.identity import Seen
from autopack.storage.names import spell
from autopack.storage.schema import SMALL_FILE

Told = Callable[[str, os.stat_result], None]
"""Is given the item and each entry in it: its path from there, spelled, and what it is."""


class Changed(OSError):
    """It was changed while it was read."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ESTALE, "it was changed while it was read", name)


class Mounted(OSError):
    """Another filesystem begins in it."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.EXDEV, "another filesystem begins in it", name)


def identity_of(
    folder: int, path: str, *, told: Told | None = None, deadline: Deadline | None = None
) -> Seen:
    """Return who lies at a path below an open folder; the path is as functions of `os` take it.

    Raises:
        Changed: It was changed meanwhile.
        NotPlain: It is a link or a device, or a folder with a pipe, socket or device in it.
        Mounted: Another filesystem begins in it.
        OSError: It is not there, or cannot be read.
        DeadlineExceeded: The time ran out.
    """
    above, name = beneath.split(path)
    with beneath.opened(folder, above) as parent:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if told:
            told("", found)
        kind = classify(found)
        if kind is Kind.FILE:
            return _file(parent, name, found)
        if kind is not Kind.FOLDER:
            raise NotPlain(name, mode_told(found))
        return _Tree(found, told, deadline).read(parent, name)


def _file(parent: int, name: str, found: os.stat_result) -> Seen:
    content = None
    if found.st_size <= SMALL_FILE:
        with open_plain(parent, name) as descriptor:
            _same(name, found, os.fstat(descriptor))
            data = os.pread(descriptor, SMALL_FILE + 1, 0)
            _same(name, found, os.fstat(descriptor))
        if len(data) != found.st_size:
            raise Changed(name)
        content = f"sha256:{sha256(data).hexdigest()}"
    sums = _Sums(found.st_mtime_ns)
    sums.count(found)
    return _seen(found, sums, content=content)


@dataclass
class _Sums:
    """What is counted over an item."""

    newest: int
    size: int = 0
    allocated: int = 0
    files: int = 0
    linked: dict[int, list[int]] = field(default_factory=dict)
    """By inode of a file with several names: how many, how many seen here, bytes on the disk."""

    def count(self, found: os.stat_result) -> None:
        """Add a file or link; under a further name it only counts as a file."""
        self.files += stat.S_ISREG(found.st_mode)
        if found.st_nlink > 1:
            known = self.linked.setdefault(found.st_ino, [found.st_nlink, 0, _allocated(found)])
            known[1] += 1
            if known[1] > 1:
                return
        self.size += found.st_size
        self.allocated += _allocated(found)

    @property
    def reclaimable(self) -> int:
        """The bytes that no name outside holds."""
        return self.allocated - sum(
            held for names, seen, held in self.linked.values() if seen < names
        )


def _seen(
    found: os.stat_result, sums: _Sums, content: str | None = None, tree: str | None = None
) -> Seen:
    return Seen(
        "folder" if stat.S_ISDIR(found.st_mode) else "file",
        str(found.st_dev), str(found.st_ino), found.st_mode, found.st_nlink,
        sums.size, sums.allocated, sums.reclaimable, sums.files,
        str(found.st_mtime_ns), str(found.st_ctime_ns), sums.newest, content, tree,
    )  # fmt: skip


def _same(name: str, before: os.stat_result, now: os.stat_result) -> None:
    if _who(before) != _who(now):
        raise Changed(name)


def _who(found: os.stat_result) -> tuple[int, ...]:
    return (
        found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns,
        found.st_ctime_ns,
    )  # fmt: skip


def _allocated(found: os.stat_result) -> int:
    """Return the bytes on the disk; a system that does not say gives the size."""
    blocks = getattr(found, "st_blocks", None)
    return found.st_size if blocks is None else int(blocks) * 512


@dataclass
class _Level:
    """An open folder, which of its names are still to come, and its digest so far."""

    descriptor: int
    found: os.stat_result
    name: str
    path: str
    names: list[bytes]
    lines: list[bytes] = field(default_factory=list)

    def line(self, name: bytes, found: os.stat_result, target: bytes) -> None:
        """Add an entry; each part is ended by a zero byte, which no name has."""
        size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
        numbers = (
            stat.S_IFMT(found.st_mode), size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino,
        )  # fmt: skip
        told = b"\0".join(str(number).encode() for number in numbers)
        self.lines.append(name + b"\0" + told + b"\0" + target + b"\0")


class _Tree:
    """A folder that is read to its end; a descriptor is open for each level."""

    def __init__(self, top: os.stat_result, told: Told | None, deadline: Deadline | None) -> None:
        self.top, self.told, self.deadline = top, told, deadline
        self.sums = _Sums(top.st_mtime_ns)
        self.levels: list[_Level] = []

    def read(self, parent: int, name: str) -> Seen:
        try:
            self._enter(parent, name, self.top, "")
            tree = self._walk()
        finally:
            for level in self.levels:
                os.close(level.descriptor)
        return _seen(self.top, self.sums, tree=tree)

    def _walk(self) -> str:
        while True:
            level = self.levels[-1]
            if level.names:
                self._one(level, level.names.pop())
                continue
            digest = sha256(b"".join(level.lines))
            self._leave(level)
            if not self.levels:
                return f"sha256:{digest.hexdigest()}"
            self.levels[-1].line(os.fsencode(level.name), level.found, digest.digest())

    def _enter(self, parent: int, name: str, found: os.stat_result, path: str) -> None:
        if self.deadline:
            self.deadline.check("reading folders that could go")
        descriptor = beneath.enter(parent, name)
        self.levels.append(_Level(descriptor, found, name, path, []))
        _same(name, found, os.fstat(descriptor))
        self.sums.allocated += _allocated(found)
        names = sorted(map(os.fsencode, os.listdir(descriptor)), reverse=True)
        self.levels[-1].names = names

    def _leave(self, level: _Level) -> None:
        _same(level.name, level.found, os.fstat(level.descriptor))
        self.levels.pop()
        os.close(level.descriptor)

    def _one(self, level: _Level, raw: bytes) -> None:
        name = os.fsdecode(raw)
        found = os.stat(name, dir_fd=level.descriptor, follow_symlinks=False)
        path = f"{level.path}/{spell(raw)}".removeprefix("/")
        if self.told:
            self.told(path, found)
        if found.st_dev != self.top.st_dev:
            raise Mounted(name)
        self.sums.newest = max(self.sums.newest, found.st_mtime_ns)
        kind = classify(found)
        if kind is Kind.FOLDER:
            self._enter(level.descriptor, name, found, path)
            return
        if kind not in (Kind.FILE, Kind.LINK):
            raise NotPlain(name, mode_told(found))
        self.sums.count(found)
        link = kind is Kind.LINK
        target = os.fsencode(os.readlink(name, dir_fd=level.descriptor)) if link else b""
        level.line(raw, found, target)

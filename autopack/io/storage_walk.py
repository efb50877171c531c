"""Walk a tree from an open root: folder by folder, one open at a time, never through a link.

A folder is opened by `storage_open`, must still be the one that its parent listed, and must be on
the root's filesystem. Nothing but folders is ever opened. The stack of folders is a list, so depth
costs neither recursion nor descriptors.
"""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Callable, Iterable

from autopack.io.storage_attributes import CAPACITY, Stat, Statx
from autopack.io.storage_open import Opener
from autopack.storage.classify import Kind, kind_of_mode
from autopack.storage.rows import Block, Job, packed_jobs, reasons

_OFTEN = 64
"""Folders between two looks at the clock."""
_WHY = {errno.EACCES: "denied", errno.EPERM: "denied", errno.EXDEV: "mount"} | dict.fromkeys(
    (errno.ELOOP, errno.ENOTDIR), "replaced"
)
ENTER, KNOWN = "", "known"

Judge = Callable[[bytes, int, int], str]
"""Says of a folder (path, device, inode) whether to `ENTER` it, or why not; `KNOWN` is not told."""


class Kinds(dict[int, Kind]):
    """What modes mean, each decided once."""

    def __missing__(self, mode: int) -> Kind:
        self[mode] = kind_of_mode(mode)
        return self[mode]


class Limits:
    """The judge of a plain scan: everything on the root's filesystem that is no mount point."""

    def __init__(self, device: int, mounts: frozenset[bytes]) -> None:
        self.device, self.mounts = device, mounts

    def __call__(self, path: bytes, device: int, _inode: int) -> str:
        if path in self.mounts:
            return "mount"
        return ENTER if device == self.device else "filesystem"


class Walk:
    """A tree on its way; `run` can be called again and again."""

    def __init__(
        self, root: int, attributes: Statx | Stat, judge: Judge, pause: Callable[[], None]
    ) -> None:
        """Take the open root, and what is called every now and then and may raise."""
        self.root, self.attributes, self.judge, self.pause = root, attributes, judge, pause
        self.opener = Opener(root, in_one_call=isinstance(attributes, Statx))
        self.kinds = Kinds()
        self._begin([])

    def _begin(self, jobs: Iterable[Job]) -> None:
        self.stack = list(jobs)
        self.folders: list[bytes] = []
        self.counts = array("I")
        self.names: list[bytes] = []
        self.unseen: list[tuple[bytes, str]] = []
        self.rows = 0

    def run(self, jobs: Iterable[Job], budget: int | None = None) -> Block:
        """Read folders and what is below them; after `budget` rows the rest is left."""
        self._begin(jobs)
        try:
            while self.stack and (budget is None or self.rows < budget):
                if len(self.folders) % _OFTEN == 0:
                    self.pause()
                self._enter(*self.stack.pop())
        finally:
            self.opener.close()
        return Block(
            b"\0".join(self.folders),
            self.counts.tobytes(),
            b"\0".join(self.names),
            self.attributes.take(),
            reasons(self.unseen),
            *packed_jobs(self.stack),
        )

    def _enter(self, path: bytes, device: int, inode: int) -> None:
        try:
            folder = self.opener.open(path)
        except OSError as error:
            self._not_opened(path, error)
            return
        try:
            here = os.fstat(folder)
            if (here.st_dev, here.st_ino) != (device, inode):
                self.unseen.append((path, "replaced"))
                return
            self._list(path, folder)
        except OSError as error:
            self._not_opened(path, error)
        finally:
            os.close(folder)

    def _not_opened(self, path: bytes, error: OSError) -> None:
        """Note a folder that keeps what it holds to itself; one that went away holds nothing."""
        if error.errno != errno.ENOENT:
            self.unseen.append((path, _WHY.get(error.errno or 0, "failed")))

    def _list(self, path: bytes, folder: int) -> None:
        names = os.fsencode("\0".join(os.listdir(folder))).split(b"\0")
        self.folders.append(path)
        rows = 0
        if names != [b""]:
            start = path + b"/" if path else b""
            for at in range(0, len(names), CAPACITY):
                rows += self._look(start, folder, names[at : at + CAPACITY])
        self.counts.append(rows)
        self.rows += rows

    def _look(self, start: bytes, folder: int, names: list[bytes]) -> int:
        found = self.attributes.look(folder, names)
        count = len(found)
        if count != len(names):
            self._missing(start, folder, set(names) - set(found))
        if count:
            self.names.append(b"\0".join(found))
        kinds = self.kinds
        for n, mode in enumerate(self.attributes.modes(count)):
            if kinds[mode] is Kind.FOLDER:
                self._found(start + found[n], *self.attributes.identity(count, n))
        return count

    def _missing(self, start: bytes, folder: int, names: set[bytes]) -> None:
        """Note names without attributes, except those that went away since they were listed."""
        for name in sorted(names):
            try:
                os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                self.unseen.append((start + name, _WHY.get(error.errno or 0, "failed")))
            else:
                self.unseen.append((start + name, "replaced"))

    def _found(self, path: bytes, device: int, inode: int) -> None:
        why = self.judge(path, device, inode)
        if why == ENTER:
            self.stack.append((path, device, inode))
        elif why != KNOWN:
            self.unseen.append((path, why))

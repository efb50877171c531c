"""What lies behind links and mounts, where the policy lets it be scanned; none of it is acted on.

A folder is entered once, whatever leads to it, so links in a circle come to an end.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autopack.io.storage_attributes import Statx
from autopack.io.storage_look import Looking
from autopack.io.storage_mounts import mounts_below
from autopack.io.storage_open import Opener
from autopack.io.storage_walk import ENTER, Limits, Walk
from autopack.storage.assemble import Part, assembled, rows_of
from autopack.storage.classify import Kind
from autopack.storage.names import spell, unspell
from autopack.storage.snapshot import SCHEMA, NotSeen, Snapshot

if TYPE_CHECKING:
    import polars as pl

_DEEPEST = 40
"""Doors behind doors; the kernel follows as many links (path_resolution(7))."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC
_MOUNTS = {"mount", "filesystem"}
Folder = tuple[int, int]


@dataclass
class _Found:
    """What lies behind doors, so far."""

    parts: list[Part]
    not_seen: set[NotSeen]
    entered: set[Folder]


class _Beyond(Limits):
    """The judge behind a door: nothing is entered twice."""

    def __init__(self, device: int, mounts: frozenset[bytes], entered: set[Folder]) -> None:
        super().__init__(device, mounts)
        self.entered = entered

    def __call__(self, path: bytes, device: int, inode: int) -> str:
        why = super().__call__(path, device, inode)
        if why != ENTER:
            return why
        if (device, inode) in self.entered:
            return "loop"
        self.entered.add((device, inode))
        return ENTER


class Doors:
    """The links and mounts of a tree that may be gone through."""

    def __init__(self, looking: Looking, traversal: Mapping[str, str]) -> None:
        self.looking = looking
        self.links = traversal.get("symlink") == "allow"
        self.mounts = traversal.get("mount") == "allow"

    def through(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with what lies behind the doors, marked as foreign."""
        if not (self.links or self.mounts):
            return snapshot
        frame = snapshot.frame
        own = frame.filter(frame["kind"] == int(Kind.FOLDER))
        shut = {one.path for one in snapshot.not_seen}
        entered = {
            (dev, ino) for path, dev, ino in own.select("path", "dev", "ino").iter_rows()
            if path not in shut
        }  # fmt: skip
        found = _Found([], set(snapshot.not_seen), entered)
        self._all(frame, self.looking.root, b"", found, 0)
        if not found.parts:
            return replace(snapshot, not_seen=tuple(sorted(found.not_seen)))
        return replace(
            snapshot, frame=_together(frame, found.parts), not_seen=tuple(sorted(found.not_seen))
        )

    def _all(self, rows: pl.DataFrame, root: int, start: bytes, found: _Found, depth: int) -> None:
        for path, is_link in self._doors(rows, start, found):
            self.looking.deadline.check("walking behind links and mounts")
            inner = path[len(start) + 1 :] if start else path
            opened = self._opened(root, inner, is_link)
            if isinstance(opened, OSError):
                if opened.errno not in (errno.ENOENT, errno.ENOTDIR):
                    why = "loop" if opened.errno == errno.ELOOP else "denied"
                    found.not_seen.add(NotSeen.of(path, why))
                continue
            try:
                self._enter(opened, path, is_link, found, depth)
            finally:
                os.close(opened)

    def _doors(
        self, rows: pl.DataFrame, start: bytes, found: _Found
    ) -> Iterator[tuple[bytes, bool]]:
        if self.links:
            for path in rows.filter(rows["kind"] == int(Kind.LINK))["path"].to_list():
                yield unspell(path), True
        if self.mounts:
            inside = spell(start) + "/" if start else ""
            mounts = [one for one in found.not_seen if one.why in _MOUNTS]
            for one in sorted(one for one in mounts if one.path.startswith(inside)):
                yield unspell(one.path), False

    def _enter(self, folder: int, path: bytes, is_link: bool, found: _Found, depth: int) -> None:
        seen = os.fstat(folder)
        here = seen.st_dev, seen.st_ino
        if not is_link:
            found.not_seen = {one for one in found.not_seen if one.path != spell(path)}
        if here in found.entered or depth == _DEEPEST:
            found.not_seen.add(NotSeen(spell(path), "loop"))
            return
        found.entered.add(here)
        judge = _Beyond(seen.st_dev, mounts_below(folder), found.entered)
        attributes = self.looking.attributes
        walk = Walk(folder, attributes, judge, self.looking.pause)
        block = walk.run([(b"", *here)])
        found.not_seen |= {
            NotSeen.of(path + b"/" + one if one else path, why) for one, why in block.unseen()
        }
        part = _moved(rows_of([block]), spell(path))
        if part.rows.height:
            found.parts.append(part)
            self._all(part.rows, folder, path, found, depth + 1)

    def _opened(self, root: int, path: bytes, is_link: bool) -> int | OSError:
        """Return the folder behind a door, or why there is none to enter."""
        folder, _, name = path.rpartition(b"/")
        opener = Opener(root, in_one_call=isinstance(self.looking.attributes, Statx))
        try:
            parent = opener.open(folder)
        except OSError as error:
            return error
        finally:
            opener.close()
        try:
            return os.open(name, _FOLDER | (0 if is_link else os.O_NOFOLLOW), dir_fd=parent)
        except OSError as error:
            return error
        finally:
            os.close(parent)


def _moved(part: Part, below: str) -> Part:
    """Return rows of another tree under the path of the door that leads to it."""
    import polars as pl

    start = pl.lit(f"{below}/")
    top = part.folders == ""
    folders = pl.select(pl.when(top).then(pl.lit(below)).otherwise(start + part.folders))
    return Part(part.rows.with_columns(path=start + pl.col("path")), folders.to_series())


def _together(frame: pl.DataFrame, parts: list[Part]) -> pl.DataFrame:
    import polars as pl

    own = Part(frame, frame["path"])
    beyond = [
        Part(part.rows.with_columns(foreign=pl.lit(True)).select(frame.columns), part.folders)
        for part in parts
    ]
    return assembled([own, *beyond]).select(list(SCHEMA))

"""Scan one root: everything anew, or what an earlier snapshot leaves to be looked at."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from autopack.deadline import Deadline
from autopack.errors import Unreachable, UsageError
from autopack.io.storage_backends import best_of
from autopack.io.storage_doors import Doors
from autopack.io.storage_look import Looking
from autopack.io.storage_walk import ENTER, KNOWN, Limits
from autopack.storage.again import Held, held, paths_of, to_look_at
from autopack.storage.assemble import Part, assembled, attributes, rows_of
from autopack.storage.names import spell
from autopack.storage.rows import Block, Job
from autopack.storage.snapshot import SCHEMA, Mode, NotSeen, RootSeen, Snapshot

if TYPE_CHECKING:
    import polars as pl

Traversal = Mapping[str, Literal["deny", "allow"]]
"""By `symlink`, `junction`, `other_reparse` and `mount`; what is not named is denied."""
_SOME = 3
_MANY = 1_000
"""Folders to be listed again above which, if they are a quarter of all, all is scanned anew."""


def scan(  # noqa: PLR0913 - the policy, the past and the clock come in from outside
    root: Path,
    mode: Mode,
    traversal: Traversal,
    last: Snapshot | None,
    deadline: Deadline,
    *,
    backend: Literal["auto", "statx", "stat"] = "auto",
    now_ns: int | None = None,
) -> Snapshot:
    """Return what is below a root now.

    `exact` gives the same rows as `full`; `fast` looks at folders, and at one file in twenty, and
    takes everything else from `last`. Both are a full scan where `last` is of no use, and say so.

    Raises:
        UsageError: There is no such folder.
        Unreachable: The root itself may not be read.
        DeadlineExceeded: The deadline passed; no process is left.
    """
    started_ns = time.time_ns() if now_ns is None else now_ns
    reader, remark = best_of(backend)
    descriptor = _opened(root)
    try:
        with Looking(descriptor, reader, deadline) as looking:
            top = RootSeen(_name(root), looking.own.st_dev, looking.own.st_ino)
            made = Snapshot(
                _frame(looking), top, (), mode, started_ns, started_ns, reader.name, seen_by(), 0,
                (remark,) if remark else (),
            )  # fmt: skip
            return Doors(looking, traversal).through(_Scan(looking, made).run(last))
    finally:
        os.close(descriptor)


def _opened(root: Path) -> int:
    try:
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise UsageError(f"--root {root}: {error.strerror}", "name a folder") from None
        raise Unreachable(
            f"{root}: {error.strerror}", next_step=f"make {root} readable, or scan as its owner"
        ) from None


def _name(root: Path) -> str:
    return spell(os.fsencode(os.path.abspath(root)))


def seen_by() -> str:
    """Return whose rights decide what a scan may see."""
    return f"{os.geteuid()}:{','.join(map(str, sorted({os.getegid(), *os.getgroups()})))}"


def _frame(looking: Looking) -> pl.DataFrame:
    """Return the root's own row."""
    import polars as pl

    own = attributes(looking.root_row())
    empty = pl.Series(["" for _ in range(own.height)], dtype=pl.String)
    return own.with_columns(path=empty, parent=pl.Series([0] * own.height, dtype=pl.UInt32))


class _Repair(Limits):
    """The judge of a folder that is listed again: nothing is entered, what is new is kept."""

    def __init__(self, limits: Limits, known: Mapping[bytes, tuple[int, int]]) -> None:
        super().__init__(limits.device, limits.mounts)
        self.known = known
        self.fresh: list[Job] = []

    def __call__(self, path: bytes, device: int, inode: int) -> str:
        why = super().__call__(path, device, inode)
        if why == ENTER and self.known.get(path) != (device, inode):
            self.fresh.append((path, device, inode))
        return why or KNOWN


@dataclass(frozen=True)
class _Scan:
    """A scan on its way: `begun` holds nothing but the root's row yet."""

    looking: Looking
    begun: Snapshot

    def run(self, last: Snapshot | None) -> Snapshot:
        if self.begun.mode == "full":
            return self._full()
        if last is None:
            return self._full("no earlier snapshot: everything was scanned anew")
        if why := self._useless(last):
            return self._full(f"the earlier snapshot is {why}: everything was scanned anew")
        return self._again(last)

    def _useless(self, last: Snapshot) -> str:
        if (last.root.dev, last.root.ino) != (self.begun.root.dev, self.begun.root.ino):
            return "of another folder"
        return "" if last.seen_by == self.begun.seen_by else "another user's"

    def _full(self, *remarks: str) -> Snapshot:
        mode: Mode = "exact" if self.begun.mode == "fast" else self.begun.mode
        begun = replace(self.begun, mode=mode, remarks=(*self.begun.remarks, *remarks))
        root = Part(begun.frame, begun.frame["path"])
        return _finished(begun, root, self.looking.walk([self.looking.top()]), self.looking)

    def _again(self, last: Snapshot) -> Snapshot:
        fast = self.begun.mode == "fast"
        frame, suspects = _own(last)
        suspects |= {spell(path) for path in self.looking.mounts}
        at = to_look_at(frame, last.turn if fast else None)
        columns = self.looking.look(paths_of(frame["path"].gather(at)), at.len())
        still = held(frame, at, attributes(columns), last.started_ns, suspects)
        if len(still.listed) > max(_MANY, frame.height // 50):
            return self._full("so many folders had changed that everything was scanned anew")
        if fast:
            begun = replace(self.begun, sizes_ns=last.sizes_ns, turn=last.turn + 1)
            return self._repaired(begun, still)
        return self._repaired(self.begun, still)

    def _repaired(self, begun: Snapshot, still: Held) -> Snapshot:
        judge = _Repair(self.looking.limits, still.known)
        blocks = [self.looking.read(still.listed, judge)] if still.listed else []
        fresh = self.looking.walk(judge.fresh) if judge.fresh else ()
        return _finished(begun, still.part, chain(blocks, fresh), self.looking)


def _own(last: Snapshot) -> tuple[pl.DataFrame, set[str]]:
    """Return the rows of the tree itself, and the paths to be looked at anew however they seem."""
    suspects = {one.path for one in last.not_seen}
    foreign = last.frame["foreign"]
    if not foreign.any():
        return last.frame, suspects
    own = Part(last.frame.filter(~foreign), last.frame["path"])
    return assembled([own]), suspects | set(last.frame.filter(foreign)["path"])


def _finished(begun: Snapshot, part: Part, blocks: Iterable[Block], looking: Looking) -> Snapshot:
    """Return the snapshot of rows and blocks, what is another filesystem's marked as foreign.

    Blocks become rows as they arrive, while others are still being walked.
    """
    import polars as pl

    parts, unseen = [part], set[NotSeen]()
    for some in _together(blocks):
        parts.append(rows_of(some))
        unseen.update(NotSeen.of(path, why) for block in some for path, why in block.unseen())
    looking.rest()
    rows = part.rows
    if len(parts) > 1:
        parts[0] = Part(rows.drop("foreign", strict=False), part.folders)
        del part, rows
        rows = assembled(parts)
    mounts = pl.Series([spell(path) for path in looking.mounts], dtype=pl.String)
    foreign = (pl.col("dev") != begun.root.dev) | pl.col("path").is_in(mounts.implode())
    frame = rows.with_columns(foreign.alias("foreign")).select(list(SCHEMA))
    return replace(begun, frame=frame, not_seen=tuple(sorted(unseen)))


def _together(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Yield blocks, some at a time: polars takes as long for a few rows as for some thousand."""
    some: list[Block] = []
    for block in blocks:
        some.append(block)
        if len(some) == _SOME:
            yield some
            some = []
    if some:
        yield some

"""Read folders and attributes of one open root: here if there are few, else in two processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

from autopack.deadline import Deadline
from autopack.io.storage_attributes import Stat, Statx
from autopack.io.storage_mounts import mounts_below
from autopack.io.storage_walk import Judge, Limits, Walk
from autopack.io.storage_workers import WORKERS, Crew
from autopack.storage.rows import Block, Job

_FEW = 6_000
_FEW_PATHS = 30_000
"""Entries to walk, and paths to look at, below which new processes cost more than they save."""


class Looking:
    """One open root, and what looks at it; a context that ends its processes."""

    def __init__(self, root: int, attributes: Statx | Stat, deadline: Deadline) -> None:
        self.root, self.attributes, self.deadline = root, attributes, deadline
        self.own = os.fstat(root)
        self.mounts = mounts_below(root)
        self.limits = Limits(self.own.st_dev, self.mounts)
        self._crew: Crew | None = None

    def __enter__(self) -> Looking:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.rest()

    def rest(self) -> None:
        """End the processes, and free their memory; a later look starts new ones."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def top(self) -> Job:
        """Return the root as a folder to read."""
        return b"", self.own.st_dev, self.own.st_ino

    def root_row(self) -> list[bytes]:
        """Return the root's own attributes as columns of one row."""
        self.attributes.look(self.root, [b"."])
        return self.attributes.take()

    def read(self, jobs: Sequence[Job], judge: Judge) -> Block:
        """Return the rows of folders, and of those below them that the judge lets be entered."""
        return Walk(self.root, self.attributes, judge, self.pause).run(jobs)

    def walk(self, jobs: Sequence[Job]) -> Iterator[Block]:
        """Yield the rows of folders and of all below them."""
        walk = Walk(self.root, self.attributes, self.limits, self.pause)
        block = walk.run(jobs, _FEW)
        yield block
        left = block.jobs()
        if left and processors() >= WORKERS:
            for block in self._crew_at_work().walk(left, self.deadline):
                left = block.jobs()
                yield block
        if left:
            yield walk.run(left)

    def look(self, parts: Sequence[bytes], rows: int) -> list[bytes]:
        """Return the columns of attributes of all paths of all parts, in their order."""
        found: dict[int, list[bytes]] = {}
        if rows > _FEW_PATHS and processors() >= WORKERS:
            answers = self._crew_at_work().look(parts, self.deadline)
            found = {n: columns for n, columns in answers if columns is not None}
        for n in set(range(len(parts))) - found.keys():
            self.pause()
            self.attributes.look_all(self.root, parts[n].split(b"\0"))
            found[n] = self.attributes.take()
        return [b"".join(column) for column in zip(*map(found.get, range(len(parts))), strict=True)]

    def pause(self) -> None:
        self.deadline.check("walking the tree")

    def _crew_at_work(self) -> Crew:
        if self._crew is None:
            self._crew = Crew(self.root, self.attributes.name, self.own.st_dev, self.mounts)
        return self._crew


def processors() -> int:
    """Return how many processors this process may use."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1

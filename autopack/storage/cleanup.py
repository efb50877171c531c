"""The clean-up report of a scan: what could go, each item with what it is known again by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from autopack import __version__
from autopack.errors import Refused
from autopack.report import Finding
from autopack.storage.candidates import Candidate, Candidates
from autopack.storage.identity import Seen
from autopack.storage.policy import OWN
from autopack.storage.schema import CleanupReport, Item, PolicyUsed, Root, item_id
from autopack.storage.snapshot import Snapshot

if TYPE_CHECKING:
    import os

    import polars as pl

CHANGED = "changed while scanned"
SCAN = "python -m flows.storage_scan --mode exact"
_COLUMNS = ("mode", "size", "mtime_ns", "ctime_ns", "ino", "dev")
Numbers = tuple[int, ...]


@dataclass(frozen=True)
class LeftOut:
    """A candidate that is not in the report, and why."""

    path: str
    category: str
    why: str

    def finding(self, root: str) -> Finding:
        """Return it as a finding."""
        message = f"{self.path} ({self.category}) is left out of the report: {self.why}"
        return Finding("storage_left_out", "warning", root, None, message, SCAN)


def check_reportable(snapshot: Snapshot, found: Candidates) -> None:
    """Make sure that a report may be made of what could go.

    Raises:
        Refused: The scan did not look at every file, or the policy forbids it.
    """
    if not snapshot.exact:
        raise Refused(
            f"a fast scan of {snapshot.root.path} saw no sizes and times of files, so no report "
            "of what could go is made of it",
            next_step=SCAN,
        )
    if found.refusal:
        raise Refused(found.refusal, next_step=f"look at the categories in {OWN}, then scan again")


class Expected:
    """What the snapshot says of a candidate and all in it; the walk over it is held against that.

    Paths are relative to the candidate, "" is itself.
    """

    def __init__(self, snapshot: Snapshot, one: Candidate) -> None:
        frame = snapshot.frame
        first, last = _span(frame, one.row)
        self._left = dict(_rows(frame[one.row : one.row + 1], len(one.path)))
        self._left.update(_rows(frame[first:last], len(one.path) + 1))

    def take(self, path: str, found: os.stat_result) -> bool:
        """Return whether an entry is as it was scanned; each is taken once."""
        return self._left.pop(path, None) == _numbers(found)

    @property
    def complete(self) -> bool:
        """Whether everything that was scanned was there."""
        return not self._left


def _span(frame: pl.DataFrame, row: int) -> tuple[int, int]:
    path = frame["path"]
    start, end = (path.search_sorted(path[row] + edge) for edge in "/0")
    return int(start), int(end)


def _rows(frame: pl.DataFrame, cut: int) -> Iterable[tuple[str, Numbers]]:
    for path, *numbers in frame.select("path", *_COLUMNS).iter_rows():
        yield path[cut:], tuple(numbers)


def _numbers(found: os.stat_result) -> Numbers:
    return (
        found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino,
        found.st_dev,
    )  # fmt: skip


def item_of(number: int, one: Candidate, seen: Seen) -> Item:
    """Return the report's item of a candidate, as it was seen; `number` is that of its root."""
    return Item(
        id=item_id(number, one.path), root=number, path=one.path, kind=seen.kind,
        dev=seen.dev, ino=seen.ino, mode=seen.mode, nlink=seen.nlink,
        size=seen.size, allocated=seen.allocated, reclaimable=seen.reclaimable, files=seen.files,
        mtime_ns=seen.mtime_ns, ctime_ns=seen.ctime_ns, content=seen.content, tree=seen.tree,
        category=one.category, rule=one.rule, age_days=one.age_days,
    )  # fmt: skip


def root_of(snapshot: Snapshot) -> Root:
    """Return what a report says of a scanned root."""
    if snapshot.mode == "fast":
        raise ValueError("a report is made of exact scans only")
    return Root(
        path=snapshot.root.path, dev=str(snapshot.root.dev), ino=str(snapshot.root.ino),
        snapshot=snapshot.sha256, mode=snapshot.mode, entries=snapshot.frame.height,
        partial=snapshot.partial, not_seen=len(snapshot.not_seen),
    )  # fmt: skip


def report_of(
    snapshots: Sequence[Snapshot], items: Iterable[Item], policy: PolicyUsed, created: datetime
) -> CleanupReport:
    """Return the report of these items, named by its content."""
    draft = CleanupReport(
        schema_="autopack.storage.report/1", id=f"sha256:{'0' * 64}", created=created,
        version=__version__, roots=[root_of(snapshot) for snapshot in snapshots], policy=policy,
        items=sorted(items, key=lambda item: item.id),
    )  # fmt: skip
    return draft.model_copy(update={"id": draft.true_id()})

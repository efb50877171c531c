"""Look at what could go once more, name each item by what it is now, and make the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io import beneath
from autopack.io.storage_identity import Changed, identity_of
from autopack.io.storage_policy import Read
from autopack.storage.candidates import Candidate, Candidates
from autopack.storage.cleanup import (
    CHANGED,
    SCAN,
    Expected,
    LeftOut,
    check_reportable,
    item_of,
    report_of,
)
from autopack.storage.names import unspell
from autopack.storage.schema import CleanupReport, Item, PolicyUsed
from autopack.storage.snapshot import Snapshot

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Made:
    """A report, and which candidates are not in it, by root."""

    report: CleanupReport
    left_out: tuple[tuple[str, LeftOut], ...]


def make_report(
    scanned: Sequence[tuple[Snapshot, Candidates]], policy: Read, created: datetime,
    deadline: Deadline, progress: Progress = lambda _done: None,
) -> Made:  # fmt: skip
    """Return the report of some scanned roots.

    Whatever is not as the snapshot has it is left out as `changed while scanned`.

    Raises:
        Refused: A scan was not exact, the policy forbids the report, or a root was replaced.
        DeadlineExceeded: The time ran out.
    """
    for snapshot, found in scanned:
        check_reportable(snapshot, found)
    items: list[Item] = []
    left_out: list[tuple[str, LeftOut]] = []
    for number, (snapshot, found) in enumerate(scanned):
        for told in _looked_at(number, snapshot, found.items, deadline):
            if isinstance(told, Item):
                items.append(told)
            else:
                left_out.append((snapshot.root.path, told))
            progress(len(items) + len(left_out))
    snapshots = [snapshot for snapshot, _ in scanned]
    used = PolicyUsed(path=policy.path, sha256=policy.policy.sha256)
    report = report_of(snapshots, items, used, created)
    return Made(report, tuple(left_out))


def _looked_at(
    number: int, snapshot: Snapshot, found: Sequence[Candidate], deadline: Deadline
) -> Iterator[Item | LeftOut]:
    if not found:
        return
    root = snapshot.root
    with beneath.opened_root(Path(os.fsdecode(unspell(root.path)))) as top:
        now = os.fstat(top)
        if (now.st_dev, now.st_ino) != (root.dev, root.ino):
            raise Refused(
                f"{root.path} is another folder than the one that was scanned", next_step=SCAN
            )
        for one in found:
            deadline.check("reading what could go")
            yield _one(number, snapshot, one, top, deadline)


def _one(
    number: int, snapshot: Snapshot, one: Candidate, top: int, deadline: Deadline
) -> Item | LeftOut:
    expected = Expected(snapshot, one)

    def told(path: str, found: os.stat_result) -> None:
        if not expected.take(path, found):
            raise Changed(path)

    try:
        path = os.fsdecode(unspell(one.path))
        seen = identity_of(top, path, told=told, deadline=deadline)
    except (Changed, FileNotFoundError, NotADirectoryError):
        return LeftOut(one.path, one.category, CHANGED)
    except OSError as error:
        return LeftOut(one.path, one.category, f"{error.strerror or error}")
    if not expected.complete:
        return LeftOut(one.path, one.category, CHANGED)
    return item_of(number, one, seen)

"""Snapshots of small real folders, by the plainest walk there is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.io.storage_cleanup import Made, make_report
from autopack.io.storage_policy import Read
from autopack.storage.candidates import candidates
from autopack.storage.classify import classify
from autopack.storage.names import spell
from autopack.storage.policy import Policy
from autopack.storage.snapshot import Mode, RootSeen, Snapshot
from tests.support.trees import frame_of

DAY = 86_400
LATER = Deadline.after(86_400)
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def row(found: os.stat_result) -> dict[str, Any]:
    """Return the columns of an entry."""
    return {
        "kind": classify(found), "mode": found.st_mode, "size": found.st_size,
        "allocated": found.st_blocks * 512, "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns, "ino": found.st_ino, "dev": found.st_dev,
        "nlink": found.st_nlink, "uid": found.st_uid,
    }  # fmt: skip


def look(root: Path, mode: Mode = "full") -> Snapshot:
    """Return what is in a folder now."""
    top = os.fsencode(root)
    rows = {"": row(os.lstat(top))}
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            rows[spell(path[len(top) + 1 :])] = row(os.lstat(path))
    found = os.lstat(top)
    return Snapshot(
        frame_of(rows), RootSeen(spell(top), found.st_dev, found.st_ino), mode=mode,
        started_ns=time.time_ns() + DAY, sizes_ns=time.time_ns(), backend="walk",
    )  # fmt: skip


def age(root: Path, days: int = 100) -> None:
    """Let everything in a folder be so many days old."""
    then = time.time() - days * DAY
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*folders, *files):
            os.utime(os.path.join(folder, name), (then, then), follow_symlinks=False)
    os.utime(root, (then, then))


def made(
    root: Path, policy: Policy, between: Callable[[], object] = lambda: None, mode: Mode = "full"
) -> Made:
    """Scan, let something happen, and make the report."""
    snapshot = look(root, mode)
    found = candidates(snapshot, policy, time.time_ns())
    between()
    return make_report([(snapshot, found)], Read(policy, "config/storage.yaml"), CREATED, LATER)

"""Lines of the health page about what other flows have kept: storage snapshots, begun phases."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from autopack.errors import AutopackError, Refused
from autopack.health.parts import Part
from tasks import policy
from tasks.engine import task
from tasks.status import Looking
from tasks.status_disk import GB

if TYPE_CHECKING:
    from autopack.storage.snapshot import Snapshot

SCAN = "python -m flows.storage_scan"


@task(**policy.READ)
def storage(looking: Looking) -> None:
    """Say how large the workspace was at its last scan, and how it grew; nothing is scanned."""
    from autopack.io.storage_snapshots import Damaged, files_of, read
    from tasks.storage_scan import named

    try:
        files = files_of(looking.root, named(looking.root))[:2]
        seen = [read(looking.root, file) for file in files]
    except Damaged as error:
        looking.parts.append(Part("storage", "look", f"a damaged snapshot: {error}", SCAN))
    except OSError as error:
        words = f"the storage snapshots cannot be read: {error.strerror}"
        looking.parts.append(Part("storage", "unknown", words, SCAN))
    else:
        looking.parts.append(_grown(seen))


def _grown(seen: list[Snapshot]) -> Part:
    """Return the line of the newest snapshot and the one before it."""
    from autopack.storage.snapshot import totals

    if not seen:
        return Part("storage", "look", "the workspace was never scanned", SCAN)
    sizes = [totals(snapshot.frame).allocated for snapshot in seen]
    least = "at least " if seen[0].partial else ""
    words = f"{least}{sizes[0] / GB:.2f} GB on {_day(seen[0])} ({seen[0].label})"
    if len(sizes) > 1:
        words += f", {(sizes[0] - sizes[1]) / GB:+.2f} GB since {_day(seen[1])}"
    return Part("storage", "good", words, SCAN, {"kept_gb": round(sizes[0] / GB, 3)})


def _day(snapshot: Snapshot) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(snapshot.started_ns / 1e9, UTC):%Y-%m-%d %H:%M}"


@task(**policy.READ)
def phase(looking: Looking) -> None:
    """Say that a phase was begun and has not ended; where there is none, there is no line."""
    from autopack.io.phase_store import open_runs

    try:
        looking.parts += [_open(looking, run) for run in open_runs(looking.root)]
    except AutopackError as error:
        looking.parts.append(Part("phase", "unknown", str(error)))


def _open(looking: Looking, run: str) -> Part:
    from autopack.io.phase_store import load
    from tasks.phase_runs_session import phase_of

    since = f"phase {phase_of(run)} is open since {run[:16]}"
    try:
        spec = load(looking.root, run, "begin it anew").snapshot.spec
    except Refused as error:
        return Part("phase", "bad", f"{since}: {error}")
    words = ["python", "-m", "flows.phase_check", "end", spec, "--phase", phase_of(run)]
    return Part("phase", "look", since, shlex.join(words))

"""Four processes, four locks, and somebody who kills, stops and breaks: nothing may slip."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import session
from tests.support.process import run_bounded

FAULTS = (
    "failed workers", "double holds", "two in a commit", "stale commits", "lost updates",
    "deadlocks", "duplicate generations", "generations that fell", "held at the end",
)  # fmt: skip


def fight(root: Path, **quota: int) -> dict[str, float]:
    options = [f"--{name}={number}" for name, number in quota.items()]
    command = [sys.executable, "-m", "tests.support.lock_harness", str(root), *options]
    done = run_bounded(
        command, cwd=session.REPOSITORY, env=session.clean_environment(), seconds=900
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout, done.stderr)
    return done.report


@pytest.mark.soak
def test_no_hold_is_double_and_no_write_is_lost_or_late(
    tmp_path: Path, soak_rounds: Callable[[int, int], int]
) -> None:
    kills, stops = soak_rounds(100, 1000), soak_rounds(10, 100)
    breaks, acquisitions = soak_rounds(5, 50), soak_rounds(10_000, 100_000)
    counts = fight(tmp_path, acquisitions=acquisitions, kills=kills, stops=stops, breaks=breaks)
    assert {name: counts[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0), json.dumps(counts)
    assert counts["acquisitions"] >= acquisitions
    assert counts["kills"] == kills
    assert counts["stops"] >= stops
    assert counts["broken"] >= breaks
    assert counts["fenced"] > 0, "nobody came back to a broken lock"

"""How fast a quick tidy is on a large workspace, against an empty one.

`python -m benchmarks.tidy [--files N] [--runs N] [--queued N] [--rounds N]`: dry runs as processes
of their own, engine `direct`, in turns. The empty workspace has the same docs/ and nothing else.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autopack.state_files import TIDY_QUEUE
from autopack.tidy.queue import Pending, Queue
from autopack.tidy.queue_json import to_json
from benchmarks.measure import Row, interleaved, show

REPOSITORY = Path(__file__).resolve().parents[1]
CLEANUP = "--quick-include-autonomous-runs-cleanup"


def lay_out(root: Path, files: int, runs: int, queued: int) -> None:
    """Make a workspace with ledgers, an archive, run folders and a queue that is not due."""
    (root / "docs").mkdir(parents=True)
    head = "# B\n\n## INDEX\n\n| T | I | P | S | F |\n|---|---|---|---|---|\n"
    (root / "docs/BUILD_HISTORY.md").write_text(f"{head}| 2026-01-01 | BUILD-1 | p | s | f |\n")
    (root / "README.md").write_text("# R\n")
    for n in range(files):
        folder = root / f"archive/reports/{n // 500}"
        if n % 500 == 0:
            folder.mkdir(parents=True)
        (folder / f"page-{n}.md").write_text("# A page\n")
    for n in range(runs):
        folder = root / f".autonomous_runs/run-{n}"
        folder.mkdir(parents=True)
        (folder / "executor.log").write_text("x\n")
    if queued:
        path = root / TIDY_QUEUE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_json(waiting(queued)))


def waiting(count: int) -> Queue:
    """Return a queue of moves that are due in an hour."""
    now = datetime.now(UTC)
    items = (
        Pending(
            f"old-{n}.log", f"archive/diagnostics/logs/old-{n}.log", "logs", "a log", "root",
            "pending", "locked", first_seen=now, eligible_at=now + timedelta(hours=1),
            last_attempt=now - timedelta(minutes=1), attempts={"locked": 1},
        )
        for n in range(count)
    )  # fmt: skip
    return Queue().with_items(items)


def quick(root: Path, *flags: str) -> Callable[[], object]:
    """Return a call that runs a quick tidy as a process of its own."""
    where = ("--engine", "direct", "--json", "--max-seconds", "60", "--workspace", str(root))
    command = [sys.executable, "-m", "flows.tidy", "--quick", *where, *flags]

    def run() -> None:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
        assert json.loads(done.stdout)["flow"] == "tidy"

    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--queued", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, empty = Path(folder, "large"), Path(folder, "empty")
        lay_out(large, given.files, given.runs, given.queued)
        lay_out(empty, 0, 0, 0)
        works = (quick(large), quick(empty), quick(large, CLEANUP))
        slow, bare, cleanup = interleaved(given.rounds, *works)
    size = f"{given.files:,} files, {given.runs:,} runs, {given.queued:,} queued"
    rows = [
        Row(f"quick, {size}", slow, "quick, empty", bare),
        Row("the same with the cleanup of runs", cleanup, "quick, empty", bare),
    ]
    show(rows, {"rounds": given.rounds})


if __name__ == "__main__":
    main()

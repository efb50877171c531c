"""A failure that keeps coming back gets a rule, and comes back less: the whole loop in one minute.

    python docs/examples/failure_rules_demo.py FOLDER

FOLDER must not exist; it becomes a workspace whose runs are made up. Fifty runs lie in the past,
and a third of them die because a table is missing. A rule is proposed from the last week, reviewed
and appended. Sixty made-up runs follow, two of which still die; then the effect is measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

TABLE = ("OperationalError", "no such table: phases")
PEER = ("ConnectionError", "connection refused by 127.0.0.1:6333")


def run(root: Path, number: int, at: datetime, failures: Iterable[tuple[str, str]]) -> None:
    """Leave behind what a run leaves: its folder with its time, and a report of each failure."""
    folder = root / f".autonomous_runs/run-{number:03}"
    errors = folder / "errors"
    errors.mkdir(parents=True)
    for kind, message in failures:
        report = {
            "timestamp": at.isoformat(), "error_type": kind, "error_message": message,
            "run_id": f"run-{number:03}", "phase_id": "p1", "component": "api",
        }  # fmt: skip
        (errors / f"{kind}.json").write_text(json.dumps(report))
    os.utime(folder, (at.timestamp(), at.timestamp()))


def failures_of(number: int, every: int) -> list[tuple[str, str]]:
    """Return what fails in a run: the table in every so many runs, the peer in every fifth."""
    found = [TABLE] if number % every == 0 else []
    return [*found, PEER] if number % 5 == 1 else found


def command(root: Path, *words: str) -> None:
    """Show a command, run it, and stop when it cannot do its job."""
    sys.stdout.write(f"\n$ python -m flows.failure_rules {' '.join(words)}\n")
    sys.stdout.flush()
    given = [sys.executable, "-m", "flows.failure_rules", *words, "--workspace", str(root)]
    code = subprocess.run([*given, "--engine", "direct"], check=False).returncode  # noqa: S603
    if code:
        raise SystemExit(code)


def main() -> None:
    """Lay out the workspace and go once round the loop."""
    root = Path(sys.argv[1])
    (root / "docs").mkdir(parents=True)
    now = datetime.now(UTC)
    for number in range(50):
        run(root, number, now - timedelta(days=50 - number), failures_of(number, 3))
    command(root, "propose", "--since-days", "8.5")
    command(root, "review", "--approve", "all", "--by", "Ada Lovelace")
    command(root, "append", "--execute")
    for number in range(50, 110):
        run(root, number, now + timedelta(hours=number), failures_of(number, 30))
    command(root, "effect", *sys.argv[2:])


if __name__ == "__main__":
    main()

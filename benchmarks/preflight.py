"""How long the quick checks take beside the slowest of them, and what a Prefect server adds.

`python -m benchmarks.preflight [--rounds N] [--server]`: processes of their own on this repository,
in turns. With `--server`, runs on the server at PREFECT_API_URL are measured as well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Row, show

REPOSITORY = Path(__file__).resolve().parents[1]


def quick(engine: str, *flags: str) -> dict[str, Any]:
    """Return the report of a quick run."""
    command = [sys.executable, "-m", "flows.preflight", "--engine", engine, "--json", *flags]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["exit_code"] in (0, 1), report["message"]
    return report


def slowest(report: dict[str, Any]) -> float:
    """Return the seconds of a run's slowest check."""
    return max(float(check["seconds"]) for check in report["checks"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--server", action="store_true")
    given = parser.parse_args()
    quick("direct", "--changed")  # caches of the tools, and of what passed
    plain, kept, served = [], [], []
    for _ in range(given.rounds):
        plain.append(quick("direct"))
        kept.append(quick("direct", "--changed"))
        served += [quick("server")] if given.server else []
    whole = median(float(report["seconds"]) for report in plain)
    longest = median(map(slowest, plain))
    together = median(sum(float(c["seconds"]) for c in report["checks"]) for report in plain)
    again = median(float(report["seconds"]) for report in kept)
    rows = [
        Row("quick tier", whole, "its slowest check", longest),
        Row("the same, one check after the other", together, "quick tier", whole),
        Row("quick tier --changed, nothing changed", again, "quick tier", whole),
    ]
    if served:
        seconds = median(float(report["seconds"]) for report in served)
        rows.append(Row("quick tier on a running server", seconds, "quick tier", whole))
    show(rows, {"rounds": given.rounds, "checks": len(plain[0]["checks"])})


if __name__ == "__main__":
    main()

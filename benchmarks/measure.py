"""Medians of interleaved rounds, and a table of ratios against a named baseline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Row:
    """One figure: what was measured, in seconds, and the baseline it is held against."""

    what: str
    seconds: float
    baseline: str
    baseline_seconds: float

    @property
    def ratio(self) -> float:
        """How many baselines it takes."""
        return self.seconds / self.baseline_seconds


def timed(work: Callable[[], object]) -> float:
    """Return how long one call takes, in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def interleaved(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the median of each work over rounds in which they take turns."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for taken, work in zip(times, works, strict=True):
            taken.append(timed(work))
    return [median(taken) for taken in times]


def peak_mb() -> float:
    """Return this process's peak memory so far, in megabytes."""
    # Not ru_maxrss: a process inherits that of the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def show(rows: Sequence[Row], notes: dict[str, object]) -> None:
    """Print the figures as a table and as one line of JSON."""
    print(f"{'measured':<58} {'median s':>9} {'ratio':>8}  baseline (s)")
    for row in rows:
        base = f"{row.baseline} ({row.baseline_seconds:.4f})"
        print(f"{row.what:<58} {row.seconds:>9.4f} {row.ratio:>7.2f}×  {base}")
    for name, value in notes.items():
        print(f"{name}: {value}")
    figures = [{**asdict(row), "ratio": round(row.ratio, 3)} for row in rows]
    print(json.dumps({"rows": figures, "notes": notes}))

"""Earlier looks at a workspace, so that the page shows where its numbers go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import isfinite

MOST = 2_000
"""Looks that are kept: hourly, about twelve weeks."""
POINTS = 30
"""Points of a line, the newest ones."""


@dataclass(frozen=True)
class Look:
    """The numbers of one look."""

    at: datetime
    numbers: Mapping[str, float]

    def line(self) -> str:
        """Return the look as one line of the history."""
        at = self.at.isoformat(timespec="seconds")
        return json.dumps({"at": at, "numbers": dict(self.numbers)}, allow_nan=False) + "\n"


def parse(lines: Iterable[str]) -> tuple[list[Look], int]:
    """Return the looks in the order of their times, and how many lines were none."""
    looks, bad = [], 0
    for line in lines:
        if not line.strip():
            continue
        look = _look(line)
        if look is None:
            bad += 1
        else:
            looks.append(look)
    return sorted(looks, key=lambda look: look.at), bad


def _look(line: str) -> Look | None:
    try:
        raw = json.loads(line)
        at = datetime.fromisoformat(raw["at"])
        numbers = {str(key): float(value) for key, value in raw["numbers"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    whole = at.tzinfo is not None and all(map(isfinite, numbers.values()))
    return Look(at, numbers) if whole else None


def line_of(looks: Sequence[Look], name: str) -> list[tuple[datetime, float]]:
    """Return the newest points of a number, oldest first."""
    return [(look.at, look.numbers[name]) for look in looks if name in look.numbers][-POINTS:]


def moved(points: Sequence[tuple[datetime, float]]) -> float | None:
    """Return by how much a number has changed since its last other value; None without one."""
    changes = [after - before for (_, before), (_, after) in pairwise(points) if after != before]
    return changes[-1] if changes else None

"""A ledger that stands at the root as well: the same as the one in docs/, or not."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

DIFF_LINES = 200


@dataclass(frozen=True)
class Duplicate:
    """A ledger's twin at the root, and how it differs from the ledger; `diff` has no line ends."""

    path: str
    ledger: str
    kind: Literal["identical", "divergent", "only"]
    diff: tuple[str, ...] = ()


def compare(path: str, data: bytes, ledger: str, canonical: bytes | None) -> Duplicate:
    """Return how a root file relates to the ledger of its name; None means docs/ has none."""
    if canonical is None:
        return Duplicate(path, ledger, "only")
    if data == canonical:
        return Duplicate(path, ledger, "identical")
    return Duplicate(path, ledger, "divergent", tuple(_diff(path, data, ledger, canonical)))


def _diff(path: str, data: bytes, ledger: str, canonical: bytes) -> list[str]:
    old, new = (side.decode("utf-8", "replace").splitlines() for side in (canonical, data))
    lines: list[str] = []
    for line in difflib.unified_diff(old, new, ledger, path, n=1, lineterm=""):
        if len(lines) == DIFF_LINES:
            return [*lines, f"... cut after {DIFF_LINES} lines"]
        lines.append(line)
    return lines or ["the line ends differ"]

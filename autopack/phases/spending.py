"""What a phase has written so far, held against its budget before each write counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from io import BytesIO

from autopack.errors import Refused
from autopack.phases.scope import Budget

EXACT = 4000
"""Lines; two texts that differ in more are not compared line by line: all of them count."""
MAX_BYTES = 64 << 20
"""What a phase may write in all if nobody says otherwise; specs have no number for it."""


@dataclass
class Spending:
    """Files, lines and bytes of one phase; lines as git counts those added and removed, or more.

    A file that is written twice counts once, from what it was at first.
    """

    budget: Budget
    max_bytes: int = MAX_BYTES
    written: int = 0
    first: dict[str, bytes] = field(default_factory=dict)
    lines: Counter[str] = field(default_factory=Counter)

    def take_bytes(self, path: str, count: int) -> None:
        """Count bytes before they are written.

        Raises:
            Refused: There would be too many.
        """
        if self.written + count > self.max_bytes:
            raise _over(path, "bytes", self.written + count, self.max_bytes, "")
        self.written += count

    def check(self, path: str, old: bytes, new: bytes) -> int:
        """Return the lines that a file's change would come to, for `count`.

        Raises:
            Refused: The budget has not so many files, or lines.
        """
        files = len({*self.first, path})
        if files > self.budget.files:
            raise _over(path, "files", files, self.budget.files, "PS720")
        lines = lines_between(self.first.get(path, old), new)
        total = sum(self.lines.values()) - self.lines[path] + lines
        if total > self.budget.lines:
            raise _over(path, "lines", total, self.budget.lines, "PS721")
        return lines

    def count(self, path: str, old: bytes, lines: int) -> None:
        """Count a change that was made."""
        self.first.setdefault(path, old)
        self.lines[path] = lines


def lines_between(old: bytes, new: bytes) -> int:
    """Return the lines removed and added from one text to another; never too few."""
    before, after = BytesIO(old).readlines(), BytesIO(new).readlines()
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    most = min(len(before), len(after)) - start
    while end < most and before[-1 - end] == after[-1 - end]:
        end += 1
    left, right = before[start : len(before) - end], after[start : len(after) - end]
    if len(left) + len(right) > EXACT or not (left and right):
        return len(left) + len(right)
    same = SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks()
    return len(left) + len(right) - 2 * sum(block.size for block in same)


def _over(path: str, what: str, count: int, limit: int, code: str) -> Refused:
    shown = f"{code} " if code else ""
    return Refused(
        f"{path}: {shown}{count} {what} of {limit} that the phase may change; it was not written",
        next_step="ask for a larger budget in the spec, or do less",
    )

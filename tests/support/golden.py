"""Golden fixtures: a title, an input and what is expected, each ended by a line with one dot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Golden:
    """One fixture; <TAB>, <SPACES>, <CR> and <BOM> in the input stand for what editors may lose."""

    title: str
    given: str
    expected: list[str]


def read_golden(path: Path) -> list[Golden]:
    """Return the fixtures of a file."""
    parts: list[list[str]] = [[]]
    for line in path.read_text(encoding="utf-8").splitlines():
        if line == ".":
            parts.append([])
        else:
            parts[-1].append(line)
    assert len(parts) % 3 == 1, f"{path.name} ends in the middle of a fixture"
    return [
        Golden(title[0], _unescaped("\n".join(given)), wanted)
        for title, given, wanted in zip(parts[::3], parts[1::3], parts[2::3], strict=False)
    ]


def _unescaped(given: str) -> str:
    given = given.replace("<TAB>", "\t").replace("<SPACES>", "   ")
    return given.replace("<CR>", "\r").replace("<BOM>", "\ufeff")

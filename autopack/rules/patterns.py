"""Patterns over short texts: literals, and `*` for anything; no others, so that none is slow.

`*no such table*` is the regular expression `.*no such table.*`. This subset needs no backtracking:
the first place where each literal fits is as good as any later one, so a match takes one search
for each. An engine with that promise for all regular expressions is not among the dependencies,
and Python's own can take minutes for a line.
"""

from __future__ import annotations

from functools import lru_cache

MAX_PATTERN = 300
"""Characters of a pattern."""


def fits(pattern: str, text: str) -> bool:
    """Return whether a pattern fits a whole text; upper and lower case are the same."""
    first, middle, last, stars = _parts(pattern)
    text = text.casefold()
    if not stars:
        return text == first
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


@lru_cache(maxsize=4096)
def _parts(pattern: str) -> tuple[str, tuple[str, ...], str, bool]:
    first, *rest = pattern.casefold().split("*")
    middle = tuple(piece for piece in rest[:-1] if piece)
    return first, middle, rest[-1] if rest else "", bool(rest)


def literals(pattern: str) -> str:
    """Return what a pattern demands, its literal text."""
    return pattern.replace("*", "")

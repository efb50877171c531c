"""Patterns over short texts: literals, and `*` for anything; no others, so that none is slow.

`*no such table*` is the regular expression `.*no such table.*`. This subset needs no backtracking:
the first place where each literal fits is as good as any later one, so a match takes one search
for each. An engine with that promise for all regular expressions is not among the dependencies,
and Python's own can take minutes for a line.
"""

from __future__ import annotations

from collections.abc import Callable

MAX_PATTERN = 300
"""Characters of a pattern."""


def fits(pattern: str, text: str) -> bool:
    """Return whether a pattern fits a whole text; upper and lower case are the same."""
    return matcher(pattern)(text.casefold())


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a pattern as a function of a text that is casefolded already."""
    first, *rest = pattern.casefold().split("*")
    if not rest:
        return first.__eq__
    middle, last = tuple(filter(None, rest[:-1])), rest[-1]
    if not first and not last and len(middle) == 1:
        (piece,) = middle
        return lambda text: piece in text
    return lambda text: _in_order(text, first, middle, last)


def _in_order(text: str, first: str, middle: tuple[str, ...], last: str) -> bool:
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def literals(pattern: str) -> str:
    """Return what a pattern demands, its literal text."""
    return pattern.replace("*", "")

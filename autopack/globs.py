"""Globs that are anchored at both ends: they match a whole path from the workspace's root."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PIECES = re.compile(r"(\*\*/|\*\*|\*|\?)")
_WORDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def anchored(glob: str) -> re.Pattern[str]:
    """Return the pattern of a whole path: `*` and `?` within a name, `**` across folders."""
    return re.compile(_translated(glob), re.S)


def any_of(globs: Iterable[str], *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return the pattern of the paths that one of these globs matches; of none, nothing."""
    words = "|".join(_translated(glob) for glob in globs)
    return re.compile(words or r"(?!)", re.S | re.I if ignore_case else re.S)


def _translated(glob: str) -> str:
    return "".join(_WORDS.get(piece, re.escape(piece)) for piece in _PIECES.split(glob))

"""Which files a rule is about: globs anchored at the root, and never all of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from pathspec import GitIgnoreSpec

_GLOB = re.compile(r"[\w.*?+@ -]+(?:/[\w.*?+@ -]+)*/?")
_WIDE = re.compile(r"[*?./]*")


def scope_fault(glob: str) -> str | None:
    """Return why a glob is no scope, or None for one that is."""
    if not glob or _WIDE.fullmatch(glob):
        return "is everything, so it is no scope"
    if not _GLOB.fullmatch(glob) or ".." in glob.split("/"):
        return "is no relative path with '/' between its names"
    if _WIDE.fullmatch(glob.split("/", 1)[0]) and not re.search(r"[\w-]", glob.split("/", 1)[1]):
        return "is everything, so it is no scope"
    return None


def within(scope: Iterable[str], path: str) -> bool:
    """Return whether a path of the workspace is in a scope."""
    return _compiled(tuple(scope)).match_file(path)


@lru_cache(maxsize=1024)
def _compiled(scope: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(f"/{glob}" for glob in scope)


def meets(scope: Iterable[str], glob: str) -> bool:
    """Return whether a phase that may write `glob` may write something in a scope.

    Both are folders, files or globs; two of them meet when one's fixed beginning leads into the
    other's, which errs on the side of saying so.
    """
    other = _fixed(glob)
    return any(_leads(_fixed(one), other) or _leads(other, _fixed(one)) for one in scope)


def _fixed(glob: str) -> tuple[str, ...]:
    parts = [part for part in glob.removeprefix("/").split("/") if part]
    wild = next((n for n, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts))
    return tuple(parts[:wild])


def _leads(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return other[: len(one)] == one

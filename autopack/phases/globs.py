"""Globs as gitignore has them, anchored at the root, without negation; can two of them meet?

`*` and `?` stay within a name, `**` crosses folders. A glob covers what it names and everything
below; with a `/` at its end only what is below. Where gitignore would let a name float to any
depth, it is written `**/name` here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from autopack.phases.codes import Code
from autopack.phases.paths import fault, fold, is_plain

ANY = "**"
MAX_STARS = 3
"""In one name, and `**` in one glob: a matcher that goes back takes the length to this power."""
Tokens = tuple[str, ...]


def glob_fault(glob: str) -> Code | None:
    """Return why a glob is refused, or None for one that has one reading."""
    bare = glob.removesuffix("/")
    if is_plain(bare):
        return None
    names = bare.split("/")
    floating = any(ANY in name and name != ANY for name in names)
    many = names.count(ANY) > MAX_STARS or any(name.count("*") > MAX_STARS for name in names)
    unread = glob.startswith("!") or re.search(r"[][{}]", glob) is not None
    if unread or floating or many or (bare != glob and names[-1] == ANY):
        return "PS301"
    spelled = "/".join("x" if name == ANY else re.sub(r"[*?]", "x", name) for name in names)
    if code := fault(spelled):
        return code
    return "PS302" if all(name in ("*", ANY) for name in names) else None


def is_literal(glob: str) -> bool:
    """Return whether a glob names one file or folder."""
    return "*" not in glob and "?" not in glob


def literal_prefix(glob: str) -> str:
    """Return the folders and names before the first `*` or `?`, without a `/` at the end."""
    names = glob.removesuffix("/").split("/")
    at = next((n for n, name in enumerate(names) if not is_literal(name)), len(names))
    return "/".join(names[:at])


def anchored(globs: Iterable[str]) -> Iterator[str]:
    """Yield globs as lines of a .gitignore that mean the same."""
    return (f"/{glob}" for glob in globs)


@lru_cache(maxsize=4096)
def tokens(glob: str) -> Tokens:
    """Return a folded glob as names and `**`, which stands for any number of them, or none."""
    names = fold(glob).removesuffix("/").split("/")
    if names[-1] == ANY:
        return (*names[:-1], "*", ANY)
    return (*names, "*", ANY) if glob.endswith("/") else (*names, ANY)


@lru_cache(maxsize=4096)
def _root(glob: str) -> str:
    """Return the one folder or name at the root that a glob is about, "" where it is not one."""
    first = tokens(glob)[0]
    return first if is_literal(first) else ""


def meeting(one: str, other: str) -> str | None:
    """Return a path that two globs both cover where case is ignored, or None if there is none.

    Exact for every path there could be, not only for those that are there.
    """
    mine, theirs = _root(one), _root(other)
    if mine and theirs and mine != theirs:
        return None
    return _Meeting(tokens(one), tokens(other)).path()


class _Meeting:
    """The product of two globs' automata over names, searched once."""

    def __init__(self, one: Tokens, other: Tokens) -> None:
        self.one, self.other = one, other
        self.dead: set[tuple[int, int]] = set()

    def path(self) -> str | None:
        names = self._from(0, 0)
        return None if names is None else "/".join(names)

    def _from(self, i: int, j: int) -> Tokens | None:
        if (i, j) in self.dead:
            return None
        found = self._step(i, j)
        if found is None:
            self.dead.add((i, j))
        return found

    def _step(self, i: int, j: int) -> Tokens | None:
        a = self.one[i] if i < len(self.one) else None
        b = self.other[j] if j < len(self.other) else None
        if a is None and b is None:
            return ()
        if a == ANY:
            return self._skip((i + 1, j), (i, j + 1), b)
        if b == ANY:
            return self._skip((i, j + 1), (i + 1, j), a)
        if a is None or b is None:
            return None
        name = common_name(a, b)
        rest = None if name is None else self._from(i + 1, j + 1)
        return None if name is None or rest is None else (name, *rest)

    def _skip(
        self, without: tuple[int, int], eaten: tuple[int, int], name: str | None
    ) -> Tokens | None:
        """Let `**` stand for nothing, or for the name that the other side has next."""
        found = self._from(*without)
        if found is not None or name is None:
            return found
        rest = self._from(*eaten)
        if rest is None or name == ANY:
            return rest
        return (common_name(name, "*") or "x", *rest)


@lru_cache(maxsize=4096)
def common_name(one: str, other: str) -> str | None:
    """Return a name that two patterns of one name both match, or None."""
    if is_literal(one) and is_literal(other):
        return one if one == other else None
    if is_literal(one):
        return one if _pattern(other).fullmatch(one) else None
    if is_literal(other):
        return common_name(other, one)
    return _wild(one, other)


def _pattern(name: str) -> re.Pattern[str]:
    words = {"*": ".*", "?": "."}
    return re.compile("".join(words.get(c) or re.escape(c) for c in name), re.S)


def _wild(one: str, other: str) -> str | None:
    """Return a shortest common name of two patterns; the table is filled from their ends."""
    best: dict[tuple[int, int], str] = {(len(one), len(other)): ""}
    for i in range(len(one), -1, -1):
        for j in range(len(other), -1, -1):
            ways = [way for way in _ways(one, other, i, j, best) if way is not None]
            if ways:
                best[i, j] = min(ways, key=len)
    found = best.get((0, 0))
    return "x" if found == "" else found


def _ways(
    one: str, other: str, i: int, j: int, best: dict[tuple[int, int], str]
) -> Iterator[str | None]:
    a, b = one[i : i + 1], other[j : j + 1]
    yield best.get((i, j))
    if a == "*":
        yield best.get((i + 1, j))
        yield _after(b, best.get((i, j + 1)))
    if b == "*":
        yield best.get((i, j + 1))
        yield _after(a, best.get((i + 1, j)))
    if a and b and "*" not in (a, b) and (a == b or "?" in (a, b)):
        yield _after(b if a == "?" else a, best.get((i + 1, j + 1)))


def _after(letter: str, rest: str | None) -> str | None:
    if not letter or letter == "*" or rest is None:
        return None
    return ("x" if letter == "?" else letter) + rest

"""What may never go, and why: by the policy, by the registry of state files, or by its name.

Protection ignores case and how accents are composed, whatever the policy says: that a name is
protected too much costs disk space, that it is protected too little costs the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from autopack.state_files import REGISTRY, StateFile
from autopack.storage.matcher import Globs
from autopack.storage.policy import Policy

if TYPE_CHECKING:
    import polars as pl

LEDGERS = tuple(
    f"**/docs/{name}"
    for name in (
        "BUILD_HISTORY.md",
        "ARCHITECTURE_DECISIONS.md",
        "DEBUG_LOG.md",
        "CHANGELOG.md",
        "FUTURE_PLAN.md",
        "PROJECT_INDEX.json",
        "LEARNED_RULES.json",
    )
)
AMBIGUOUS = "ambiguous name"
ELSEWHERE = "state of another workspace"
_NO_PATH = r"\A(?:/|\z)|//|/\z|(?:\A|/)\.\.?(?:/|\z)|\x00"
_WINDOWS = (
    r'[\\:*?"<>|\x00-\x1f]'  # a separator, a stream (a:b), or no character of a name
    r"|[. ](?:/|\z)"  # dropped when the name is opened
    r"|(?i:(?:\A|/)(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\.[^/]*)?(?:/|\z))"
    r"|(?:\A|/)[^/.~]{1,6}~[0-9]{1,6}(?:\.[^/.]{0,3})?(?:/|\z)"  # the short form of any long name
)


class Guard(IntEnum):
    """What protection says of an entry, by the codes of `Protection.flags`."""

    FREE = 0
    PROTECTED = 1
    AROUND = 2
    """A folder that holds something protected: it may not go as a whole."""


class Protection:
    """The rules of a policy, and those that hold whatever it says, for the paths of one root.

    The globs hold from the root; from the workspace as well, where the root lies `inside` it or
    `holds` it. Both are paths of one relative to the other, spelled, "" for neither. A root apart
    from the workspace is `at` a path of its own: what is state in any workspace is so there too.
    """

    def __init__(self, policy: Policy, *, inside: str = "", holds: str = "", at: str = "") -> None:
        self._at = f"{at}/" if at else ""
        self._inside, self._holds = f"{inside}/" if inside else "", f"{holds}/" if holds else ""
        self._windows = policy.case == "insensitive"
        self._rules = tuple(
            (why, Globs(globs, fold=True, covering=True)) for why, globs in _rules(policy) if globs
        )
        self._all = Globs(tuple(g for _, rule in self._rules for g in rule.globs), True, True)
        self._anywhere = Globs((*_floating(), *LEDGERS), True, True)
        self._ambiguous = f"{_NO_PATH}|{_WINDOWS}" if self._windows else _NO_PATH
        self._named = re.compile(self._ambiguous.replace(r"\z", r"\Z"))

    def reason(self, path: str) -> str | None:
        """Return why a path may never go: by its own name or that of a folder it lies in."""
        for name in self._names(path):
            if self._all.match(name):
                return next(why for why, rule in self._rules if rule.match(name))
        if self._at and self._anywhere.match(self._at + path):
            return ELSEWHERE
        return AMBIGUOUS if self._named.search(path) else None

    def _names(self, path: str) -> Iterator[str]:
        """Yield a path as the root sees it, and as the workspace does."""
        yield path
        if self._inside:
            yield self._inside + path
        if self._holds and path.startswith(self._holds):
            yield path.removeprefix(self._holds)

    def first(self, paths: Sequence[str]) -> tuple[str, str] | None:
        """Return the first of many paths that may never go, and why; far faster than one by one."""
        import polars as pl

        rows = self._guarded(pl.Series(paths, dtype=pl.String)).arg_true()
        if rows.is_empty():
            return None
        path = paths[int(rows[0])]
        return path, self.reason(path) or AMBIGUOUS

    def flags(self, frame: pl.DataFrame) -> pl.Series:
        """Return a `Guard` for each row of a snapshot's frame."""
        import polars as pl

        guarded = self._guarded(frame["path"]) & (frame["path"] != "")
        around = above(frame["parent"], guarded)
        codes = guarded.cast(pl.UInt8) * int(Guard.PROTECTED)
        return (codes + (around & ~guarded).cast(pl.UInt8) * int(Guard.AROUND)).alias("guard")

    def _guarded(self, paths: pl.Series) -> pl.Series:
        found = self._all.series(paths) | paths.str.contains(self._ambiguous)
        if self._at:
            found = found | self._anywhere.series(self._at + paths)
        if self._inside:
            found = found | self._all.series(self._inside + paths)
        if self._holds:
            within = paths.str.starts_with(self._holds)
            found = found | (self._all.series(paths.str.strip_prefix(self._holds)) & within)
        return found


def above(parent: pl.Series, marked: pl.Series) -> pl.Series:
    """Return which rows are folders with a marked row somewhere below them."""
    import polars as pl

    found = pl.repeat(False, len(parent), dtype=pl.Boolean, eager=True)
    rows = marked.arg_true()
    while len(rows):
        rows = parent.gather(rows).unique()
        rows = rows.filter(~found.gather(rows))
        found = found.scatter(rows, True)
    return found


def _rules(policy: Policy) -> Iterator[tuple[str, tuple[str, ...]]]:
    for state in REGISTRY:
        if not state.rebuilt:
            yield f"state: {state.what}", (_anywhere(state),)
    yield "a ledger", LEDGERS
    for name, globs in policy.protected.items():
        yield f"protected: {name}", tuple(globs)
    yield "pinned", tuple(policy.pinned)


def _floating() -> Iterator[str]:
    """Yield the globs of state that is known as such at any depth."""
    globs = (_anywhere(state) for state in REGISTRY if not state.rebuilt)
    return (glob for glob in globs if glob.startswith("**/"))


def _anywhere(state: StateFile) -> str:
    """Return a state file's glob for any workspace below the root, where its name is plain enough.

    `config` and the like are common names: they are state at the root alone.
    """
    if state.glob.startswith("**/"):
        return state.glob
    return f"**/{state.glob}" if state.glob.startswith(".") else f"/{state.glob}"

"""What a phase did that it may not: each difference between two moments held against its scope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from autopack.phases.census import CONFIG, UNREADABLE, Census, Change, changes, in_git, shown
from autopack.phases.codes import CODES, Code, severity
from autopack.phases.finding import SpecFinding
from autopack.phases.paths import fold
from autopack.phases.scope import Scope, compiled

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_SPECIAL_BITS = 0o7000
_BY_ACTION: dict[str, Code] = {"created": "PS702", "deleted": "PS703", "changed": "PS701"}
_BY_VERDICT: dict[Code, Code] = {"PS215": "PS709", "PS216": "PS710"}
MOVED = 40
"""So much of a commit id or a link's target is shown."""


@dataclass(frozen=True)
class Violation:
    """A code, the path it is about, and what happened in words."""

    code: Code
    path: str
    words: str

    def finding(self, phase: str) -> SpecFinding:
        """Return it as a report has it."""
        message = f"{self.words}: {CODES[self.code]}"
        return SpecFinding(
            self.code, severity(self.code), shown(self.path), None, message, "", None, phase
        )


@dataclass(frozen=True)
class Judged:
    """What a phase came to: what it did within its scope, and what it may not have done."""

    within: tuple[Change, ...]
    outside: tuple[tuple[Change, Violation], ...]
    about_git: tuple[Violation, ...]

    @property
    def violations(self) -> list[Violation]:
        """All of them, in the order of their paths."""
        found = [*(violation for _, violation in self.outside), *self.about_git]
        return sorted(found, key=lambda v: (v.path, v.code))

    @property
    def patched(self) -> bool:
        """Whether a patch can hold some of it; git takes no patch of its own folder."""
        return any(
            change.kind != "folder" and not in_git(change.path) for change, _ in self.outside
        )

    @property
    def files(self) -> list[Change]:
        """What counts against the budget of files: everything within the scope but folders."""
        return [change for change in self.within if change.kind != "folder"]


def judge(before: Census, after: Census, scope: Scope, scratch: Sequence[str]) -> Judged:
    """Hold every difference against the scope; `scratch` globs are what tools leave behind."""
    found = tuple(changes(before, after))
    court = _Court(scope, tuple(scratch), found, frozenset(before.index or ()))
    outside, within = [], []
    for change in found:
        if court.swallowed(change):
            continue
        violation = court.verdict(change)
        if violation is None:
            within.append(change)
        else:
            outside.append((change, violation))
    about_git = (*_moved_refs(before, after), *_staged(before, after))
    return Judged(tuple(within), tuple(outside), about_git)


@dataclass(frozen=True)
class _Court:
    scope: Scope
    scratch: tuple[str, ...]
    found: tuple[Change, ...]
    tracked: frozenset[str]

    @cached_property
    def _scratch(self) -> GitIgnoreSpec:
        return compiled([fold(glob) for glob in self.scratch])

    @cached_property
    def _repositories(self) -> tuple[str, ...]:
        """Git control folders that came or went as a whole."""
        return tuple(
            change.path
            for change in self.found
            if fold(change.path).rpartition("/")[2] == ".git"
            and change.action in ("created", "deleted")
        )

    @cached_property
    def _parents(self) -> frozenset[str]:
        """Folders above what the phase created or deleted within its scope."""
        paths = [
            change.path
            for change in self.found
            if change.kind != "folder"
            and change.action in ("created", "deleted")
            and self.scope.judge(change.path) is None
        ]
        parts = [path.split("/") for path in paths]
        return frozenset("/".join(names[:n]) for names in parts for n in range(1, len(names)))

    def swallowed(self, change: Change) -> bool:
        """Return whether a change is told by that of the repository around it."""
        return any(change.path.startswith(f"{top}/") for top in self._repositories)

    def verdict(self, change: Change) -> Violation | None:
        code = self._code(change)
        if code in ("PS701", "PS702", "PS703", "PS704", "PS708") and self._left(change):
            code = "PS730"
        return Violation(code, change.path, _words(change)) if code else None

    def _code(self, change: Change) -> Code | None:
        if in_git(change.path):
            return _git_code(change)
        if code := _kind_code(change):
            return code
        if change.kind == "folder":
            return self._folder_code(change)
        verdict = self.scope.judge(change.path)
        if verdict is None:
            return _mode_code(change)
        if change.action == "created" and verdict not in (*_BY_VERDICT, "PS214"):
            return "PS715"
        return _BY_VERDICT.get(verdict) or _BY_ACTION.get(change.action, "PS704")

    def _folder_code(self, change: Change) -> Code | None:
        """Judge a folder by a file that could lie in it, or by what came and went in it."""
        verdict = self.scope.judge(f"{change.path}/x")
        if verdict is None:
            return _mode_code(change)
        if change.action in ("created", "deleted") and change.path in self._parents:
            return None
        moded = change.action.startswith(("mode", "owner"))
        return _BY_VERDICT.get(verdict) or ("PS704" if moded else "PS708")

    def _left(self, change: Change) -> bool:
        below = f"{fold(change.path)}/" if change.kind == "folder" else fold(change.path)
        cache = change.kind in ("file", "folder") and change.path not in self.tracked
        return cache and self._scratch.match_file(below)


def _kind_code(change: Change) -> Code | None:
    """Return the code of what no phase may make, wherever it is."""
    new = change.after
    if new is None:
        return None
    if new.kind == "link":
        return "PS705"
    if new.kind == "folder" and new.digest == UNREADABLE:
        return "PS716"
    if " became a " in change.action or new.kind not in ("file", "folder"):
        return "PS707"
    return "PS706" if new.kind == "file" and new.names > 1 else None


def _mode_code(change: Change) -> Code | None:
    """Return the code of rights that even a file of the phase may not get: set-id and sticky."""
    new, old = change.after, change.before
    bits = new.mode & _SPECIAL_BITS if new else 0
    return "PS704" if bits & ~(old.mode if old else 0) else None


def _git_code(change: Change) -> Code:
    names = fold(change.path).split("/")
    if names[-1] == ".git" and (change.action == "created" or " became a " in change.action):
        return "PS714"
    inside = change.path.split("/")[names.index(".git") + 1 :]
    history = bool(inside) and (inside[0] == "logs" or (len(inside) == 1 and inside[0].isupper()))
    return "PS712" if history else "PS711"


def _words(change: Change) -> str:
    kind = change.kind if change.action in ("created", "deleted", "replaced") else ""
    words = f"{change.action} ({kind})" if kind else change.action
    if change.kind == "link" and change.after:
        words += f", to {shown(change.after.digest)[:200]}"
    return words


def _moved_refs(before: Census, after: Census) -> Iterator[Violation]:
    for name in sorted(before.refs.keys() | after.refs.keys()):
        old, new = before.refs.get(name, "nothing"), after.refs.get(name, "nothing")
        if old != new:
            words = f"{shown(old)[:MOVED]} became {shown(new)[:MOVED]}"
            yield Violation("PS711" if name == CONFIG else "PS712", f".git/{name}", words)


def _staged(before: Census, after: Census) -> Iterator[Violation]:
    old, new = before.index or {}, after.index or {}
    for path in sorted(old.keys() | new.keys()):
        one, other = old.get(path, "not in it"), new.get(path, "not in it")
        if one != other:
            words = f"in git's index, {one[:MOVED]} became {other[:MOVED]}"
            yield Violation("PS713", path, words)

"""What git remembers of paths that are gone: where a file is now, or when it was deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from autopack.links.candidates import write
from autopack.links.ignore import NAVIGATION
from autopack.links.target import Target, join, take_apart, without_lines
from autopack.links.tree import Tree
from autopack.links.verdict import Candidate, Verdict


@dataclass(frozen=True, slots=True)
class Change:
    """One rename, or with an empty `new` a deletion, in a commit."""

    commit: str
    old: str
    new: str = ""


@dataclass(frozen=True)
class History:
    """Where paths went: the last name of a renamed file, and the commit of its first step."""

    moved: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    deleted: Mapping[str, str] = field(default_factory=dict)
    skipped: int = 0

    def place(self, path: str, tree: Tree) -> tuple[str, str] | None:
        """Return the living file that a path became, and the commit that moved it."""
        now = self.moved.get(path)
        return now if now is not None and now[0] in tree.files else None

    def names(self, path: str) -> list[tuple[str, str]]:
        """Return the names that a file had, each with the commit that changed it."""
        return self._names.get(path, [])

    @cached_property
    def _names(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for old, (now, commit) in self.moved.items():
            found[now].append((old, commit))
        return found

    def gone(self, path: str) -> str | None:
        """Return the commit that took a path away, if one did."""
        return self.deleted.get(path) or (self.moved[path][1] if path in self.moved else None)


def remember(changes: Iterable[Change], skipped: int = 0) -> History:
    """Return the history of changes, which come newest first.

    The newest word about a path counts: a name may have been used again.
    """
    moved: dict[str, tuple[str, str]] = {}
    deleted: dict[str, str] = {}
    for change in changes:
        if change.old in moved or change.old in deleted:
            continue
        if change.new in deleted:
            deleted[change.old] = deleted[change.new]
        elif change.new:
            last = moved.get(change.new, (change.new, ""))[0]
            moved[change.old] = (last, change.commit)
        else:
            deleted[change.old] = change.commit
    return History(moved, deleted, skipped)


def is_lost(verdict: Verdict) -> bool:
    """Return whether history may know more: a path is gone, and nothing certain is known.

    A file of that name at the root is not certain as long as history has not been asked.
    """
    lost = verdict.category in ("missing_file", "code_ref", "unknown_ref")
    unsure = verdict.certain is None or verdict.sub == "wrong_base"
    return lost and verdict.line is not None and unsure


def with_history(
    verdict: Verdict, history: History, tree: Tree, away: Set[str] = frozenset()
) -> Verdict:
    """Return a verdict with what history says: a candidate, or `historical_ref`.

    A link of a navigation page stays an error: its readers get nothing either way. `away` are the
    files that the last commit has and the disk has not.
    """
    target = _target(verdict)
    if verdict.certain is not None:
        return _disputed(verdict, history, tree, away)
    for path in _readings(verdict.page, target):
        now = history.place(path, tree)
        if now is not None:
            return _moved(verdict, target, path, now)
        commit = history.gone(path)
        if commit is not None and verdict.page not in NAVIGATION:
            words = f"'{verdict.target}': {path} was removed in {commit[:10]}"
            return replace(verdict, category="historical_ref", message=words)
    return verdict


def _target(verdict: Verdict) -> Target:
    return take_apart(verdict.target if verdict.link is None else verdict.link.target)


def _disputed(verdict: Verdict, history: History, tree: Tree, away: Set[str]) -> Verdict:
    """Return a verdict whose place at the root is a guess, if the place that it names was one.

    That is the place as its page stands now, or as it stood under a name that it had.
    """
    certain, target = verdict.certain, _target(verdict)
    path, out = join(verdict.page, without_lines(target.path))
    commit, now = history.gone(path), history.place(path, tree)
    if out or (now and certain and now[0] == certain.path):
        return verdict
    if path in away:
        return _weaker(verdict, f"{path} is in the last commit, and not on the disk")
    if commit is not None:
        said = _weaker(verdict, f"{path} was {'renamed' if now else 'removed'} in {commit[:10]}")
        return _moved(said, target, path, now) if now is not None else said
    beside = _beside_an_old_name(verdict, history, tree)
    if beside is None or (certain and beside.path == certain.path):
        return verdict
    said = _weaker(verdict, beside.why)
    return replace(said, candidates=(beside, *said.candidates))


def _beside_an_old_name(verdict: Verdict, history: History, tree: Tree) -> Candidate | None:
    """Return what a link led to while its page had another name, if that is there."""
    target = _target(verdict)
    for name, commit in history.names(verdict.page):
        place, out = join(name, without_lines(target.path))
        if not out and place in tree:
            why = f"this page was {name} until {commit[:10]}"
            return Candidate(
                place, "history", why, write(verdict.page, place, target, target.lines)
            )
    return None


def _weaker(verdict: Verdict, why: str) -> Verdict:
    """Return a verdict without certainty."""
    guesses = tuple(replace(c, layer="fuzzy") for c in verdict.candidates)
    return replace(verdict, message=f"'{verdict.target}': {why}", sub="", candidates=guesses)


def _readings(page: str, target: Target) -> Iterator[str]:
    """Yield what a target may have meant: from its page, then from the root."""
    path = without_lines(target.path)
    for place, out in (join(page, path), join("", path)):
        if not out:
            yield place


def _moved(verdict: Verdict, target: Target, path: str, now: tuple[str, str]) -> Verdict:
    place, commit = now
    written = write(verdict.page, place, target, target.lines)
    found = Candidate(place, "history", f"{path} was renamed in {commit[:10]}", written)
    others = tuple(c for c in verdict.candidates if c.path != place)
    return replace(verdict, candidates=(found, *others))

"""Which rules fit a failure: predicates compiled once, and answers remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Protocol

from autopack.rules.patterns import matcher
from autopack.rules.schema import FIELDS, Match, Rule, RuleFile, Stage
from autopack.rules.scopes import within

REMEMBERED = 10_000
"""Different failures whose answers are kept."""
_KEY = attrgetter(*FIELDS)
_Test = Callable[[tuple[str, ...]], bool]
"""A predicate over the casefolded fields, in the order of `FIELDS`."""


class Failure(Protocol):
    """What a rule may ask about: an event of the miner, or an example of a rule."""

    @property
    def type(self) -> str: ...
    @property
    def template(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def family(self) -> str: ...


@dataclass(frozen=True)
class Guidance:
    """What a rule says about a failure. `in_scope` is None where no file of it is known."""

    rule: str
    revision: int
    stage: Stage
    action: str
    advice: str
    scope: tuple[str, ...]
    in_scope: bool | None


def matches(match: Match, failure: Failure) -> bool:
    """Return whether a predicate fits a failure."""
    return compiled(match)(failure)


def compiled(match: Match) -> Callable[[Failure], bool]:
    """Return a predicate as a function, for many failures."""
    test = _compiled(match)
    return lambda failure: test(_folded(failure))


def _folded(failure: Failure) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _KEY(failure))


def _compiled(match: Match) -> _Test:
    if match.not_ is not None:
        denied = _compiled(match.not_)
        return lambda words: not denied(words)
    if match.all is not None:
        return _every(tuple(map(_compiled, match.all)))
    if match.any is not None:
        return _some(tuple(map(_compiled, match.any)))
    return _every(
        tuple(_field(FIELDS.index(name), pattern) for name, pattern in match.fields().items())
    )


def _field(at: int, pattern: str) -> _Test:
    fits = matcher(pattern)
    return lambda words: fits(words[at])


def _every(tests: tuple[_Test, ...]) -> _Test:
    if len(tests) == 1:
        return tests[0]

    def every(words: tuple[str, ...]) -> bool:
        for test in tests:  # noqa: SIM110 - a generator costs more than the tests
            if not test(words):
                return False
        return True

    return every


def _some(tests: tuple[_Test, ...]) -> _Test:
    def some(words: tuple[str, ...]) -> bool:
        for test in tests:  # noqa: SIM110
            if test(words):
                return True
        return False

    return some


def demanded_type(match: Match) -> str | None:
    """Return the one type that a predicate demands, if it demands exactly one."""
    if match.type is not None and "*" not in match.type:
        return match.type.casefold()
    found = (demanded_type(part) for part in match.all or ())
    return next(filter(None, found), None)


class Rulebook:
    """The rules that are served: the active ones, by the type that they demand."""

    def __init__(self, rules: Iterable[Rule], demoted: Iterable[str] = ()) -> None:
        lowered = frozenset(demoted)
        self.rules = tuple(
            (rule, _compiled(rule.match), _served(rule, rule.id in lowered))
            for rule in rules
            if rule.state == "active"
        )
        self._by_type: dict[str | None, list[int]] = {}
        for number, (rule, _, _) in enumerate(self.rules):
            self._by_type.setdefault(demanded_type(rule.match), []).append(number)
        self._known: dict[tuple[str, ...], tuple[int, ...]] = {}

    @classmethod
    def of(cls, file: RuleFile, overturned: Mapping[str, int] | None = None) -> Rulebook:
        """Return the rulebook of a file; a rule whose revision was overturned only advises."""
        hit = overturned or {}
        return cls(file.rules, (r.id for r in file.rules if hit.get(r.id) == r.revision))

    def warning(self, now: datetime) -> list[Rule]:
        """Return the rules that warn: those at stage lint or above as it is served, in date."""
        return [
            rule
            for rule, _, guidance in self.rules
            if guidance.stage != "guidance" and rule.expires_at > now
        ]

    def match(
        self, failure: Failure, paths: Iterable[str] = (), now: datetime | None = None
    ) -> tuple[Guidance, ...]:
        """Return what the rules say about a failure, the strictest first.

        `paths` are files of the workspace that the failure names: a rule that is about other files
        is left out. Without any, a rule still advises and warns, and enforces nothing.
        """
        numbers = self._numbers(failure)
        if not numbers:
            return ()
        here, now = tuple(paths), now or datetime.now(UTC)
        found = []
        for number in numbers:
            rule, _, guidance = self.rules[number]
            inside = any(within(rule.scope, path) for path in here) if here else None
            if rule.expires_at > now and inside is not False:
                found.append(_placed(guidance, inside))
        return tuple(sorted(found, key=lambda one: (-_RANK[one.stage], one.rule)))

    def _numbers(self, failure: Failure) -> tuple[int, ...]:
        key = _KEY(failure)
        known = self._known.get(key)
        if known is None:
            words = _folded(failure)
            candidates = [*self._by_type.get(words[0], ()), *self._by_type.get(None, ())]
            known = tuple(number for number in candidates if self.rules[number][1](words))
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known


_RANK: dict[str, int] = {"guidance": 0, "lint": 1, "enforce": 2}


def _served(rule: Rule, demoted: bool) -> Guidance:
    return Guidance(
        rule.id, rule.revision, "guidance" if demoted else rule.stage,
        rule.action.class_, rule.action.advice, tuple(rule.scope), None,
    )  # fmt: skip


def _placed(guidance: Guidance, inside: bool | None) -> Guidance:
    stage = "lint" if guidance.stage == "enforce" and not inside else guidance.stage
    return replace(guidance, in_scope=inside, stage=stage) if inside else (
        guidance if stage == guidance.stage else replace(guidance, stage=stage)
    )  # fmt: skip

"""Did a rule help? Incidents per run before it was thought of, and after it was reviewed.

Exposure is runs, not days. What was looked at when the rule was chosen counts on neither side: a
rule is chosen at a peak, and after a peak comes less of everything.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from autopack.rules.matching import Failure, compiled
from autopack.rules.schema import Rule
from autopack.rules.statistics import (
    benjamini_hochberg,
    dispersion,
    fisher_p,
    rates_p,
    ratio_interval,
)

ALPHA = 0.05
"""False discovery rate of the verdict `reduced`."""
FEWEST = 5
"""Incidents on both sides together, below which nothing is said."""
COMPARED = 20
"""Incidents without a rule, from which on the comparison with them decides too."""
FELL = 0.9
"""Rate ratio of what has no rule, below which all became rarer, and a rule must do better."""
BURSTS = 1.5
"""Variance ÷ mean of incidents per run, above which runs are counted in place of incidents."""
FURTHEST = 1_000_000
"""More runs than this are never asked for."""

Answer = Literal["reduced", "no evidence", "too few"]


@dataclass(frozen=True)
class Incident:
    """A failure of one kind in one phase of one run, however often it was logged."""

    run: str
    failure: Failure


@dataclass(frozen=True)
class Side:
    """One side of the comparison: its runs, and the incidents in each that had any."""

    runs: frozenset[str]
    counts: Mapping[str, int]

    @property
    def exposure(self) -> int:
        """The number of runs."""
        return len(self.runs)

    @property
    def incidents(self) -> int:
        """The number of incidents."""
        return sum(self.counts.values())

    @property
    def hit(self) -> int:
        """The number of runs with an incident."""
        return len(self.counts)

    def per_run(self) -> list[int]:
        """Return the incidents of every run, 0 included."""
        return [*self.counts.values(), *[0] * (len(self.runs) - len(self.counts))]


@dataclass(frozen=True)
class Effect:
    """What is known about a rule's effect. `ratio` is rate after ÷ rate before, with its interval.

    `p` is adjusted for the number of rules; `others` is the same ratio for what has no rule;
    `more_runs` says how many runs are wanting where the answer is `too few` (None: none help).
    """

    rule: str
    before: Side
    after: Side
    basis: Literal["incidents", "runs"]
    ratio: float | None
    low: float
    high: float
    p: float | None
    others: float | None
    compared: bool
    answer: Answer
    more_runs: int | None = None


@dataclass(frozen=True)
class _Measured:
    """A rule's counts, and its p-value before the adjustment; None where there are too few."""

    rule: str
    before: Side
    after: Side
    basis: Literal["incidents", "runs"]
    x: tuple[int, int]
    others: tuple[Side, Side]
    p: float | None


def effects(
    rules: Sequence[Rule], runs: Mapping[str, datetime], incidents: Sequence[Incident]
) -> list[Effect]:
    """Return the effect of every reviewed rule, in their order."""
    reviewed = [rule for rule in rules if rule.reviewed]
    own = {rule.id: matching(rule, incidents) for rule in reviewed}
    ruled = {id(incident) for found in own.values() for incident in found}
    without = [incident for incident in incidents if id(incident) not in ruled]
    measured = [_measure(rule, runs, own[rule.id], without) for rule in reviewed]
    tested = [one.p for one in measured if one.p is not None]
    adjusted = iter(benjamini_hochberg(tested))
    return [_effect(one, None if one.p is None else next(adjusted)) for one in measured]


def matching(rule: Rule, incidents: Sequence[Incident]) -> list[Incident]:
    """Return the incidents that a rule is about."""
    fits = compiled(rule.match)
    return [incident for incident in incidents if fits(incident.failure)]


def sides(
    rule: Rule, runs: Mapping[str, datetime], incidents: Sequence[Incident]
) -> tuple[Side, Side]:
    """Return both sides of a rule: before the time it was chosen in, and since its review."""
    assert rule.reviewed
    start, since = rule.evidence.window.start, rule.reviewed.at
    early = frozenset(run for run, at in runs.items() if at < start)
    late = frozenset(run for run, at in runs.items() if at >= since)
    return _side(early, incidents), _side(late, incidents)


def _side(runs: frozenset[str], incidents: Sequence[Incident]) -> Side:
    return Side(runs, Counter(one.run for one in incidents if one.run in runs))


def bursty(before: Side, after: Side) -> bool:
    """Return whether incidents come in bursts, so that only the runs they hit may be counted."""
    return max(dispersion(before.per_run()), dispersion(after.per_run())) > BURSTS


def _measure(
    rule: Rule,
    runs: Mapping[str, datetime],
    own: Sequence[Incident],
    without: Sequence[Incident],
) -> _Measured:
    before, after = sides(rule, runs, own)
    others = sides(rule, runs, without)
    bursts = bursty(before, after)
    x = (before.hit, after.hit) if bursts else (before.incidents, after.incidents)
    basis: Literal["incidents", "runs"] = "runs" if bursts else "incidents"
    return _Measured(rule.id, before, after, basis, x, others, _p(before, after, bursts, x, others))


def _p(
    before: Side, after: Side, bursts: bool, x: tuple[int, int], others: tuple[Side, Side]
) -> float | None:
    """Return the p-value that the rate fell; where the rest fell too, that it fell further."""
    if sum(x) < FEWEST or not (before.exposure and after.exposure):
        return None
    if rates_p(x[0], 0, before.exposure, after.exposure) > ALPHA:
        return None
    if bursts:
        p = fisher_p(*x, before.exposure - x[0], after.exposure - x[1])
    else:
        p = rates_p(*x, before.exposure, after.exposure)
    ratio = _ratio(*_counts(others, bursts), before.exposure, after.exposure)
    if _compared(others, bursts) and ratio is not None and ratio < FELL:
        return max(p, fisher_p(*x, *_counts(others, bursts)))
    return p


def _counts(others: tuple[Side, Side], bursts: bool) -> tuple[int, int]:
    one, two = others
    return (one.hit, two.hit) if bursts else (one.incidents, two.incidents)


def _compared(others: tuple[Side, Side], bursts: bool) -> bool:
    return sum(_counts(others, bursts)) >= COMPARED


def _effect(one: _Measured, p: float | None) -> Effect:
    before, after = one.before.exposure, one.after.exposure
    low, high, ratio = 0.0, math.inf, None
    if before and after and sum(one.x):
        low, high = ratio_interval(*one.x, before, after)
        ratio = _ratio(*one.x, before, after)
    bursts = one.basis == "runs"
    answer: Answer = "too few" if p is None else "reduced" if p <= ALPHA else "no evidence"
    return Effect(
        one.rule, one.before, one.after, one.basis, ratio, low, high, p,
        _ratio(*_counts(one.others, bursts), before, after) if before and after else None,
        _compared(one.others, bursts), answer,
        more_runs(*one.x, before, after) if answer == "too few" else None,
    )  # fmt: skip


def _ratio(x: int, y: int, before: int, after: int) -> float | None:
    return (y / after) / (x / before) if x else None


def more_runs(x: int, y: int, before: int, after: int) -> int | None:
    """Return how many more runs could show an effect, if the failure does not come back.

    None: none could, because there was nothing before.
    """
    if not x or not before:
        return None
    expected = math.ceil(max(0, FEWEST - x - y) * before / x)
    low, high = -1, 1

    def enough(more: int) -> bool:
        return after + more > 0 and rates_p(x, y, before, after + more) <= ALPHA

    while not enough(high):
        low, high = high, high * 2
        if high > FURTHEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(expected, high)

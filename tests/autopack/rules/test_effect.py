"""Verdicts: what is said, and how often it is wrong, on rates that are known."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autopack.papers import Stamp
from autopack.rules.effect import Effect, Incident, effects, more_runs
from autopack.rules.schema import Rule, Window
from tests.support import rule_papers as papers

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = ("table", "column", "closed", "enum")
RULES = {
    kind: next(c.rule for c in papers.changes() if c.rule.evidence.events[0].startswith(kind))
    for kind in KINDS
}


def reviewed(kind: str, chosen_from: int, since: int) -> Rule:
    """Return a rule that was chosen and reviewed in these runs, one a day."""
    window = Window(start=START + chosen_from * DAY, end=START + since * DAY)
    rule = RULES[kind]
    evidence = rule.evidence.model_copy(update={"window": window})
    stamp = Stamp(by=papers.REVIEWER, at=START + since * DAY)
    return rule.model_copy(update={"evidence": evidence, "reviewed": stamp})


def runs(count: int) -> dict[str, datetime]:
    return {f"run-{n}": START + n * DAY for n in range(count)}


def happened(kind: str, *numbers: int) -> list[Incident]:
    return [Incident(f"run-{n}", papers.example(kind)) for n in numbers]


def judged(before: int, after: int, each: int = 30, factor: int = 1) -> Effect:
    """Return the effect of so many incidents on both sides, each in a run of its own."""
    last = each * 2 + each * factor
    seen = happened("table", *range(before), *range(each * 2, each * 2 + after))
    return effects([reviewed("table", each, each * 2)], runs(last), seen)[0]


def test_a_fall_is_seen_with_its_interval() -> None:
    found = judged(10, 3)
    assert (found.answer, found.basis, found.compared) == ("reduced", "incidents", False)
    assert found.ratio == pytest.approx(0.3)
    assert found.low < 0.3 < found.high
    assert found.p is not None
    assert found.p <= 0.05


def test_no_fall_is_no_evidence() -> None:
    assert judged(10, 10).answer == judged(10, 4).answer == "no evidence"
    assert judged(10, 4).more_runs is None


@pytest.mark.parametrize("before", range(5))
def test_fewer_than_five_are_too_few_whatever_they_are(before) -> None:
    for after in range(5 - before):
        for factor in (1, 3):
            assert judged(before, after, factor=factor).answer == "too few"


def test_too_few_says_how_many_runs_are_wanting() -> None:
    found = judged(3, 0)
    assert found.answer == "too few"
    assert found.more_runs == more_runs(3, 0, 30, 30)
    assert found.more_runs > 0
    assert judged(0, 2).more_runs is None, "nothing before can become less"


def test_more_runs_are_the_fewest_that_could_show_it() -> None:
    from autopack.rules.statistics import rates_p

    wanting = more_runs(6, 1, 30, 5)
    assert wanting
    assert rates_p(6, 1, 30, 5 + wanting) <= 0.05 < rates_p(6, 1, 30, 5 + wanting - 1)


def test_the_time_in_which_a_rule_was_chosen_counts_on_neither_side() -> None:
    seen = happened("table", *range(5), *range(30, 60), *range(60, 64))
    found = effects([reviewed("table", 30, 60)], runs(90), seen)[0]
    assert (found.before.incidents, found.after.incidents) == (5, 4)
    assert found.answer == "no evidence"


def test_what_became_rarer_everywhere_is_no_effect() -> None:
    seen = happened("table", *range(20), *range(60, 66))
    others = [Incident(f"run-{n}", papers.example("odd", n)) for n in (*range(25), *range(60, 67))]
    alone = effects([reviewed("table", 30, 60)], runs(90), seen)[0]
    beside = effects([reviewed("table", 30, 60)], runs(90), seen + others)[0]
    assert (alone.answer, alone.compared) == ("reduced", False)
    assert (beside.answer, beside.compared) == ("no evidence", True)
    assert beside.others == pytest.approx(7 / 25)


def test_bursts_count_as_runs() -> None:
    seen = happened("table", *[3] * 40, *[9] * 30, *[61] * 2)
    found = effects([reviewed("table", 30, 60)], runs(90), seen)[0]
    assert found.basis == "runs"
    assert found.answer == "too few", "two bad runs before say nothing about the next thirty"


def test_incidents_with_a_rule_are_no_comparison() -> None:
    seen = [
        *happened("table", *range(20), *range(60, 62)),
        *happened("column", *range(25), *range(60, 62)),
    ]
    both = [reviewed("table", 30, 60), reviewed("column", 30, 60)]
    assert [found.answer for found in effects(both, runs(90), seen)] == ["reduced"] * 2


# --- simulation -------------------------------------------------------------------------------


def drawn(rng: random.Random, expected: float) -> int:
    """Return a Poisson number (Knuth)."""
    limit, count, product = math.exp(-expected), 0, rng.random()
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def history(rng: random.Random, kind: str, rates: Sequence[float], each: int) -> list[Incident]:
    """Return incidents over parts of `each` runs with these rates per run."""
    return [
        Incident(f"run-{run}", papers.example(kind))
        for part, rate in enumerate(rates)
        for run in range(part * each, (part + 1) * each)
        for _ in range(drawn(rng, rate))
    ]


def others(rng: random.Random, parts: int, each: int) -> list[Incident]:
    return history(rng, "odd", [1.0] * parts, each)


@pytest.mark.soak
def test_a_rule_without_effect_is_hardly_ever_called_one(soak_rounds) -> None:
    """Rates stay as they were; of many kinds the one with the worst last month gets the rule."""
    rng, rounds, wrong = random.Random(11), soak_rounds(400, 4000), 0
    each = 40
    for _ in range(rounds):
        peaks = [history(rng, "table", [0.25] * 5, each) for _ in range(8)]
        worst = max(peaks, key=lambda seen: sum(each <= int(i.run[4:]) < 2 * each for i in seen))
        seen = worst + others(rng, 5, each)
        found = effects([reviewed("table", each, 2 * each)], runs(5 * each), seen)[0]
        wrong += found.answer == "reduced"
    assert wrong / rounds <= 0.05


@pytest.mark.soak
def test_without_the_guard_the_same_choice_would_be_wrong_far_oftener(soak_rounds) -> None:
    rng, rounds, wrong = random.Random(12), soak_rounds(200, 1000), 0
    each = 40
    for _ in range(rounds):
        peaks = [history(rng, "table", [0.25] * 4, each) for _ in range(8)]
        worst = max(peaks, key=lambda seen: sum(int(i.run[4:]) < each for i in seen))
        found = effects([reviewed("table", each, each)], runs(4 * each), worst)[0]
        wrong += found.answer == "reduced"
    assert wrong / rounds > 0.15


@pytest.mark.soak
def test_many_rules_without_effect_share_their_errors(soak_rounds) -> None:
    rng, rounds, wrong = random.Random(13), soak_rounds(150, 1500), 0
    each = 40
    for _ in range(rounds):
        rules, seen = [], others(rng, 4, each)
        for kind in KINDS:
            rules.append(reviewed(kind, each, 2 * each))
            seen += history(rng, kind, [0.3] * 4, each)
        found = effects(rules, runs(4 * each), seen)
        wrong += any(effect.answer == "reduced" for effect in found)
    assert wrong / rounds <= 0.05


@pytest.mark.soak
def test_a_true_fall_is_seen_in_four_of_five_cases(soak_rounds) -> None:
    """-70 %, ten incidents before, three times as many runs since, and others to compare with."""
    rng, rounds, seen_it = random.Random(14), soak_rounds(300, 3000), 0
    each = 40
    for _ in range(rounds):
        before = happened("table", *rng.sample(range(each), 10))
        rate = 0.3 * 10 / each
        after = [
            Incident(f"run-{run}", papers.example("table"))
            for run in range(2 * each, 5 * each)
            for _ in range(drawn(rng, rate))
        ]
        seen = before + after + others(rng, 5, each)
        found = effects([reviewed("table", each, 2 * each)], runs(5 * each), seen)[0]
        seen_it += found.answer == "reduced"
    assert seen_it / rounds >= 0.8


def test_effects_are_the_same_in_any_order() -> None:
    rng = random.Random(15)
    seen: list[Any] = history(rng, "table", [0.5, 0.4, 0.1], 30) + others(rng, 3, 30)
    rules = [reviewed("table", 30, 60), reviewed("enum", 30, 60)]
    first = effects(rules, runs(90), seen)
    rng.shuffle(seen)
    assert effects(rules, runs(90), seen) == first

"""Steps of the effect: count on both sides of every rule, and draw the incidents over the runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autopack.report import Chart, Report, Series, Table
from tasks import policy
from tasks.engine import task
from tasks.rules_mined import Mined
from tasks.rules_ruling import Ruling

if TYPE_CHECKING:
    from autopack.rules.effect import Effect
    from autopack.rules.schema import Rule

POINTS = 24
"""Points of a line, at most: each stands for as many runs."""
_COLUMNS = ("rule", "verdict", "before", "after", "ratio", "95 % interval", "p", "without a rule")


@task(**policy.READ)
def measure(ruling: Ruling, mined: Mined) -> list[Effect]:
    """Return the effect of every active rule."""
    from autopack.rules.candidates import incidents_of
    from autopack.rules.effect import effects

    return effects(active(ruling), mined.runs, incidents_of(mined.events))


def active(ruling: Ruling) -> list[Rule]:
    """Return the rules whose effect is measured: reviewed ones that are not retired."""
    assert ruling.rules
    return [rule for rule in ruling.rules.file.rules if rule.state == "active" and rule.reviewed]


def describe(report: Report, ruling: Ruling, mined: Mined, found: Sequence[Effect]) -> None:
    """Fill the report: a line, a table row and a chart for each rule."""
    answers = [effect.answer for effect in found]
    report.counts |= {
        "rules": len(found),
        "runs": mined.exposure,
        **{answer.replace(" ", "_"): answers.count(answer) for answer in sorted(set(answers))},
    }
    report.extra["effects"] = [as_json(effect) for effect in found]
    report.body = "\n".join(line(effect) for effect in found) or "no rule is active"
    rows = [_row(effect) for effect in found]
    report.tables.append(Table("effects", "Incidents before and after each rule", _COLUMNS, rows))
    report.charts += [_chart(rule, mined) for rule in active(ruling)]


def line(effect: Effect) -> str:
    """Return a rule's effect in words."""
    b, a = effect.before, effect.after
    counted = f"{b.incidents} in {b.exposure} runs before, {a.incidents} in {a.exposure} since"
    ratio = "" if effect.ratio is None else f"; rate ratio {effect.ratio:.2f} {_interval(effect)}"
    return f"{effect.rule}  {verdict(effect)}: {counted}{ratio}"


def verdict(effect: Effect) -> str:
    """Return the verdict, with what is wanting where there are too few."""
    if effect.answer != "too few":
        return effect.answer
    if effect.more_runs is None:
        return "too few (nothing before the time in which the rule was chosen)"
    return f"too few ({effect.more_runs} more runs)"


def _interval(effect: Effect) -> str:
    return f"[{effect.low:.2f}, {'∞' if math.isinf(effect.high) else f'{effect.high:.2f}'}]"


def _row(effect: Effect) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    return (
        effect.rule, verdict(effect),
        f"{effect.before.incidents} / {effect.before.exposure}",
        f"{effect.after.incidents} / {effect.after.exposure}",
        number(effect.ratio), _interval(effect), number(effect.p), number(effect.others),
    )  # fmt: skip


def as_json(effect: Effect) -> dict[str, Any]:
    """Return an effect as the report's JSON has it; an interval without an upper end has null."""
    return {
        "rule": effect.rule,
        "verdict": effect.answer,
        "basis": effect.basis,
        "before": {"incidents": effect.before.incidents, "runs": effect.before.exposure},
        "after": {"incidents": effect.after.incidents, "runs": effect.after.exposure},
        "ratio": effect.ratio,
        "interval": [effect.low, None if math.isinf(effect.high) else effect.high],
        "p": effect.p,
        "without_a_rule": effect.others,
        "compared": effect.compared,
        "more_runs": effect.more_runs,
    }


def _chart(rule: Rule, mined: Mined) -> Chart:
    """Draw incidents per run over the runs in their order, with the review between two points."""
    from autopack.rules.candidates import incidents_of
    from autopack.rules.effect import matching

    assert rule.reviewed
    runs = sorted(mined.runs, key=lambda run: (mined.runs[run], run))
    width = max(1, math.ceil(len(runs) / POINTS))
    bins = [runs[at : at + width] for at in range(0, len(runs), width)]
    counts = dict.fromkeys(runs, 0)
    for incident in matching(rule, incidents_of(mined.events)):
        if incident.run in counts:
            counts[incident.run] += 1
    values = tuple(sum(counts[run] for run in some) / len(some) for some in bins)
    before = sum(1 for run in runs if mined.runs[run] < rule.reviewed.at) / width
    return Chart(
        f"trend-{rule.id.rpartition(':')[2]}", f"Incidents per run: {rule.id}",
        tuple(mined.runs[some[0]].date().isoformat() for some in bins),
        (Series(rule.action.class_, values),), mark=before, mark_label="reviewed",
    )  # fmt: skip

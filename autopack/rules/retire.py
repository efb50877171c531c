"""Which rules have had their day: expired, overturned, harmful, or never needed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from autopack.papers import Stamp
from autopack.rules.catalogue import Catalogue
from autopack.rules.effect import ALPHA, FEWEST, Incident, bursty, matching, sides
from autopack.rules.hits import Hit, record_of
from autopack.rules.proposal import LIFETIME, Change, Kind
from autopack.rules.schema import PROBATION_HITS, STAGES, Rule, Stage
from autopack.rules.statistics import fisher_p, rates_p

QUIET_RUNS = 50
"""Runs without a match, after which a rule is stale."""


@dataclass(frozen=True)
class History:
    """What happened since the rules were reviewed."""

    runs: Mapping[str, datetime]
    incidents: Sequence[Incident]
    hits: Sequence[Hit]


def retirements(
    rules: Sequence[Rule], history: History, now: datetime, by: str, quiet: int = QUIET_RUNS
) -> list[Change]:
    """Return the changes that end or lower rules, at most one for each, by its gravest reason."""
    changes = []
    for rule in rules:
        if rule.state != "active":
            continue
        record = record_of(rule, history.hits)
        stage: Stage | None
        if rule.expires_at <= now:
            why, stage = f"it expired at {rule.expires_at.isoformat()}", None
        elif record.overturned and rule.stage != "guidance":
            why, stage = f"{record.overturned} of its {record.hits} hits were wrong", "guidance"
        elif record.overturned:
            why, stage = f"{record.overturned} of its {record.hits} hits were wrong", None
        elif harm := _harm(rule, history):
            why, stage = harm, None
        elif silence := _silence(rule, history, quiet):
            why, stage = silence, None
        else:
            continue
        changes.append(_changed(rule, why, stage, history.hits, Stamp(by=by, at=now)))
    return changes


def promotions(
    rules: Sequence[Rule], catalogue: Catalogue, hits: Sequence[Hit], now: datetime, by: str
) -> list[Change]:
    """Return the changes that raise rules by one stage: tried often, never wrong, within bounds."""
    changes = []
    for rule in rules:
        entry = catalogue.entry_of(rule.match, rule.action)
        record = record_of(rule, hits)
        good = record.hits >= PROBATION_HITS and not record.overturned
        if rule.state == "active" and rule.expires_at > now and entry and good:
            at = STAGES.index(rule.stage)
            if at < STAGES.index(entry.ceiling):
                why = f"{record.hits} hits, none of them wrong"
                changes.append(_changed(rule, why, STAGES[at + 1], hits, Stamp(by=by, at=now)))
    return changes


def _harm(rule: Rule, history: History) -> str:
    """Return how much oftener a failure comes since its rule, where that is no chance."""
    if rule.reviewed is None:
        return ""
    before, after = sides(rule, history.runs, matching(rule, history.incidents))
    x, y = before.incidents, after.incidents
    if x + y < FEWEST or not (before.exposure and after.exposure):
        return ""
    if bursty(before, after):
        hit = (after.hit, before.hit)
        p = fisher_p(*hit, after.exposure - after.hit, before.exposure - before.hit)
    else:
        p = rates_p(y, x, after.exposure, before.exposure)
    if p > ALPHA:
        return ""
    return f"{y} times in {after.exposure} runs since, {x} times in {before.exposure} before"


def _silence(rule: Rule, history: History, quiet: int) -> str:
    """Return for how many runs nothing matched, where they are enough."""
    if rule.reviewed is None:
        return ""
    since = {run for run, at in history.runs.items() if at >= rule.reviewed.at}
    matched = {one.run for one in matching(rule, history.incidents)}
    last = max((history.runs[run] for run in matched & since), default=None)
    silent = [run for run in since if last is None or history.runs[run] > last]
    return f"no match in the last {len(silent)} runs" if len(silent) >= quiet else ""


def _changed(
    rule: Rule, why: str, stage: Stage | None, hits: Sequence[Hit], created: Stamp
) -> Change:
    """Return the change to a stage, or with None the end of the rule."""
    kind: Kind = "retire"
    if stage is not None:
        kind = "demote" if STAGES.index(stage) < STAGES.index(rule.stage) else "promote"
    record = record_of(rule, hits)
    plain = {
        **rule.plain(),
        "revision": rule.revision + 1,
        "stage": stage or rule.stage,
        "state": "active" if stage else "retired",
        "created": created.plain(),
        "evidence": {
            **rule.evidence.plain(), "hits": record.hits, "overturned": record.overturned
        },
    }  # fmt: skip
    for paper in ("reviewed", "proposal_id", "approval_id"):
        plain.pop(paper, None)
    if kind == "retire" and rule.stage == "enforce":
        plain["stage"] = "guidance"
    if stage:
        plain["expires_at"] = (created.at + LIFETIME).isoformat()
    return Change(kind=kind, rule=Rule.model_validate(plain), why=why, replaces=rule.revision)

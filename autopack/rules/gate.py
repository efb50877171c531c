"""The last gate: a rule file as it will be, and every reason against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import combinations

from autopack.rules.approval import Approval
from autopack.rules.matching import matches
from autopack.rules.proposal import Change
from autopack.rules.schema import Example, Rule, RuleFile


def grown(file: RuleFile, changes: Sequence[Change], approval: Approval) -> RuleFile:
    """Return the file with approved changes, by id; who reviewed them and how is in each."""
    rules = {rule.id: rule for rule in file.rules}
    for change in changes:
        stamped = change.rule.model_copy(
            update={
                "reviewed": approval.reviewed,
                "proposal_id": approval.proposal_id,
                "approval_id": approval.id,
            }
        )
        rules[stamped.id] = stamped
        old = rules.get(stamped.supersedes or "")
        if old is not None and old.state == "active":
            rules[old.id] = old.model_copy(
                update={"state": "retired", "revision": old.revision + 1}
            )
    ordered = [rules[name] for name in sorted(rules)]
    return RuleFile(schema_="autopack.rules/1", rules=ordered)


def reasons_against(file: RuleFile, changes: Sequence[Change], now: datetime) -> list[str]:
    """Return everything that speaks against changing a file so; empty if nothing does."""
    rules = {rule.id: rule for rule in file.rules}
    after = {**rules, **{change.rule.id: change.rule for change in changes}}
    return [
        *(line for change in changes for line in _unfit(change, rules, now)),
        *(line for rule in after.values() for line in examples_against(rule)),
        *(line for change in changes for line in _crossed(change.rule, file)),
        *conflicts(list(after.values())),
    ]


def _unfit(change: Change, rules: dict[str, Rule], now: datetime) -> Iterator[str]:
    rule, old = change.rule, rules.get(change.rule.id)
    if change.kind == "add" and old is not None:
        yield f"{rule.id} is there already"
    if change.kind != "add" and (old is None or old.revision != change.replaces):
        yield f"{rule.id} is not at revision {change.replaces}"
    if rule.revision != (old.revision + 1 if old else 1):
        yield f"{rule.id}: revision {rule.revision} does not follow"
    if change.kind == "retire" and rule.state != "retired":
        yield f"{rule.id} would stay active"
    if rule.expires_at <= now and rule.state == "active":
        yield f"{rule.id} is past its date"
    if rule.reviewed or rule.proposal_id or rule.approval_id:
        yield f"{rule.id} says that it was reviewed, before it was"


def examples_against(rule: Rule) -> Iterator[str]:
    """Yield the examples of a rule that it decides otherwise than it should."""
    for example in rule.positives:
        if not matches(rule.match, example):
            yield f"{rule.id} does not match its positive {example.event}"
    for example in rule.negatives:
        if matches(rule.match, example):
            yield f"{rule.id} matches its negative {example.event}"


def _crossed(rule: Rule, file: RuleFile) -> Iterator[str]:
    """Yield the negatives of rules there that a new rule with their answer would match.

    They are failures for which that answer is known to be wrong.
    """
    for old in file.rules:
        same = old.id == rule.supersedes or old.action == rule.action
        if old.id != rule.id and same and old.state == "active":
            for example in old.negatives:
                if matches(rule.match, example):
                    yield f"{rule.id} matches {example.event}, a negative of {old.id}"


def conflicts(rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the examples on which two enforced rules would do different things."""
    enforced = [rule for rule in rules if rule.stage == "enforce" and rule.state == "active"]
    stored = _stored(rules) if len(enforced) > 1 else []
    for one, other in combinations(enforced, 2):
        if one.action.class_ == other.action.class_:
            continue
        for example in stored:
            if matches(one.match, example) and matches(other.match, example):
                yield f"{one.id} and {other.id} would both act on {example.event}"
                break


def _stored(rules: Sequence[Rule]) -> list[Example]:
    return [example for rule in rules for example in (*rule.positives, *rule.negatives)]

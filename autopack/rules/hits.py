"""The log of hits: a rule spoke, and whether it was right.

One JSON object a line in `.autonomous_runs/_rules/hits.jsonl`, only ever appended:
`{"at", "rule", "revision", "stage", "event", "verdict", "by"}`. A verdict is `applied` (the rule
spoke), `confirmed` or `overturned` (somebody says that it was right, or wrong).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import Field, ValidationError

from autopack.papers import Line, Moment, Strict
from autopack.rules.schema import Rule, RuleId, Stage
from autopack.state_files import RULES

HITS_FILE = f"{RULES}/hits.jsonl"
Verdict = Literal["applied", "confirmed", "overturned"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


class Hit(Strict):
    """A rule spoke about an event; the verdict is about this revision of it."""

    at: Moment
    rule: RuleId
    revision: Annotated[int, Field(ge=1)]
    stage: Stage
    event: Line
    verdict: Verdict
    by: Line


@dataclass(frozen=True)
class Record:
    """What a revision of a rule has done so far."""

    hits: int = 0
    overturned: int = 0


def read_hits(data: bytes) -> tuple[list[Hit], list[int]]:
    """Return the hits of a log, and the numbers of the lines that are none."""
    hits, bad = [], []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            hits.append(Hit.model_validate(json.loads(line)))
        except (ValueError, ValidationError, RecursionError):
            bad.append(number)
    return hits, bad


def overturned(hits: Iterable[Hit]) -> dict[str, int]:
    """Return the newest revision of each rule that was overturned."""
    newest: dict[str, int] = {}
    for hit in hits:
        if hit.verdict == "overturned":
            newest[hit.rule] = max(hit.revision, newest.get(hit.rule, 0))
    return newest


def record_of(rule: Rule, hits: Iterable[Hit]) -> Record:
    """Return what this revision of a rule did: events that it spoke about, and wrong ones."""
    own = [hit for hit in hits if (hit.rule, hit.revision) == (rule.id, rule.revision)]
    wrong = {hit.event for hit in own if hit.verdict == "overturned"}
    return Record(len({hit.event for hit in own}), len(wrong))


def per_rule(hits: Iterable[Hit]) -> Counter[str]:
    """Return how many hits each rule has, whatever its revision."""
    return Counter(hit.rule for hit in hits)

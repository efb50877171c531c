"""Record that a rule was wrong."""

from __future__ import annotations

from dataclasses import dataclass

from autopack.errors import UsageError
from autopack.report import NextStep, Report
from tasks import policy
from tasks.engine import task
from tasks.rules_ruling import Ruling


@dataclass(frozen=True)
class Wrong:
    """Which rule was wrong about which failure, in words without secrets, and who says so."""

    rule: str
    event: str
    by: str


@task(**policy.ONCE)
def overturn(ruling: Ruling, wrong: Wrong, execute: bool) -> None:
    """Append the verdict to the log of hits, under `--execute`.

    Raises:
        UsageError: There is no such rule, or the name stands for nobody.
    """
    from pydantic import ValidationError

    from autopack.io.rule_files import append_hit
    from autopack.papers import person
    from autopack.rules.hits import Hit

    assert ruling.rules
    rule = next((rule for rule in ruling.rules.file.rules if rule.id == wrong.rule), None)
    if rule is None:
        raise UsageError(
            f"{wrong.rule!r} is no rule of this workspace", "python -m flows.failure_rules lint"
        )
    try:
        hit = Hit(
            at=ruling.now, rule=rule.id, revision=rule.revision, stage=rule.stage,
            event=wrong.event, verdict="overturned", by=person(wrong.by),
        )  # fmt: skip
    except ValidationError:
        raise UsageError(
            "--event is one line of at most 300 characters", "name the event"
        ) from None
    if execute:
        append_hit(ruling.root, hit)


def describe(report: Report, wrong: Wrong) -> None:
    """Say what was recorded, or would be, and what comes next."""
    from autopack.rules.hits import HITS_FILE

    report.body = f"{wrong.rule} was wrong about {wrong.event}: it only advises from now on"
    if not report.execute:
        return
    report.writes.files.append(HITS_FILE)
    why = "lowers the rule for good, after a review"
    report.next_steps.append(NextStep(why, "python -m flows.failure_rules retire"))

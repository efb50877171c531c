"""What the reports of rules say: proposals, decisions, and what became of the file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.report import NextStep, Report, Table
from tasks.rules_ruling import PROPOSAL, Ruling

if TYPE_CHECKING:
    from autopack.rules.proposal import Change, Unmatched

_RULES = ("rule", "change", "stage", "answer", "incidents", "runs", "scope", "why")
_UNMATCHED = ("type", "template", "incidents", "why")


def proposed(report: Report, ruling: Ruling, path: Path | None, older: int = 0) -> None:
    """Describe a fresh proposal, and how to review it; `path` is None where none was written.

    `older` failures came before the window that was looked at.
    """
    _describe(report, ruling.changes, ruling.unmatched)
    if older and not ruling.changes:
        told = f"{older} failures are older than the window"
        report.body = f"{report.body}\n{told}".lstrip()
        command = "python -m flows.failure_rules propose"
        report.next_steps.append(NextStep("looks at the failures of all times", command))
    if path is None:
        report.body = "no rule has had its day"
        return
    assert ruling.proposal
    report.extra["proposal"] = {"id": ruling.proposal.id, "path": ruling.shown(path)}
    if ruling.changes:
        command = f"python -m flows.failure_rules review{_named(ruling, path)}"
        step = NextStep("decide about each rule", f"{command} --approve all --by 'YOUR NAME'")
        report.next_steps.append(step)


def proposal(report: Report, ruling: Ruling) -> None:
    """Describe a proposal that was read."""
    assert ruling.proposal
    _describe(report, ruling.proposal.changes, ruling.proposal.unmatched)
    report.extra["proposal"] = {"id": ruling.proposal.id}


def approved(report: Report, ruling: Ruling, path: Path) -> None:
    """Describe an approval, and how to append."""
    assert ruling.approval
    verdicts = [decision.verdict for decision in ruling.approval.decisions]
    report.counts |= {
        "approved": verdicts.count("approve"),
        "rejected": verdicts.count("reject"),
        "open": report.counts["proposed"] - len(verdicts),
    }
    report.extra["approval"] = {
        "id": ruling.approval.id,
        "path": ruling.shown(path),
        "by": ruling.approval.reviewed.by,
        "expires_at": ruling.approval.expires_at.isoformat(),
    }
    if report.counts["approved"]:
        command = f"python -m flows.failure_rules append{ruling.named_papers()} --execute"
        report.next_steps.append(NextStep("puts the approved rules into the file", command))


def appended(report: Report, ruling: Ruling) -> None:
    """Describe what the file is now, or would be."""
    from autopack.canonical import digest_of_bytes

    assert ruling.rules
    assert ruling.approval
    _describe(report, ruling.changes, ())
    report.counts |= {"rules": len((ruling.planned or (ruling.rules.file,))[0].rules)}
    report.extra["approval"] = {"id": ruling.approval.id, "by": ruling.approval.reviewed.by}
    report.extra["file"] = {
        "before": ruling.rules.digest,
        "after": digest_of_bytes(ruling.planned[1]) if ruling.planned else ruling.rules.digest,
    }
    if not ruling.changes:
        report.body = "nothing was approved, so nothing is appended"
    elif not report.execute:
        command = f"python -m flows.failure_rules append{ruling.named_papers()} --execute"
        step = NextStep("writes them", command)
        report.next_steps.append(step)


def _named(ruling: Ruling, path: Path) -> str:
    return "" if ruling.shown(path) == PROPOSAL else f" {shlex.quote(str(path))}"


def _describe(
    report: Report, changes: list[Change], unmatched: tuple[()] | list[Unmatched]
) -> None:
    report.counts |= {"proposed": len(changes), "unmatched": len(unmatched)}
    report.body = "\n".join([*map(_line, changes), *map(_left_line, unmatched)])
    report.tables = [
        Table("rules", "Rules", _RULES, [_row(change) for change in changes]),
        Table(
            "unmatched", "Without a rule", _UNMATCHED,
            [(one.type, one.template[:200], one.incidents, one.why) for one in unmatched],
        ),
    ]  # fmt: skip


def _line(change: Change) -> str:
    rule = change.rule
    return (
        f"{rule.id}  {change.kind} at {rule.stage}: {change.why} → {rule.action.class_}; "
        f"{rule.evidence.incidents} incidents in {rule.evidence.exposure} runs; "
        f"scope {' '.join(rule.scope)}"
    )


def _left_line(one: Unmatched) -> str:
    return f"no rule: {one.type} {one.template[:100]} ({one.incidents}): {one.why}"


def _row(change: Change) -> tuple[str | int | float, ...]:
    rule = change.rule
    return (
        rule.id, change.kind, rule.stage, rule.action.class_, rule.evidence.incidents,
        rule.evidence.runs, " ".join(rule.scope), change.why,
    )  # fmt: skip

"""What an act on disk space says: each item and how it ended, and the command that goes on."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from autopack.report import Finding, NextStep, Report, Table
from tasks.storage_apply import Applying
from tasks.storage_apply_gate import purge_from

if TYPE_CHECKING:
    from autopack.storage.gate import Outcome

FLOW = "python -m flows.storage_apply"
_ADVICE = {
    "STALE": "python -m flows.storage_scan",
    "CAPPED": "python -m flows.storage_scan",
    "GONE": "",
}


def subject(report: Report, applying: Applying) -> None:
    """Say what an approval would be about."""
    from autopack.storage.approval import size_of
    from autopack.storage.names import shown
    from autopack.storage.offer import ROWS
    from autopack.storage.page import aligned

    assert applying.subject
    items = applying.subject.items
    report.counts |= {"items": len(items), "bytes": sum(size_of(item) for item in items)}
    report.extra["report_id"] = applying.subject.digest
    most = sorted(items, key=lambda item: (-size_of(item), item.root, item.path))
    rows = [
        (shown(item.path), size_of(item), item.files, item.age_days, item.category, item.id)
        for item in most
    ]
    heads = ("item", "bytes", "files", "days old", "category", "id")
    table = Table("items", "What could go", heads, rows, bar="bytes", sizes=("bytes",))
    report.tables.append(table)
    report.body = "\n".join(aligned(table, ROWS))


def approved(report: Report, applying: Applying) -> None:
    """Say what was approved, and the command that acts on it."""
    approval = applying.approval
    assert approval
    report.counts |= {"approved": len(approval.items), "max_bytes": approval.max_bytes}
    path = shlex.quote(applying.papers["approval"])
    report.extra |= {"approval_path": applying.papers["approval"], "approval_id": approval.id}
    what = (
        f"purge {applying.run}" if approval.run else f"execute {shlex.quote(_report(applying))}"
    )  # fmt: skip
    until = approval.expires_at.isoformat()
    report.next_steps.append(
        NextStep(f"act on the approval, until {until}", f"{FLOW} {what} {path} --execute")
    )


def _report(applying: Applying) -> str:
    return applying.papers.get("report", "REPORT")


def executed(report: Report, applying: Applying) -> None:
    """Say how each item ended, how to go back, and from when the run may be purged."""
    _describe(report, applying)
    if not report.execute:
        words = f"{shlex.quote(_report(applying))} {shlex.quote(applying.papers['approval'])}"
        report.next_steps.append(
            NextStep("put the items away", f"{FLOW} execute {words} --execute")
        )
    elif applying.journal and applying.journal.held:
        due = f"{purge_from(applying):%Y-%m-%d %H:%M} UTC"
        report.next_steps += [
            NextStep("put everything back", f"{FLOW} undo {applying.run} --execute"),
            NextStep(
                f"free the space, from {due} on", f"{FLOW} approve --purge {applying.run} --by NAME"
            ),
        ]


def undone(report: Report, applying: Applying) -> None:
    """Say what is back."""
    _describe(report, applying)
    if not report.execute:
        report.next_steps.append(NextStep("put it back", f"{FLOW} undo {applying.run} --execute"))


def purged(report: Report, applying: Applying) -> None:
    """Say what is gone, and how much space that gave, as the filesystem tells it."""
    _describe(report, applying)
    if applying.freed is not None:
        report.counts["freed_bytes"] = applying.freed
    if not report.execute:
        words = f"{applying.run} {shlex.quote(applying.papers['approval'])}"
        report.next_steps.append(NextStep("remove it for good", f"{FLOW} purge {words} --execute"))


def _describe(report: Report, applying: Applying) -> None:
    from autopack.storage.approval import size_of
    from autopack.storage.gate import DONE

    counts = Counter(str(outcome.status) for outcome in applying.outcomes)
    moved = [outcome.item for outcome in applying.outcomes if outcome.status in DONE]
    report.counts |= {"items": len(applying.outcomes), **counts}
    report.counts["bytes"] = sum(size_of(item) for item in moved)
    report.extra["run"] = applying.run
    report.findings += applying.findings
    report.findings += [_finding(o) for o in applying.outcomes if o.status not in DONE or o.detail]
    report.tables.append(
        Table(
            "items", "Items", ("id", "path", "bytes", "category", "status", "why"),
            [
                (o.item.id, o.item.path, size_of(o.item), o.item.category, o.status, o.detail)
                for o in applying.outcomes
            ],
        )
    )  # fmt: skip
    report.extra["items"] = [
        {"id": o.item.id, "path": o.item.path, "status": o.status, "detail": o.detail}
        for o in applying.outcomes
    ]


def _finding(outcome: Outcome) -> Finding:
    from autopack.storage.gate import DONE

    if outcome.status in DONE:
        return Finding("changed_in_quarantine", "warning", outcome.item.path, None, outcome.detail)
    told = outcome.detail or "it stays"
    return Finding(
        outcome.status, "error", outcome.item.path, None, told, _ADVICE.get(outcome.status, "")
    )

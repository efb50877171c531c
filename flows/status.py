"""How the workspace is: one page over everything that the flows keep true."""

from __future__ import annotations

from typing import Annotated

from autopack.deadline import Deadline
from autopack.report import Report
from flows.audit import audit_verify
from flows.cli import main
from flows.doc_links import doc_links
from flows.failure_rules import failure_rules_effect, failure_rules_lint
from flows.locks import locks_status
from flows.sot_counts import sot_counts
from flows.tidy import tidy
from tasks import status as steps
from tasks import status_disk, status_kept, status_parts, status_prefect, status_silent
from tasks.engine import Between, draft, flow
from tasks.status import Looking, Question
from tasks.status_report import describe


@flow(name="status")
def status(
    workspace: str = ".",
    execute: bool = False,
    strict: bool = False,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 120.0,
) -> Report:
    """Say how the workspace is: counts, index, links, locks, moves, rules, audit, disk, runs.

    Every capability is asked as a dry run; a line that is not good names its command. Nothing of
    the workspace is changed.

    Args:
        workspace: The checkout that is looked at.
        execute: Keep the numbers of this look in .autonomous_runs/_index/health.jsonl, from which
            the page draws where they go, and close the flow runs of machines that are gone.
        strict: Warnings make the exit code 1 too.
        database_url: postgresql://user:password@host/name or sqlite:///file.db. Without it
            DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.status
        python -m flows.status --html > status.html
        python -m flows.status --execute --json
    """
    report = draft(Report("status", execute=execute))
    looking = Looking(workspace, Deadline.after(max_seconds))
    try:
        _look(report, looking, database_url)
    finally:  # also of a look that is cut short
        describe(report, looking)
    if execute:
        with report.step("keep"):  # described first: a disk that takes nothing hides nothing
            steps.keep(looking, report.writes.files)
    return report.settle(strict)


def _look(report: Report, looking: Looking, database_url: str | None) -> None:
    for question in _questions({"database_url": database_url}):
        with report.step(question.name.replace(" ", "-")):
            steps.ask(looking, question)
    with report.step("disk"), steps.as_a_line(looking, "disk"):
        status_disk.look(looking)
    with report.step("storage"), steps.as_a_line(looking, "storage"):
        status_kept.storage(looking)
    with report.step("phase"), steps.as_a_line(looking, "phase"):
        status_kept.phase(looking)
    with report.step("prefect"), steps.as_a_line(looking, "schedules"):
        status_prefect.ask_prefect(looking)
    with report.step("silent-runs"), steps.as_a_line(looking, status_silent.NAME):
        status_silent.close(looking, report.execute)
    with report.step("recall"), steps.as_a_line(looking, "history"):
        steps.recall(looking)


def _questions(database: dict[str, str | None]) -> tuple[Question, ...]:
    return (
        Question("counts", sot_counts, {}, status_parts.counts),
        Question("index", sot_counts, {"index": True, **database}, status_parts.index),
        Question("navigation", doc_links, {"mode": "nav"}, status_parts.navigation),
        Question("links", doc_links, {"mode": "deep"}, status_parts.links),
        Question("locks", locks_status, {}, status_parts.locks),
        Question("tidy", tidy, {"mode": "quick"}, status_parts.tidy),
        Question("rules", failure_rules_effect, database, status_parts.rules),
        Question("rule file", failure_rules_lint, {}, status_parts.rule_file),
        Question("audit", audit_verify, database, status_parts.audit),
    )


if __name__ == "__main__":
    main(status)

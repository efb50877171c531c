"""Failures become rules: find out what failed, how often and since when."""

from __future__ import annotations

from typing import Annotated

from autopack.deadline import Deadline
from autopack.report import Report
from flows.cli import main
from tasks import failures
from tasks.engine import Between, Positional, draft, flow
from tasks.failures_report import describe
from tasks.failures_session import Mining


@flow(name="failure-rules-mine")
def failure_rules_mine(
    workspace: str = ".",
    since_days: Annotated[float | None, Between(0, 36500)] = None,
    execute: bool = False,
    strict: bool = False,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Collect the failures of all runs, without secrets, and group them by what went wrong.

    Error reports, tracebacks in logs and the database's view rules_failure_events are read. A
    failure that was tried again and again in one phase is one incident. Without --execute nothing
    is written.

    Args:
        workspace: The checkout whose .autonomous_runs/ is read.
        since_days: Only failures and runs of the last days, 0 to 36500, counted in UTC; failures
            without a time are never left out. Without it all of them.
        execute: Keep the events and the table of families, so that they outlive their artefacts.
        strict: Warnings and infos make the exit code 1 as well.
        database_url: postgresql://user:password@host/name or sqlite:///file.db. Without it
            DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules mine
        python -m flows.failure_rules mine --since-days 30 --json
        python -m flows.failure_rules mine --execute
    """
    report = draft(Report("failure-rules-mine", execute=execute))
    mining = Mining(workspace, since_days, database_url, Deadline.after(max_seconds))
    report.targets = {"database": mining.target.named}
    with mining.holding(execute):
        with report.step("recall"):
            failures.recall(mining)
        with report.step("collect"):
            failures.collect(mining)
        with report.step("collect-telemetry"):
            failures.collect_telemetry(mining)
        with report.step("group"):
            failures.group(mining)
        if execute:
            with report.step("store"):
                failures.store(mining, report.writes.files)
    describe(report, mining)
    return report.settle(strict)


@flow(name="failure-rules-sign")
def failure_rules_sign(
    lines: Annotated[list[str] | None, Positional()] = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
) -> Report:
    """Name the family of each log line: one id a line, in the order of the lines.

    Lines of one kind get one id, whatever numbers, paths, addresses or names they hold. All lines
    of the input are judged together.

    Args:
        lines: Lines of a log. Without any they are read from stdin.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.failure_rules sign < app.log
    """
    report = draft(Report("failure-rules-sign"))
    deadline = Deadline.after(max_seconds)
    with report.step("sign"):
        ids = failures.sign_lines(lines)
        deadline.check("signing lines")
    report.counts = {"lines": len(ids), "families": len(set(ids))}
    report.extra["ids"] = ids
    report.extra_stdout = "".join(f"{one}\n" for one in ids).encode()
    return report.settle()


if __name__ == "__main__":
    main(failure_rules_mine, failure_rules_sign)

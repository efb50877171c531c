"""One command before a push, and the same in CI: every check of preflight.toml."""

from __future__ import annotations

from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.preflight.checks import Wanted
from autopack.report import Report
from flows.cli import main
from tasks import preflight as steps
from tasks.engine import Between, Positional, draft, flow
from tasks.preflight_backlog import check, put_template
from tasks.preflight_report import describe, describe_list, tell
from tasks.preflight_session import Preflight


@flow(name="preflight")
def preflight(
    workspace: str = ".",
    tier: Literal["quick", "full", "ci"] = "quick",
    changed: bool = False,
    only: list[str] | None = None,
    scheduled: bool = False,
    list: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
) -> Report:
    """Run the checks of preflight.toml side by side; CI runs the same command with --tier ci.

    A workspace without that file gets a set of its own. What cannot run is never a pass: a missing
    tool ends with exit code 4, whatever else was found. Nothing is written to the workspace.

    Args:
        workspace: The checkout to check.
        tier: quick takes seconds; full adds types and slower checks; ci adds the tests.
        changed: Leave out what passed before on the same inputs, with the same tools.
        only: Run these checks alone, whatever their tier and cadence; none may be skipped.
        scheduled: Run the checks of cadence scheduled too, as a nightly run does.
        list: Show the checks of every tier and cadence, run none.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.preflight
        python -m flows.preflight --changed
        python -m flows.preflight --tier ci
        python -m flows.preflight --only ruff syntax
    """
    report = draft(Report("preflight"))
    if list and changed:
        raise UsageError("--list runs nothing", next_step="leave --changed out")
    wanted = Wanted("ci" if list else tier, tuple(only or ()), scheduled or list)
    work = Preflight(workspace, wanted, changed, Deadline.after(max_seconds))
    with report.step("read-manifest"):
        steps.read(work)
    if list:
        describe_list(report, work.manifest, work.chosen)
        return report.settle()
    try:
        with report.step("checks"):
            steps.run_checks(work, tell)
    finally:  # also of a run that is cut short
        describe(report, work)
        steps.forget(work)
    if changed or work.passed != work.kept:  # what failed now is forgotten by any run
        steps.keep(work, report.writes.files)
    return report


@flow(name="preflight-backlog")
def preflight_backlog(
    file: Annotated[str | None, Positional()] = None,
    workspace: str = ".",
    template: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Check that each backlog item says why, what, what not, when it is done and how it fails.

    Args:
        file: A Markdown page with items.
        workspace: The checkout that the page belongs to.
        template: Print a new item to fill in.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.preflight backlog docs/BACKLOG.md
        python -m flows.preflight backlog --template
    """
    report = draft(Report("preflight-backlog"))
    if template and file:
        raise UsageError("--template reads no file", next_step="leave the file out")
    with report.step("backlog"):
        Deadline.after(max_seconds).check("checking the backlog")
        if template:
            put_template(report)
        else:
            check(report, workspace, file)
    return report.settle()


if __name__ == "__main__":
    main(preflight, preflight_backlog)

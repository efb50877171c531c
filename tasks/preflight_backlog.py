"""Steps of the backlog check: one page, or a new item to fill in."""

from __future__ import annotations

from autopack.errors import UsageError
from autopack.report import Report
from autopack.settings import workspace_root
from tasks import policy
from tasks.engine import task

COMMAND = "python -m flows.preflight backlog"


@task(**policy.READ)
def check(report: Report, workspace: str, file: str | None) -> None:
    """Put what the items of a page lack into the report.

    Raises:
        UsageError: No page is named, or there is none of this name.
    """
    from autopack.io.files import read_given
    from autopack.io.phase_files import name_within
    from autopack.preflight.backlog import check_backlog

    if file is None:
        raise UsageError("no file is named", next_step=f"{COMMAND} docs/BACKLOG.md")
    data = read_given(file)
    if data is None:
        raise UsageError(f"{file} does not exist", next_step=f"{COMMAND} --template > {file}")
    shown = name_within(workspace_root(workspace), file)
    items, report.findings = check_backlog(shown, data.decode("utf-8", "replace"))
    report.counts = {"items": items}


def put_template(report: Report) -> None:
    """Make a new item the whole of stdout; under `--json` it is a value of the report."""
    from autopack.preflight.backlog import template
    from tasks.phases_report import put_text

    put_text(report, "template", template(), template())

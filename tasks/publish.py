"""Where a run's report goes besides the terminal: the audit chain and, on Prefect, an artifact.

Neither may lose the report: a failure to publish is a warning in it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from autopack.errors import AutopackError, ExitCode
from autopack.report import Finding, Report, Table
from autopack.settings import audit_key, redact

if TYPE_CHECKING:
    from autopack.io.audit import Appended
    from tasks.run import Run

_TABLE_ROWS = 500
"""The rows of a table artifact: Prefect stores it whole and the UI shows it whole."""

_ANCHOR_S = 3.0
"""Seconds, at most, for keeping the head of the audit chain elsewhere."""


def publish(run: Run, report: Report) -> None:
    """Publish a finished run: an audit record if it could write, an artifact on Prefect."""
    record(run, report)
    if run.flow_run_id is not None:
        _publish_artifact(run, report)


class Progress:
    """A bar in the Prefect UI for a long step, drawn at most once a second; elsewhere nothing.

    A server that does not take it costs the bar, not the step.
    """

    def __init__(self, key: str, description: str, every_s: float = 1.0) -> None:
        self.key, self.description, self.every_s = key, description, every_s
        self._artifact: Any = None
        self._drawn = time.monotonic()
        self._broken = False

    def __call__(self, done: float, total: float) -> None:
        """Show that so much of a total is done; the end is always shown of a bar that began."""
        from tasks.engine import inside_prefect

        ended = done >= total and self._artifact is not None
        due = ended or time.monotonic() - self._drawn >= self.every_s
        if self._broken or not due or not inside_prefect():
            return
        self._drawn = time.monotonic()
        try:
            self._draw(100.0 * done / max(total, 1))
        except Exception as error:  # noqa: BLE001 - whatever the API client raises
            self._broken = True
            line = redact(f"no progress artifact: {type(error).__name__}: {error}")
            print(f"warning: {' '.join(line.split())}", file=sys.stderr)  # noqa: T201
        if ended:
            self._artifact = None

    def _draw(self, percent: float) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        if self._artifact is None:
            self._artifact = create_progress_artifact(
                percent, key=self.key, description=self.description
            )
        else:
            update_progress_artifact(self._artifact, percent)


def record(run: Run, report: Report, *, max_wait_s: float = 2.0) -> None:
    """Append the run to the audit chain, once; a run that could not write leaves no record."""
    if run.execute and not run.recorded and report.exit_code != ExitCode.USAGE:
        run.recorded = True
        _record_audit(run, report, max_wait_s)


def _record_audit(run: Run, report: Report, max_wait_s: float) -> None:
    """Append the run to its workspace's audit chain; the report then names the record."""
    from autopack.io import audit

    if not (run.workspace / "docs").is_dir():
        return
    try:
        where = audit.append(
            run.workspace, audit_record(report), max_wait_s=max(0.05, min(max_wait_s, run.left()))
        )
    except AutopackError as error:
        _warn(report, "audit_failed", error.message, error.next_step)
    else:
        report.extra["audit"] = {"seq": where.seq, "sha256": where.sha256}
        _anchor(run, report, where)


def _anchor(run: Run, report: Report, where: Appended) -> None:
    """Keep the head outside the chain as well: signed, in a database, and in the report."""
    key = audit_key()
    if key is None and run.anchor is None:
        return
    from autopack.deadline import Deadline
    from autopack.io.audit_anchor import anchor

    left = run.left()
    wait = Deadline.after(max(0.2, min(_ANCHOR_S, left)))
    kept = anchor(run.workspace, where, run.anchor if left else None, key=key, deadline=wait)
    report.extra["audit"] = kept.as_json()
    for error in kept.problems:
        _warn(report, "head_not_kept", error.message, error.next_step)


def audit_record(report: Report) -> dict[str, Any]:
    """Return what the audit chain keeps of a report, secrets masked.

    A run with a journal of its own pins how far that goes.
    """
    pinned = {"journal": report.extra["journal"]} if "journal" in report.extra else {}
    return {
        "flow": report.flow,
        "engine": report.engine,
        "flow_run_id": report.flow_run_id,
        "execute": report.execute,
        "exit_code": int(report.exit_code),
        "message": redact(report.message),
        "targets": {
            name: redact(shown) if shown else shown for name, shown in report.targets.items()
        },
        "writes": report.writes.as_json(),
        **pinned,
    }


def _publish_artifact(run: Run, report: Report) -> None:
    """Publish the report as Markdown, and each of its tables that has rows as a table."""
    from prefect.artifacts import create_markdown_artifact, create_table_artifact

    from autopack.render import cleaned, markdown

    key = "".join(c if c.isascii() and c.isalnum() else "-" for c in run.flow.lower()).strip("-")
    try:
        create_markdown_artifact(
            redact(markdown(report)), key=key, description=f"{report.flow}: {report.status}"
        )
        for table in cleaned(report).tables:
            if table.rows:
                create_table_artifact(
                    _rows(table), key=f"{key}-{table.key}", description=redact(table.title)
                )
    except Exception as error:  # noqa: BLE001 - whatever the API client raises, or the deadline
        _warn(report, "artifact_failed", f"no Prefect artifact: {type(error).__name__}: {error}")


def _rows(table: Table) -> list[dict[str, Any]]:
    from autopack.render import cells

    return [
        {
            column: redact(value) if isinstance(value, str) else value
            for column, value in zip(table.columns, cells(table, row), strict=True)
        }
        for row in table.rows[:_TABLE_ROWS]
    ]


def _warn(report: Report, code: str, message: str, fix: str = "") -> None:
    line = redact(" ".join(message.split()))
    report.findings.append(Finding(code, "warning", "", None, line, fix))
    print(f"warning: {line}", file=sys.stderr)  # noqa: T201

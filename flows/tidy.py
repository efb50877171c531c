"""Keep a workspace in shape: everything in its place, nothing lost, and a way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from autopack.deadline import Deadline
from autopack.report import Report
from flows.cli import main
from tasks import tidy_phases as phases
from tasks.engine import Between, Flags, draft, flow
from tasks.tidy_report import describe, judge
from tasks.tidy_session import Tidying, Wish

QUICK_SECONDS, FULL_SECONDS = 5.0, 900.0


def _seconds(values: Mapping[str, Any]) -> float:
    return QUICK_SECONDS if values.get("mode") == "quick" else FULL_SECONDS


@flow(
    name="tidy",
    direct_when=lambda values: values.get("mode") == "quick",
    max_seconds=_seconds,
)
def tidy(
    workspace: str = ".",
    mode: Annotated[Literal["full", "quick"], Flags()] = "full",
    execute: bool = False,
    quick_include_autonomous_runs_cleanup: bool = False,
    docs_reduce_to_sot: bool = False,
    repair: bool = False,
    undo: str | None = None,
    project: str | None = None,
    strict: bool = False,
    max_seconds: Annotated[float | None, Between(1, 86400)] = None,
) -> Report:
    """Put what lies about where it belongs, by the rules of config/tidy.yaml.

    Ledgers never move, nothing is overwritten and nothing but empty folders is removed. Whatever is
    locked, missing or broken, the rest is done, and the report says what is left. Without --execute
    nothing is written.

    Args:
        workspace: The checkout to tidy.
        mode: quick retries what waits, routes the root and docs/, checks the structure and mends
            the README's summary, without a look into the archive or into runs; full also
            consolidates and indexes the archive and removes empty folders.
        execute: Do what is shown.
        quick_include_autonomous_runs_cleanup: Move old run folders of .autonomous_runs/ to the
            archive as well, at most 200, never one whose lock is held.
        docs_reduce_to_sot: With --full, move pages of docs/ that are neither ledgers nor allowed.
        repair: Create missing folders and ledgers. What is there is never written to.
        undo: Put the moves of this run back.
        project: Tidy this project, a folder of .autonomous_runs/ with docs/ of its own.
        strict: Warnings and infos make the exit code 1 as well.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400. Without it 5 for
            --quick and 900 for --full.

    Examples:
        python -m flows.tidy --quick
        python -m flows.tidy --quick --execute
        python -m flows.tidy --full --docs-reduce-to-sot
        python -m flows.tidy --undo 20260131T120000-1a2b --execute
    """
    report = draft(Report("tidy", execute=execute))
    wish = Wish(
        mode, execute, quick_include_autonomous_runs_cleanup, docs_reduce_to_sot, repair, undo,
        project,
    )  # fmt: skip
    wish.check()
    tidying = Tidying(workspace, wish, Deadline.after(max_seconds or FULL_SECONDS))
    try:
        with tidying.holding():
            _phases(report, tidying)
    finally:  # also of a run that is cut short
        describe(report, tidying)
    judge(report, tidying)
    return report.settle(strict)


def _phases(report: Report, tidying: Tidying) -> None:
    """Run the phases in order; each has a result, whatever happens in it."""
    wish = tidying.wish
    if wish.undo:
        phases.put_back(report, tidying, wish.undo)
        return
    phases.recover(report, tidying)
    if wish.repair:
        phases.repair(report, tidying)
    phases.retry_queue(report, tidying)
    phases.root(report, tidying)
    phases.docs(report, tidying)
    if wish.runs:
        phases.runs(report, tidying)
    if wish.mode == "full":
        phases.consolidate(report, tidying)
        phases.remove_empty(report, tidying)
        phases.index(report, tidying)
    phases.readme(report, tidying)
    phases.verify(report, tidying)


if __name__ == "__main__":
    main(tidy)

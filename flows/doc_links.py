"""Check that links lead somewhere: the navigation pages strictly, everything else as a report."""

from __future__ import annotations

from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.report import Report
from flows.cli import main
from tasks import links
from tasks.engine import Between, Flags, draft, flow
from tasks.links_report import deep_summary, describe, next_step, plan_json, plan_text, unproven
from tasks.links_session import Checking, Wish


@flow(name="doc-links")
def doc_links(
    workspace: str = ".",
    mode: Annotated[Literal["nav", "deep"], Flags()] = "nav",
    include: list[str] | None = None,
    check_anchors: bool = False,
    baseline: str | None = None,
    base: str | None = None,
    fix: Literal["certain", "history", "fuzzy"] | None = None,
    strict: bool = False,
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 120.0,
) -> Report:
    """Follow every link as a reader on GitHub would, and mend those that can mean one thing only.

    A broken link to a file in a navigation page makes the exit code 1. A deep scan only reports.
    Addresses outside the repository are listed and not requested. Without --execute nothing is
    written.

    Args:
        workspace: The checkout whose pages are read.
        mode: nav reads README.md, docs/INDEX.md and docs/BUILD_HISTORY.md; deep reads every
            Markdown file but archive/, and the paths in code spans.
        include: Read these Markdown files too: globs from the root, such as 'archive/**'.
        check_anchors: Missing headings and ids are errors; otherwise warnings.
        baseline: A report that --json printed: what it lists is known, and only new breakage fails.
        base: A commit, such as origin/main: what is broken there is known.
        fix: Plan the mends of a layer and those before it. certain: a wrong base, a line suffix,
            upper and lower case. history: where git says a file was renamed to. fuzzy: the only
            file of that name.
        strict: Missing files, anchors and code references are errors, in a deep scan too.
        execute: Write what --fix plans: exactly the destinations, every other byte stays.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.doc_links
        python -m flows.doc_links --check-anchors --json
        python -m flows.doc_links --deep
        python -m flows.doc_links --deep --strict --base origin/main
        python -m flows.doc_links --deep --fix certain --execute
    """
    report = draft(Report("doc-links", execute=execute))
    if execute and not fix:
        raise UsageError(
            "--execute has nothing to write without --fix",
            next_step="python -m flows.doc_links --fix certain --execute",
        )
    if baseline and base:
        raise UsageError(
            "--baseline and --base both say what is known", next_step="name one of them"
        )
    wish = Wish(mode, tuple(include or ()), check_anchors, fix, strict)
    checking = Checking(workspace, wish, Deadline.after(max_seconds))
    if mode == "deep":
        links.open_library(checking)
    if baseline or base:
        with report.step("recall"):
            links.recall(checking, baseline, base)
    with checking.holding(execute):
        _check(report, checking)
        if fix:
            _mend(report, checking)
    report.body = "\n\n".join(part for part in (_first_screen(checking), report.body) if part)
    next_step(report, checking)
    if checking.library and checking.library.kept:
        report.writes.files.append(str(checking.library.kept))
    return report.settle() if wish.enforced else report


def _check(report: Report, checking: Checking) -> None:
    """Walk, read, judge; a deep scan confirms what was scanned, and keeps what was read."""
    with report.step("walk"):
        links.walk(checking)
    with report.step("read-pages"):
        links.read(checking)
    if checking.library:
        with report.step("confirm"):
            links.confirm(checking)
    with report.step("judge-links"):
        links.judge(checking)
    if checking.library:
        with report.step("keep-readings"):
            links.keep(checking)
    describe(report, checking)


def _mend(report: Report, checking: Checking) -> None:
    """Plan and, with --execute, write; then everything is looked at again."""
    with report.step("plan"):
        links.plan(checking)
    report.body = plan_text(checking, report.execute)
    mends = plan_json(checking)
    if report.execute and mends:
        with report.step("write-pages"):
            links.write(checking, report.writes.files)
        _check(report, checking)
    report.findings += unproven(checking)
    report.extra["fixes"] = mends


def _first_screen(checking: Checking) -> str:
    if checking.wish.mode == "nav":
        return ""
    return deep_summary(checking.verdicts, checking.web)


if __name__ == "__main__":
    main(doc_links)

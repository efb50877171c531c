"""Keep every stated count true: META totals, in-file summaries and the README's block."""

from __future__ import annotations

from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.report import Finding, Report
from flows.cli import main
from tasks import counts, counts_index
from tasks.counts_report import describe, emit_drift, next_step, plan_text
from tasks.counts_session import Counting, Wish
from tasks.engine import Between, draft, flow


@flow(name="sot-counts")
def sot_counts(
    workspace: str = ".",
    check: bool = False,
    execute: bool = False,
    strict: bool = False,
    index: bool = False,
    new: Literal["build", "decision", "debug"] | None = None,
    title: str | None = None,
    cells: list[str] | None = None,
    text: str | None = None,
    database_url: str | None = None,
    qdrant_host: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Compare every stated count with the ledgers, and mend the generated blocks.

    Counts come from the ledgers alone. Each number says which count it is: entries are INDEX
    rows with an id, unique ones are different ids. Without --execute nothing is written.

    Args:
        workspace: The checkout whose docs/ and README.md are read.
        check: Only check, which is the default.
        execute: Rewrite the generated blocks that are wrong, and insert the entry of --new.
            Every other byte stays.
        strict: Warnings and infos make the exit code 1 as well.
        index: Compare the database with the ledgers, and the vectors if they are configured.
        new: Add an entry with the next free id: an INDEX row and a section.
        title: The new entry's title, one line.
        cells: INDEX cells of the new entry, such as Severity=HIGH Status=Fixed.
        text: The new entry's section, in Markdown.
        database_url: For --index. postgresql://user:password@host/name or sqlite:///file.db.
            Without it DATABASE_URL, else autopack.db in the workspace.
        qdrant_host: For --index. embedded, a host, host:port or URL. Without it QDRANT_HOST, else
            vectors are not compared. The key is QDRANT_API_KEY.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.sot_counts
        python -m flows.sot_counts --execute
        python -m flows.sot_counts --index --strict
        python -m flows.sot_counts --new decision --title "One writer per ledger" --execute
    """
    report = draft(Report("sot-counts", execute=execute))
    if check and (execute or new):
        raise UsageError(
            f"--check only reads, so it cannot take {'--execute' if execute else '--new'}",
            next_step="python -m flows.sot_counts --check",
        )
    if (database_url or qdrant_host) and not index:
        raise UsageError(
            "--database-url and --qdrant-host name what --index compares",
            next_step="python -m flows.sot_counts --index",
        )
    wish = Wish.of(new, title, cells, text)
    counting = Counting(workspace, Deadline.after(max_seconds))
    targets = counts_index.Targets(counting, database_url, qdrant_host) if index else None
    report.targets = targets.shown() if targets else {}
    with counting.holding(execute):
        drifted = _settle(report, counting, wish, strict)
    if targets:
        with report.step("compare-database"):
            report.findings += counts_index.compare_database(counting, targets)
        if targets.qdrant:
            with report.step("compare-vectors"):
                report.findings += counts_index.compare_vectors(counting, targets)
    emit_drift(counting, [*drifted, *report.findings])
    next_step(report, bool(counting.changes()), wish)
    return report.settle(strict)


def _settle(report: Report, counting: Counting, wish: Wish | None, strict: bool) -> list[Finding]:
    """Check, plan and, with --execute, write; return what was wrong before."""
    with report.step("read-pages"):
        counts.read(counting)
    with report.step("check-claims"):
        before = left = counts.check(counting, strict)
    with report.step("plan"):
        entry = counts.plan(counting, wish)
    shown = plan_text(counting, entry, report.execute)
    describe(report, counting.pages, entry, shown)
    if report.execute and counting.changes():
        with report.step("write-pages"):
            counts.write(counting, report.writes.files)
        with report.step("check-again"):
            counts.read(counting)
            left = counts.check(counting, strict)
        describe(report, counting.pages, entry, shown)
    report.findings += left
    return before


if __name__ == "__main__":
    main(sot_counts)

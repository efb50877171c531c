"""The phases of a tidy, each under its own locks, with a result whatever happens in it."""

from __future__ import annotations

from autopack.report import Finding, NextStep, Report
from autopack.tidy.consolidate import Fate
from tasks import tidy, tidy_archive, tidy_entries, tidy_moves, tidy_queue, tidy_runs
from tasks.counts_session import Counting
from tasks.tidy_archive import Archive
from tasks.tidy_session import Phase, Tidying

MOVING = ("queue", "archive")
PAGES = ("queue", "archive", "docs")


def recover(report: Report, tidying: Tidying) -> None:
    """Settle what a killed run left open, before anything else is looked at."""

    def work(phase: Phase) -> None:
        if not tidying.wish.execute:
            for run in tidy_moves.unfinished(tidying):
                words = f"run {run} did not end: it is at work, or the next --execute settles it"
                tidying.findings.append(Finding("unfinished", "info", "", None, words))
            return
        for settled in tidy_moves.recover(tidying):
            phase.done += 1
            words = f"a run was cut short ({settled.run}): {settled.verdict}; {settled.detail}"
            bad = settled.verdict in ("lost", "stuck")
            tidying.findings.append(
                Finding("recovered", "warning" if bad else "info", settled.move.source, None, words)
            )

    tidying.phase(report, "recover", PAGES, work)


def repair(report: Report, tidying: Tidying) -> None:
    """Create what is missing of the structure."""

    def work(phase: Phase) -> None:
        missing = [path for path, _ in tidy.missing_structure(tidying)]
        phase.planned = len(missing)
        if tidying.wish.execute:
            written: list[str] = tidying.created
            tidy.repair(tidying, written)
            report.writes.files += written
            phase.done = len(written)
        else:
            tidying.created += missing
            phase.status = "planned" if missing else "done"

    tidying.phase(report, "repair", ("archive", "docs"), work)


def retry_queue(report: Report, tidying: Tidying) -> None:
    """Try again what waits in the queue and is due."""

    def work(phase: Phase) -> None:
        tidy_queue.retry(tidying, phase, report.writes.files)

    tidying.phase(report, "retry-queue", PAGES, work)


def root(report: Report, tidying: Tidying) -> None:
    """Route what lies at the root, and the twins of ledgers."""

    def work(phase: Phase) -> None:
        decisions = tidy.look_at_root(tidying)
        tidying.seen.duplicates = tidy.look_at_duplicates(tidying, decisions)
        tidying.seen.undecided += [d for d in decisions if d.kind == "undecided"]
        routed = [d for d in decisions if d.kind == "route"]
        routed += tidy.superseding(tidying, tidying.seen.duplicates)
        moves = tidy_moves.plan_moves(tidying, "root", routed)
        phase.left += len(routed) - len(moves) if tidying.out_of_time() else 0
        tidy_moves.carry_out(tidying, phase, moves, report.writes.files)
        _write_diffs(report, tidying)

    tidying.phase(report, "root", MOVING, work)


def _write_diffs(report: Report, tidying: Tidying) -> None:
    """Write how divergent ledgers differ, where that is not yet written."""
    for path, old, new in tidy.plan_diffs(tidying):
        if old != new and tidying.wish.execute:
            tidy.make_reports_folder(tidying)
            tidy_archive.write_file(tidying, path, old, new, report.writes.files)


def docs(report: Report, tidying: Tidying) -> None:
    """Route what lies in docs/ and is neither a ledger nor allowed."""

    def work(phase: Phase) -> None:
        decisions = tidy.look_at_docs(tidying)
        tidying.seen.held += [d for d in decisions if d.kind == "held"]
        tidying.seen.undecided += [d for d in decisions if d.kind == "undecided"]
        routed = [d for d in decisions if d.kind == "route"]
        moves = tidy_moves.plan_moves(tidying, "docs", routed)
        phase.left += len(routed) - len(moves) if tidying.out_of_time() else 0
        tidy_moves.carry_out(tidying, phase, moves, report.writes.files)

    tidying.phase(report, "docs", PAGES, work)


def runs(report: Report, tidying: Tidying) -> None:
    """Move old runs to the archive, and what runs left beside their folders."""

    def work(phase: Phase) -> None:
        old, loose = tidy.look_at_runs(tidying)
        now, later = old[: tidy.MOST_RUNS], old[tidy.MOST_RUNS :]
        tidy_runs.move_runs(tidying, phase, now, report.writes.files)
        with tidy_runs.locked(tidying, MOVING):
            moves = tidy_moves.plan_moves(tidying, "runs", loose)
            tidy_moves.carry_out(tidying, phase, moves, report.writes.files)
        if later:
            words = f"moves {len(later)} more old runs, {tidy.MOST_RUNS} at a time"
            tidying.next_steps.append(NextStep(words, tidying.wish.command("--execute")))
            phase.status = "partial" if tidying.wish.execute else phase.status
            phase.why = phase.why or f"{len(later)} runs beyond the {tidy.MOST_RUNS} of one run"

    tidying.phase(report, "runs", (), work)


def consolidate(report: Report, tidying: Tidying) -> None:
    """Take the archive's Markdown over into ledgers or `superseded/`."""

    def work(phase: Phase) -> None:
        cursor = tidy_archive.read_cursor(tidying)
        archive = tidying.archive = tidy_archive.walk_archive(tidying)
        counting = tidy.read_counts(tidying)
        tidying.counting = None if tidying.wish.execute else counting
        tidy_archive.decide_pages(tidying, archive, counting, cursor)
        tidying.seen.fates = archive.fates
        ready = _entries(report, tidying, phase, archive, counting)
        moves = tidy_moves.plan_moves(
            tidying, "consolidate", tidy_archive.superseding(archive, ready)
        )
        tidy_moves.carry_out(tidying, phase, moves, report.writes.files)
        phase.left += archive.left
        if archive.left:
            phase.status, phase.why = "partial", f"{archive.left} pages were not looked at"
        tidy_archive.keep_cursor(tidying, cursor, archive.cursor, report.writes.files)

    tidying.phase(report, "consolidate", PAGES, work)


def _entries(
    report: Report, tidying: Tidying, phase: Phase, archive: Archive, counting: Counting
) -> set[str]:
    """Make the entries; return the paths of the pages that have theirs."""
    made, told, left = tidy_entries.plan_entries(tidying, archive, counting)
    tidying.entries, phase.left = made, phase.left + left
    tidying.findings += told
    failed = {finding.path for finding in told}
    archive.fates[:] = [
        Fate(f.path, "undecided", reason="its entry could not be made") if f.path in failed else f
        for f in archive.fates
    ]
    if tidying.wish.execute and any(made.values()):
        changed = tidy_entries.write_entries(tidying, counting, made.values(), report.writes.files)
        tidying.seen.ledgers += changed
        tidy_entries.tell(tidying, changed)
    return set(made)


def remove_empty(report: Report, tidying: Tidying) -> None:
    """Remove the folders of the archive that hold nothing."""

    def work(phase: Phase) -> None:
        empty = tidy_archive.plan_empty(tidying)
        phase.planned = len(empty)
        if not tidying.wish.execute:
            tidying.seen.removed += empty
            phase.status = "planned" if empty else "done"
            return
        tidying.seen.removed += tidy_archive.remove_empty(tidying, empty)
        phase.done = len(tidying.seen.removed)

    tidying.phase(report, "empty-folders", ("archive",), work)


def index(report: Report, tidying: Tidying) -> None:
    """Bring the archive's index up to date."""

    def work(phase: Phase) -> None:
        path, old, new = tidy_archive.plan_index(tidying)
        if old == new or not new:
            return
        phase.planned = 1
        tidying.generated.append(path)
        if tidying.wish.execute:
            tidy_archive.write_file(tidying, path, old, new, report.writes.files)
            phase.done = 1
        else:
            phase.status = "planned"

    tidying.phase(report, "archive-index", ("archive",), work)


def readme(report: Report, tidying: Tidying) -> None:
    """Make the README's summary true; a dry run shows the difference."""

    def work(phase: Phase) -> None:
        from tasks.counts_report import diff_text

        counting = tidying.counting = tidying.counting or tidy.read_counts(tidying)
        change = tidy.readme_change(counting)
        if change is None:
            return
        phase.planned = 1
        tidying.readme_text = diff_text(
            tidying.place.path(tidy.README), *change, execute=tidying.wish.execute
        )
        if tidying.wish.execute:
            tidy.write_readme(tidying, counting, report.writes.files)
            phase.done = 1
        else:
            phase.status = "planned"

    tidying.phase(report, "readme", ("docs",), work)


def verify(report: Report, tidying: Tidying) -> None:
    """Check the structure and the ledgers; in a full run the archive as well."""

    def work(_phase: Phase) -> None:
        counting = tidying.counting or tidy.read_counts(tidying)
        found = tidy.verify(tidying, counting.pages)
        if tidying.wish.mode == "full":
            archive = tidy_archive.walk_archive(tidying)
            found += tidy_archive.look_closely(tidying, counting, archive)
        tidying.findings += found

    tidying.phase(report, "verify", (), work)


def put_back(report: Report, tidying: Tidying, run: str) -> None:
    """Put back what a run has moved."""

    def work(phase: Phase) -> None:
        tidy_moves.put_back(tidying, phase, run, report.writes.files)

    tidying.phase(report, "undo", ("queue", "runs", "archive", "docs"), work)

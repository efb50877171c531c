"""Steps that act: settle what killed runs left, put away, put back, remove for good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from autopack.report import Finding, Report
from tasks import policy
from tasks.audit import keep_head_in
from tasks.engine import task
from tasks.storage_apply import Applying

if TYPE_CHECKING:
    from autopack.errors import Refused
    from autopack.io.storage_quarantine import Hands
    from autopack.storage.gate import Outcome
    from autopack.storage.schema import Approval, CleanupReport, Item


@contextmanager
def ready(applying: Applying, report: Report, execute: bool) -> Iterator[None]:
    """Hold the locks of all that the command may touch, with what killed runs left settled.

    A dry run holds nothing, and only names those runs. The audit record of a run that acts pins its
    journal, and the chain's head goes into the database.
    """
    if execute:
        keep_head_in(applying.target)
    with report.step("find-unfinished"):
        unfinished, more = find_unfinished(applying)
    with applying.holding(execute, locks_wanted(applying).union(more)):
        if execute and unfinished:
            with report.step("settle"):
                settle(applying, unfinished)
        elif unfinished:
            applying.findings += [_waiting(run) for run in unfinished]
        try:
            yield
        finally:
            if execute and applying.journal:
                journal = applying.journal
                pin = {"run": journal.run, "seq": journal.seq, "sha256": journal.head}
                report.extra["journal"] = pin


def locks_wanted(applying: Applying) -> set[str]:
    """Return the locks of all that the command may touch."""
    return set(applying.locks(_places(applying)))


def _waiting(run: str) -> Finding:
    return Finding(
        "run_unfinished", "warning", run, None,
        f"run {run} was killed in the middle of an item; the next --execute settles it",
        f"python -m flows.storage_apply undo {run} --execute",
    )  # fmt: skip


def _places(applying: Applying) -> Iterator[tuple[int, str]]:
    """Yield root and path of every item that the command may touch.

    All that the run may move counts: it may be at work while the locks are waited for.
    """
    assert applying.report
    approval = applying.given or applying.approval
    if approval:
        chosen = set(approval.items)
        yield from ((i.root, i.path) for i in applying.report.items if i.id in chosen)


@task(**policy.READ)
def find_unfinished(applying: Applying) -> tuple[list[str], tuple[str, ...]]:
    """Return the other runs that were killed in the middle of an item, and the locks they need.

    A run whose journal or papers were changed by hand is a finding, and is left alone.
    """
    from autopack.errors import Refused
    from autopack.io.storage_journal import read_journal, read_papers, runs

    found, locks = [], set[str]()
    for run in runs(applying.root):
        try:
            left = [e for e in read_journal(applying.root, run).open if e.state != "purging"]
            if left and run != applying.run:
                with applying.about(read_papers(applying.root, run)[0]):
                    locks.update(applying.locks((entry.root, entry.path) for entry in left))
                found.append(run)
        except Refused as error:
            applying.findings.append(_left_alone(run, error))
    return found, tuple(locks)


def _left_alone(run: str, error: Refused) -> Finding:
    return Finding("run_changed", "error", run, None, error.message, error.next_step)


@task(**policy.IDEMPOTENT_WRITE)
def settle(applying: Applying, unfinished: Iterable[str]) -> None:
    """Settle what other runs left open when they were killed."""
    from autopack.errors import Busy, Refused
    from autopack.io.storage_journal import read_papers

    for run in unfinished:
        with applying.about(read_papers(applying.root, run)[0]):
            try:
                with _working(applying, run) as hands:
                    applying.findings.append(_settled(run, _settle(applying, hands)))
            except Busy:  # it is alive
                continue
            except Refused as error:  # its root is away, say: that is no reason to stop here
                applying.check()  # but lost locks are
                applying.findings.append(_left_alone(run, error))


def _settled(run: str, left: list[Outcome]) -> Finding:
    told = f"run {run} was killed in the middle of an item"
    if not left:
        return Finding("run_settled", "info", run, None, f"{told}; that is settled")
    details = "; ".join(outcome.detail for outcome in left)
    return Finding("CONFLICT", "error", run, None, f"{told}: {details}")


def _working(
    applying: Applying, run: str, begin: Approval | None = None
) -> AbstractContextManager[Hands]:
    from autopack.io.storage_runs import working

    assert applying.report
    assert applying.policy
    return working(
        applying.root, run, applying.report, protected=applying.protected, fence=applying.fence,
        retries=applying.policy.retries, begin=begin,
    )  # fmt: skip


def _settle(applying: Applying, hands: Hands) -> list[Outcome]:
    from autopack.io.storage_resume import settle as settle_run

    assert applying.report
    return settle_run(hands, _by_id(applying.report), applying.check)


def _by_id(report: CleanupReport) -> dict[str, Item]:
    return {item.id: item for item in report.items}


@task(**policy.READ)
def foresee(applying: Applying) -> None:
    """Say what `execute` would do with each item now; of a killed run also what it has done."""
    from autopack.io.storage_quarantine import foresee as look
    from autopack.io.storage_runs import ended, items_of, looking
    from autopack.storage.gate import caps_of

    assert applying.report
    assert applying.approval
    assert applying.policy
    caps = caps_of(applying.policy, applying.approval)
    items = items_of(applying.report, applying.approval)
    done = ended(applying.journal, items, caps) if applying.journal else {}
    with looking(applying.run, applying.report, applying.protected) as eyes:
        for no, item in items.items():
            applying.deadline.check("looking at items")
            applying.outcomes.append(done.get(no) or look(eyes, no, item, caps))


@task(**policy.IDEMPOTENT_WRITE)
def execute(applying: Applying, written: list[str]) -> None:
    """Use the approval up, and put its items away, as far as the time lasts.

    A run that was cut off goes on with what has no end yet.
    """
    from autopack.io.storage_journal import APPROVAL, REPORT, keep_papers, now, read_journal
    from autopack.io.storage_rows import Use
    from autopack.io.storage_runs import execute as move
    from autopack.io.storage_runs import items_of, outcomes
    from autopack.storage.gate import caps_of

    report, approval, rules = applying.report, applying.approval, applying.policy
    assert report
    assert approval
    assert rules
    with applying.fence():
        papers = {REPORT: report.data(), APPROVAL: approval.data()}
        keep_papers(applying.root, applying.run, papers)
    _say_written(applying, written)
    items, rows = items_of(report, approval), applying.rows()
    try:
        with _working(applying, applying.run, approval) as hands:
            rows.pin(hands.journal.journal, "begun")
            use = Use(approval.id, "execute", applying.run, approval.approver, now())
            rows.consume(use)
            _settle(applying, hands)
            caps = caps_of(rules, approval)
            moving = move(hands, items, caps, applying.deadline, applying.check)
            for done, _ in enumerate(moving, start=1):
                applying.progress(done, len(items), "quarantine")
            rows.pin(hands.journal.journal, "complete")
    finally:
        applying.journal = read_journal(applying.root, applying.run)
        applying.outcomes = outcomes(applying.journal, items)


def _say_written(applying: Applying, written: list[str]) -> None:
    from autopack.state_files import STORAGE

    name = f"{STORAGE}/{applying.run}"
    if name not in written:
        written.append(name)


@task(**policy.READ)
def foresee_undo(applying: Applying) -> None:
    """Say what `undo` would do with each item now."""
    from autopack.io.storage_runs import looking
    from autopack.io.storage_undo import foresee as look

    assert applying.report
    assert applying.journal
    items = _by_id(applying.report)
    with looking(applying.run, applying.report, applying.protected) as eyes:
        for entry in reversed(applying.journal.held):
            applying.outcomes.append(look(eyes, entry, items[entry.item]))


@task(**policy.IDEMPOTENT_WRITE)
def undo(applying: Applying, written: list[str]) -> None:
    """Put everything of the run back that is in the quarantine, as far as the time lasts."""
    from autopack.io.storage_undo import undo as back

    assert applying.report
    _say_written(applying, written)
    rows = applying.rows()
    with _working(applying, applying.run) as hands:
        rows.check(hands.journal.journal)
        applying.outcomes = _settle(applying, hands)
        items = _by_id(applying.report)
        for done in back(hands, items, applying.deadline, applying.check):
            applying.outcomes.append(done)
            applying.progress(len(applying.outcomes), len(items), "undo")
        hands.journal.write("complete")
        rows.pin(hands.journal.journal, "undone" if not hands.journal.journal.held else "partly")
        applying.journal = hands.journal.journal


@task(**policy.READ)
def foresee_purge(applying: Applying) -> None:
    """Say what `purge` would remove."""
    from autopack.io.storage_purge import foresee as look
    from autopack.storage.gate import Outcome, caps_of_purge

    assert applying.report
    assert applying.approval
    assert applying.journal
    items, chosen = _by_id(applying.report), set(applying.approval.items)
    caps = caps_of_purge(applying.approval, items.values())
    wanted = [entry for entry in applying.journal.entries.values() if entry.item in chosen]
    for entry in wanted:
        if entry.state in ("purging", "purged"):
            caps.take(items[entry.item])
    for entry in wanted:
        if entry.state in ("moved", "purging"):
            item = items[entry.item]
            told = look(entry, item, caps) or Outcome(entry.no, item, "purged")
            applying.outcomes.append(told)


@task(**policy.IDEMPOTENT_WRITE)
def purge(applying: Applying, written: list[str]) -> None:
    """Use the approval up, and remove what it names for good, as far as the time lasts."""
    from autopack.io.storage_journal import PURGE, keep_papers, now
    from autopack.io.storage_purge import free_bytes
    from autopack.io.storage_purge import purge as remove
    from autopack.io.storage_rows import Use
    from autopack.storage.gate import caps_of_purge

    report, approval = applying.report, applying.approval
    assert report
    assert approval
    assert applying.subject
    with applying.fence():
        name = PURGE.format(approval.id.removeprefix("sha256:")[:12])
        keep_papers(applying.root, applying.run, {name: approval.data()})
    _say_written(applying, written)
    applying.outcomes = []
    rows, items = applying.rows(), _by_id(report)
    chosen = {name: items[name] for name in approval.items}
    roots = sorted({item.root for item in chosen.values()})
    with _working(applying, applying.run) as hands:
        journal = hands.journal.journal
        if approval.id not in journal.purges:
            hands.journal.write("purge", approval=approval.id, manifest=applying.subject.digest)
        rows.consume(Use(approval.id, "purge", applying.run, approval.approver, now()))
        _settle(applying, hands)
        before = free_bytes(hands.places, roots)
        try:
            caps = caps_of_purge(approval, items.values())
            removing = remove(hands, chosen, caps, applying.deadline, applying.check)
            for done in removing:
                applying.outcomes.append(done)
                applying.progress(len(applying.outcomes), len(approval.items), "purge")
            hands.journal.write("purge-complete", approval=approval.id)
            rows.pin(
                hands.journal.journal, "purged" if not hands.journal.journal.held else "partly"
            )
        finally:
            applying.freed = max(0, free_bytes(hands.places, roots) - before)
            applying.journal = hands.journal.journal

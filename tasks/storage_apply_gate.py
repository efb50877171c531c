"""Steps before an act: read the policy and the papers, and let every gate have its say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from autopack.errors import Refused, UsageError
from tasks import policy
from tasks.engine import task
from tasks.storage_apply import Applying

APPROVED = "storage-approval"
"""The audit record of an approval; an unsigned one without it was not given by the command."""


@task(**policy.READ)
def read_policy(applying: Applying) -> None:
    """Read the policy of the workspace.

    Raises:
        UsageError: It is malformed.
    """
    from autopack.io.storage_policy import read_policy as read

    found = read(applying.root, applying.named_policy)
    applying.policy, applying.policy_shown = found.policy, found.path
    applying.findings += found.findings


@task(**policy.READ)
def read_papers(applying: Applying, report: str, approval: str) -> None:
    """Read the report and the approval, each exactly as its command wrote it."""
    from autopack.io import storage_journal, storage_papers
    from autopack.io.storage_reports import read_report

    places = applying.place(report), applying.place(approval)
    applying.papers = {"report": applying.shown(places[0]), "approval": applying.shown(places[1])}
    applying.report = read_report(str(places[0]))
    applying.approval = storage_papers.read_approval(places[1], approval)
    applying.run = storage_journal.run_of(applying.approval)


@task(**policy.READ)
def read_run(applying: Applying, run: str, approval: str | None = None) -> None:
    """Read what a run has put away, by its own papers, and the approval of its purge.

    Raises:
        UsageError: There is no such run.
        Refused: Its journal or its papers were changed.
    """
    from autopack.io import storage_journal, storage_papers

    applying.run = run
    applying.journal = storage_journal.read_journal(applying.root, run)
    if not applying.journal.seq:
        raise storage_journal.nothing_moved(applying.root, run)
    applying.report, applying.given = storage_journal.read_papers(applying.root, run)
    if approval is not None:
        place = applying.place(approval)
        applying.papers["approval"] = applying.shown(place)
        applying.approval = storage_papers.read_approval(place, approval)


@task(**policy.READ)
def check_execute(applying: Applying) -> None:
    """Let every gate before an `execute` have its say; under `--execute` the locks are held.

    Raises:
        Refused: A gate said no; the message says which, and what to do.
    """
    from autopack.io.storage_platform import check_platform
    from autopack.storage.approval import of_report
    from autopack.storage.gate import check_enabled, check_report

    assert applying.policy
    assert applying.report
    check_platform()
    applying.look_at_the_clock()
    check_enabled(applying.policy, applying.policy_shown)
    check_report(applying.report, applying.policy, applying.now)
    applying.subject = of_report(applying.report)
    _check_approval(applying)
    _check_unused(applying)


@task(**policy.READ)
def check_purge(applying: Applying) -> None:
    """Let every gate before a `purge` have its say; under `--execute` the locks are held.

    Raises:
        Refused: A gate said no; the message says which, and what to do.
    """
    from autopack.io.storage_journal import read_journal
    from autopack.io.storage_platform import check_platform
    from autopack.storage.approval import of_run
    from autopack.storage.gate import check_enabled

    assert applying.policy
    assert applying.report
    assert applying.approval
    check_platform()
    applying.look_at_the_clock()
    check_enabled(applying.policy, applying.policy_shown)
    journal = applying.journal = read_journal(applying.root, applying.run)
    applying.rows().check(journal)
    begun = journal.purges.get(applying.approval.id)
    if begun and begun.complete:
        raise Refused(
            f"the approval was used up: it has purged run {applying.run}",
            f"approve again: python -m flows.storage_apply approve --purge {applying.run}",
        )
    applying.subject = of_run(journal, applying.report, applying.approval.id)
    _check_approval(applying)
    if not begun and applying.rows().used(applying.approval.id):
        raise Refused(
            "the approval was used up, and the journal here does not know of it",
            f"approve again: python -m flows.storage_apply approve --purge {applying.run}",
        )
    check_grace(applying)


def check_grace(applying: Applying) -> None:
    """Make sure that what is in the quarantine has been there for long enough.

    Raises:
        Refused: It has not.
    """
    if (due := purge_from(applying)) > applying.now:
        raise Refused(
            f"run {applying.run} may be purged from {due:%Y-%m-%d %H:%M} UTC on",
            next_step="wait, or put things back: "
            f"python -m flows.storage_apply undo {applying.run} --execute",
        )


def purge_from(applying: Applying) -> Any:
    """Return when the run may be purged: after the days of grace of its last move."""
    assert applying.policy
    assert applying.journal
    last = applying.journal.last_move or applying.now
    return last + timedelta(days=applying.policy.grace_days)


def _check_approval(applying: Applying) -> None:
    from autopack.io.signing import verify
    from autopack.storage.approval import check

    assert applying.policy
    assert applying.approval
    assert applying.subject
    check(applying.approval, applying.subject, applying.policy, applying.now, verify)
    if applying.approval.signature is None:
        _check_given_here(applying)


def _check_given_here(applying: Applying) -> None:
    """An approval that nobody signed counts only where the audit chain has seen it given."""
    from autopack.io import audit

    assert applying.approval
    assert applying.subject
    bad = audit.verify(applying.root / audit.AUDIT_FILE)
    if bad and bad.kind == "tampered":
        raise Refused(
            f"{audit.AUDIT_FILE}:{bad.line}: {bad.why}: it cannot say which approvals were given",
            next_step="find out who changed the audit chain, or sign the approval",
        )
    for record in audit.records(applying.root, applying.approval.id):
        if record.get("event") == APPROVED and record.get("by") == applying.approval.approver:
            return
    raise Refused(
        "the approval is not signed, and was not given in this workspace: no record of it",
        applying.subject.again,
    )


def _check_unused(applying: Applying) -> None:
    """An approval that a run has used up only lets that run go on, until it is complete.

    Raises:
        Refused: It is, or the run's journal is gone.
    """
    from autopack.io.storage_journal import read_journal

    assert applying.approval
    again = "approve again: python -m flows.storage_apply approve REPORT"
    try:
        journal = applying.journal = read_journal(applying.root, applying.run)
    except UsageError:
        if applying.rows().used(applying.approval.id):
            raise Refused(
                f"the approval was used up by run {applying.run}, which has no journal here", again
            ) from None
        return
    if journal.complete:
        raise Refused(f"the approval was used up by run {applying.run}", again)
    applying.rows().check(journal)

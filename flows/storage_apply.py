"""Disk space comes back: approved items go into a quarantine, back again, or away for good."""

from __future__ import annotations

from typing import Annotated

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.report import Report
from flows.audit import audit
from flows.cli import main
from tasks import (
    storage_apply_decide,
    storage_apply_gate,
    storage_apply_report,
    storage_apply_run,
)
from tasks.engine import Between, Positional, draft, flow
from tasks.storage_apply import Applying


@flow(name="storage-apply-approve")
def storage_apply_approve(
    report: Annotated[str | None, Positional()] = None,
    workspace: str = ".",
    items: list[str] | None = None,
    max_bytes: Annotated[int | None, Between(0, 2**53 - 1)] = None,
    max_items: Annotated[int | None, Between(0, 1_000_000)] = None,
    expires: str = "24h",
    by: str | None = None,
    sign: str | None = None,
    purge: str | None = None,
    policy: str | None = None,
    out: str | None = None,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Approve items of a report, or the purge of a run, and write the approval that it needs.

    On a Prefect server without a decision the run shows the report and pauses, until somebody
    resumes it with their name and the items; it waits for as long as the approval may hold, and the
    deadline stands still meanwhile. A typed name shows an intent; only a signature proves it.

    Args:
        report: The report of a scan, as its report_path says; not needed with --purge.
        workspace: The checkout whose policy holds.
        items: Items to approve: ids, their beginnings, or all, which is the default.
        max_bytes: Bytes that may go at most, 0 to 2**53 - 1; without it what the items come to.
        max_items: Items that may go at most, 0 to 1000000; without it as many as are approved.
        expires: How long the approval holds: 30m, 24h or 3d, at most what the policy allows.
        by: The name of the person who approves; with --sign that of the key by default.
        sign: An Ed25519 private key file to sign with; needed when the policy lists keys.
        purge: A run whose quarantine may be removed for good, in place of a report.
        policy: The policy in place of config/storage.yaml.
        out: Where the approval goes in place of .autonomous_runs/reports/storage/.
        database_url: Where runs are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the run without the pause in seconds, 1 to 86400.

    Examples:
        python -m flows.storage_apply approve REPORT --by "Ada Lovelace"
        python -m flows.storage_apply approve REPORT --items 3f2a --max-bytes 1000000 --sign KEY
        python -m flows.storage_apply approve --purge RUN --by "Ada Lovelace"
    """
    told = draft(Report("storage-apply-approve"))
    applying = Applying(workspace, policy, database_url, Deadline.after(max_seconds))
    given = None
    if by or sign:
        given = storage_apply_decide.Answer(items or ("all",), by or "", max_bytes, max_items)
    elif items:
        raise UsageError("--by is missing: who approves?", next_step="add --by 'Your Name'")
    with told.step("read-policy"):
        storage_apply_gate.read_policy(applying)
    with told.step("read-report"):
        storage_apply_decide.read_subject(applying, report, purge)
    storage_apply_report.subject(told, applying)
    with told.step("decide"):
        answer = storage_apply_decide.answer(told, applying, given, expires)
        storage_apply_decide.decide(applying, answer, expires, sign)
    with told.step("write-approval"):
        storage_apply_decide.write(applying, out, told.writes.files)
    storage_apply_report.approved(told, applying)
    return told.settle()


@flow(name="storage-apply-execute")
def storage_apply_execute(
    report: Annotated[str, Positional()],
    approval: Annotated[str, Positional()],
    workspace: str = ".",
    policy: str | None = None,
    execute: bool = False,
    strict: bool = False,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
) -> Report:
    """Put approved items into the quarantine of their root: each looked at again before it goes.

    What is not as it was scanned, is protected, or would cross a cap stays, and is a finding. A run
    that was cut off goes on when the same command is given again. Nothing is freed yet: see purge.

    Args:
        report: The report of a scan.
        approval: The approval of it; it is used up by the run.
        workspace: The checkout whose policy holds.
        policy: The policy in place of config/storage.yaml.
        execute: Move. Without it the run says what would become of each item.
        strict: Warnings and infos make the exit code 1 as well.
        database_url: Where runs and approvals are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.storage_apply execute REPORT APPROVAL
        python -m flows.storage_apply execute REPORT APPROVAL --execute
    """
    told = draft(Report("storage-apply-execute", execute=execute))
    applying = Applying(workspace, policy, database_url, Deadline.after(max_seconds))
    told.targets = {"database": applying.target.named}
    with told.step("read-papers"):
        storage_apply_gate.read_policy(applying)
        storage_apply_gate.read_papers(applying, report, approval)
    with storage_apply_run.ready(applying, told, execute):
        with told.step("check"):
            storage_apply_gate.check_execute(applying)
        with told.step("quarantine" if execute else "look"):
            if execute:
                storage_apply_run.execute(applying, told.writes.files)
            else:
                storage_apply_run.foresee(applying)
    storage_apply_report.executed(told, applying)
    return told.settle(strict)


@flow(name="storage-apply-undo")
def storage_apply_undo(
    run: Annotated[str, Positional()],
    workspace: str = ".",
    policy: str | None = None,
    execute: bool = False,
    strict: bool = False,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
) -> Report:
    """Put everything back that a run has in the quarantine, each to its place if that is free.

    A place that is taken keeps what it has: the item stays in the quarantine, as a finding, and the
    same command tries it again. Folders that are gone are made again.

    Args:
        run: The run, as its report names it.
        workspace: The checkout in which it ran.
        policy: The policy in place of config/storage.yaml.
        execute: Put back. Without it the run says what would become of each item.
        strict: Warnings and infos make the exit code 1 as well.
        database_url: Where runs and approvals are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.storage_apply undo RUN
        python -m flows.storage_apply undo RUN --execute
    """
    told = draft(Report("storage-apply-undo", execute=execute))
    applying = Applying(workspace, policy, database_url, Deadline.after(max_seconds))
    told.targets = {"database": applying.target.named}
    with told.step("read-papers"):
        storage_apply_gate.read_policy(applying)
        storage_apply_gate.read_run(applying, run)
    with (
        storage_apply_run.ready(applying, told, execute),
        told.step("put-back" if execute else "look"),
    ):
        if execute:
            storage_apply_run.undo(applying, told.writes.files)
        else:
            storage_apply_run.foresee_undo(applying)
    storage_apply_report.undone(told, applying)
    return told.settle(strict)


@flow(name="storage-apply-purge")
def storage_apply_purge(
    run: Annotated[str, Positional()],
    approval: Annotated[str, Positional()],
    workspace: str = ".",
    policy: str | None = None,
    execute: bool = False,
    strict: bool = False,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
) -> Report:
    """Remove for good what a run has in the quarantine, after the days of grace of the policy.

    It needs an approval of its own, about exactly what lies there. Only this frees space, and
    freed_bytes is what the filesystem has more of afterwards. A purge that was cut off goes on when
    the same command is given again.

    Args:
        run: The run, as its report names it.
        approval: The approval that was made with --purge; it is used up.
        workspace: The checkout in which it ran.
        policy: The policy in place of config/storage.yaml.
        execute: Remove. Without it the run says what would be removed.
        strict: Warnings and infos make the exit code 1 as well.
        database_url: Where runs and approvals are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.storage_apply purge RUN APPROVAL
        python -m flows.storage_apply purge RUN APPROVAL --execute
    """
    told = draft(Report("storage-apply-purge", execute=execute))
    applying = Applying(workspace, policy, database_url, Deadline.after(max_seconds))
    told.targets = {"database": applying.target.named}
    with told.step("read-papers"):
        storage_apply_gate.read_policy(applying)
        storage_apply_gate.read_run(applying, run, approval)
    with storage_apply_run.ready(applying, told, execute):
        with told.step("check"):
            storage_apply_gate.check_purge(applying)
        with told.step("purge" if execute else "look"):
            if execute:
                storage_apply_run.purge(applying, told.writes.files)
            else:
                storage_apply_run.foresee_purge(applying)
    storage_apply_report.purged(told, applying)
    return told.settle(strict)


if __name__ == "__main__":
    main(
        storage_apply_approve,
        storage_apply_execute,
        storage_apply_undo,
        storage_apply_purge,
        audit,
    )

"""Verify the audit chain, list the heads that are kept elsewhere, export it, make a signing key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.report import NextStep, Report
from flows.cli import main
from tasks import audit as steps
from tasks import audit_export as exports
from tasks.audit_report import describe, list_heads
from tasks.audit_session import Auditing
from tasks.engine import Between, Positional, draft, flow


@flow(name="audit-verify")
def audit_verify(
    workspace: str = ".",
    head: list[str] | None = None,
    against: list[str] | None = None,
    exported: list[str] | None = None,
    key: list[str] | None = None,
    database_url: str | None = None,
    strict: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Find every record of the audit chain that was edited, removed, reordered or cut off.

    The links show an edit in the middle; heads from the database, signed heads and those given here
    show a cut tail or a chain that was written anew. It writes nothing.

    Args:
        workspace: The checkout whose .autonomous_runs/audit.jsonl is verified.
        head: A head to compare, SEQ:SHA256, as reports and artifacts print it.
        against: A file with a head: a report written with --json, or the manifest of an export.
        exported: An export to verify with its manifest; its head is then compared as well.
        key: A public key, 64 hex digits, whose signed heads are trusted. Without one, and without
            AUTOPACK_AUDIT_KEY, every key is.
        database_url: Where heads are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        strict: Warnings and infos make the exit code 1 as well.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.audit verify
        python -m flows.audit verify --against last-week.json --strict
    """
    report = draft(Report("audit-verify"))
    auditing = Auditing(workspace, database_url, Deadline.after(max_seconds))
    steps.take_given(auditing, head or (), against or ())
    _verify(report, auditing, steps.trusted(auditing, key or ()), exported or ())
    return report.settle(strict)


def _verify(
    report: Report, auditing: Auditing, trusted: Sequence[str], copies: Sequence[str]
) -> None:
    """Read the chain and all heads, compare, and describe what was seen."""
    with report.step("read-chain"):
        report.findings += steps.read_chain(auditing)
    with report.step("read-heads"):
        report.findings += steps.read_signed(auditing, trusted)
        report.findings += steps.read_database(auditing)
        for name in copies:
            report.findings += exports.check_copy(auditing, name, trusted)
    with report.step("compare"):
        report.findings += steps.compare_heads(auditing)
    with report.step("check-journals"):
        report.findings += steps.check_journals(auditing)
    describe(report, auditing)


@flow(name="storage-apply-audit")
def audit(
    action: Annotated[Literal["verify"], Positional()],  # noqa: ARG001 - it has one value
    workspace: str = ".",
    head: list[str] | None = None,
    database_url: str | None = None,
    strict: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Verify the audit chain and the journals of storage runs, like flows.audit verify.

    Args:
        action: What to do with the chain; verify.
        workspace: The checkout whose chain and journals are verified.
        head: A head to compare, SEQ:SHA256, as reports and artifacts print it.
        database_url: Where heads are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        strict: Warnings and infos make the exit code 1 as well.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.storage_apply audit verify
    """
    report = draft(Report("storage-apply-audit"))
    auditing = Auditing(workspace, database_url, Deadline.after(max_seconds))
    steps.take_given(auditing, head or (), ())
    _verify(report, auditing, steps.trusted(auditing, ()), ())
    return report.settle(strict)


@flow(name="audit-heads")
def audit_heads(
    workspace: str = ".",
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Show the newest head of the audit chain, and every head that is kept elsewhere.

    Args:
        workspace: The checkout whose chain it is.
        database_url: Where heads are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.audit heads
    """
    report = draft(Report("audit-heads"))
    auditing = Auditing(workspace, database_url, Deadline.after(max_seconds))
    with report.step("read-chain"):
        report.findings += steps.read_chain(auditing)
    with report.step("read-heads"):
        report.findings += steps.read_signed(auditing, steps.trusted(auditing, ()))
        report.findings += steps.read_database(auditing)
    list_heads(report, auditing)
    return report.settle()


@flow(name="audit-export")
def audit_export(
    out: str,
    workspace: str = ".",
    since: str | None = None,
    database_url: str | None = None,
    max_seconds: Annotated[float, Between(1, 86400)] = 300.0,
) -> Report:
    """Write a verified copy of the audit chain, with a manifest, to keep elsewhere.

    A chain with an error is not exported. A file is never replaced; a copy that is there already is
    kept. With AUTOPACK_AUDIT_KEY the manifest is signed.

    Args:
        out: The file to write, or a folder (a slash behind it makes one), where the file is named
            after its records.
        workspace: The checkout whose chain is exported.
        since: Start with this record's number, or with the first record of a day (2026-01-31) or
            moment; last goes on behind the newest export in the folder, which is verified as well.
            Without it the whole chain.
        database_url: Where heads are kept. postgresql://user:password@host/name or
            sqlite:///file.db. Without it DATABASE_URL, else autopack.db in the workspace.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.audit export --out audit-copy.jsonl
        python -m flows.audit export --out /srv/audit/ --since last
    """
    report = draft(Report("audit-export"))
    auditing = Auditing(workspace, database_url, Deadline.after(max_seconds))
    start, before = exports.go_on(out, since)
    _verify(report, auditing, steps.trusted(auditing, ()), before)
    if report.settle().exit_code == 0:
        with report.step("write-export"):
            done = exports.write_export(auditing, out, start, report.writes.files)
        report.body += f"\n{done}"
    return report.settle()


@flow(name="audit-key")
def audit_key(
    path: Annotated[str, Positional()],
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Make an Ed25519 key that signs heads and approvals, and show its public half.

    The file is readable by its owner alone and is never replaced; keep it outside the workspace.

    Args:
        path: The new key file.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.audit key ~/.config/autopack/audit.pem
    """
    report = draft(Report("audit-key"))
    Deadline.after(max_seconds).check("making a key")
    with report.step("make-key"):
        public = steps.make_key(Path(path).expanduser(), report.writes.files)
    report.body = f"public key: {public}"
    report.extra["public_key"] = public
    report.next_steps.append(
        NextStep("sign the head of the chain after every run", f"export AUTOPACK_AUDIT_KEY={path}")
    )
    return report


if __name__ == "__main__":
    main(audit_verify, audit_heads, audit_export, audit_key)

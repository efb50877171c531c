"""Bring the database and the vectors in line with the Markdown ledgers."""

from __future__ import annotations

from contextlib import closing
from hashlib import sha256
from typing import Annotated

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.report import Report
from flows.cli import main
from tasks import sot
from tasks.engine import Between, CommandLineOnly, Flags, draft, flow
from tasks.sot_report import describe, record_rows, record_state, record_vectors
from tasks.sot_session import Mode, Sync


@flow(name="sot-sync")
def sot_sync(
    workspace: str = ".",
    mode: Annotated[Mode, Flags()] = "docs-only",
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 120.0,
    database_url: str | None = None,
    qdrant_host: str | None = None,
    accept_shrink: bool = False,
    rebuild_file: Annotated[str | None, CommandLineOnly()] = None,
) -> Report:
    """Bring the database and the vector index in line with the Markdown ledgers.

    The ledgers in docs/ are canonical; both indexes are derived and can be rebuilt at any time.
    Without --execute nothing is written: the plan is printed.

    Args:
        workspace: The checkout whose docs/ is read.
        mode: What is brought in line. docs-only parses, validates and prints the plan; db-only
            writes the database; qdrant-only writes the vectors and opens no database; full
            writes both.
        execute: Write. Without it nothing is written.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.
        database_url: postgresql://user:password@host/name or sqlite:///file.db. Without it
            DATABASE_URL, else autopack.db in the workspace.
        qdrant_host: embedded, a host, host:port or URL. Without it QDRANT_HOST, else no vectors.
            The key is QDRANT_API_KEY.
        accept_shrink: Publish although a ledger is empty, gone, over 20 % smaller, or older than
            what another checkout published.
        rebuild_file: Write this ledger's exact bytes to stdout, from the database alone.

    Examples:
        python -m flows.sot_sync
        python -m flows.sot_sync --db-only --execute
        python -m flows.sot_sync --full --execute --qdrant-host embedded
        python -m flows.sot_sync --rebuild-file docs/BUILD_HISTORY.md
    """
    report = draft(Report("sot-sync", execute=execute))
    deadline = Deadline.after(max_seconds)
    with closing(Sync(workspace, mode, execute, deadline)) as sync:
        sync.accept_shrink = accept_shrink
        report.targets = sync.aim(database_url, qdrant_host)
        if rebuild_file is not None:
            data = report.extra_stdout = sot.rebuild(sync, rebuild_file)
            report.extra["rebuilt"] = {
                "path": rebuild_file, "bytes": len(data), "sha256": sha256(data).hexdigest()
            }  # fmt: skip
            return report
        with sync.holding():
            _plan(report, sync)
            if execute:
                _write(report, sync)
    return report.settle()


def _plan(report: Report, sync: Sync) -> None:
    """Read the ledgers and compare them with what the indexes hold; read-only."""
    with report.step("read-ledgers"):
        sot.read_ledgers(sync)
    if sync.uses_database:
        with report.step("compare-database"):
            report.findings += sot.compare(sync)
    with report.step("check-ledgers"):
        report.findings += sot.check_ledgers(sync)
    if sync.uses_vectors and not (sync.execute and sync.uses_database):
        with report.step("compare-vectors"):
            report.findings += sot.compare_vectors(sync)
    describe(report, sync)


def _write(report: Report, sync: Sync) -> None:
    """Write what is planned: the database in one transaction, then the vectors that are behind."""
    sot.refuse(sync.blocked)
    if sync.uses_vectors:
        with report.step("open-qdrant"):
            sot.open_vectors(sync)
    if sync.uses_database:
        with report.step("write-database"):
            record_rows(report, sot.publish(sync) if sync.has_changes else None)
    if sync.uses_vectors:
        try:
            with report.step("write-vectors"):
                record_vectors(report, sot.feed_vectors(sync))
        except Unreachable:
            record_state(report, sync)
            raise
    record_state(report, sync)


if __name__ == "__main__":
    main(sot_sync)

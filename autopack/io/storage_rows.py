"""Runs and approvals of the storage flows in a database: each approval is used up by one run.

The tables are `storage_runs` and `storage_approvals`, in SQLite and PostgreSQL alike. A row of
`storage_approvals` is added in one transaction before anything is moved, and never changed.
`storage_runs` pins the head of a run's journal, which a cut or rewritten journal does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from autopack.errors import Refused
from autopack.io.database import Database
from autopack.storage.journal import Journal

if TYPE_CHECKING:
    from autopack.io.locks import Fence

LOCK = "autopack-storage"

metadata = sa.MetaData()

runs = sa.Table(
    "storage_runs",
    metadata,
    sa.Column("run", sa.Text, primary_key=True),
    sa.Column("report_id", sa.Text, nullable=False),
    sa.Column("approval_id", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("head", sa.Text, nullable=False),
)

approvals = sa.Table(
    "storage_approvals",
    metadata,
    sa.Column("approval_id", sa.Text, primary_key=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False),
    sa.Column("approver", sa.Text, nullable=False),
    sa.Column("used_at", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class Use:
    """An approval that a run uses up: `execute` begins a run, `purge` is of one."""

    approval: str
    action: str
    run: str
    approver: str
    at: str


class Rows:
    """The tables behind one target; `fence()` is held around each commit."""

    def __init__(self, database: Database, fence: Fence) -> None:
        self.database = database
        self.fence = fence

    def consume(self, use: Use) -> bool:
        """Use an approval up; False where this very run has done so before and may go on.

        Raises:
            Refused: Another run has used it up.
        """
        with self.database.writing(LOCK, self.fence) as cx:
            metadata.create_all(cx)
            query = sa.select(approvals).where(approvals.c.approval_id == use.approval)
            row = cx.execute(query).first()
            if row is None:
                cx.execute(sa.insert(approvals), _columns(use))
            elif (row.action, row.run) != (use.action, use.run):
                raise Refused(
                    f"the approval was used up by run {row.run} at {row.used_at}",
                    next_step="approve again: python -m flows.storage_apply approve REPORT",
                )
        return row is None

    def used(self, approval: str) -> bool:
        """Return whether an approval was used up; without the table none was."""
        if self.database.missing():
            return False
        with self.database.reading() as cx:
            if not sa.inspect(cx).has_table(approvals.name):
                return False
            query = sa.select(approvals.c.run).where(approvals.c.approval_id == approval)
            return cx.execute(query).first() is not None

    def pin(self, journal: Journal, state: str) -> None:
        """Keep how far the journal of a run has come, and what the run is."""
        with self.database.writing(LOCK, self.fence) as cx:
            metadata.create_all(cx)
            values = {
                "run": journal.run, "report_id": journal.report, "approval_id": journal.approval,
                "state": state, "seq": journal.seq, "head": journal.head,
            }  # fmt: skip
            insert = _dialect(cx).insert(runs).values(**values)
            told = {name: values[name] for name in ("state", "seq", "head")}
            cx.execute(insert.on_conflict_do_update(index_elements=[runs.c.run], set_=told))

    def check(self, journal: Journal) -> None:
        """Make sure that a journal holds what it held when it was pinned.

        Raises:
            Refused: It was cut or rewritten since.
        """
        if self.database.missing():
            return
        with self.database.reading() as cx:
            if not sa.inspect(cx).has_table(runs.name):
                return
            row = cx.execute(sa.select(runs).where(runs.c.run == journal.run)).first()
        if row is None or (
            row.seq <= journal.seq and row.seq > 0 and journal.heads[row.seq - 1] == row.head
        ):
            return
        raise Refused(
            f"the journal of run {journal.run} is not the one that was kept: its line {row.seq} "
            "was cut off or rewritten",
            next_step="put the journal back from a backup",
        )


def _columns(use: Use) -> dict[str, str]:
    return {
        "approval_id": use.approval, "action": use.action, "run": use.run,
        "approver": use.approver, "used_at": use.at,
    }  # fmt: skip


def _dialect(cx: sa.Connection) -> Any:
    return postgresql if cx.dialect.name == "postgresql" else sqlite

"""Heads of the audit chain in a database: one row each, added and never changed.

The table is `audit_heads`, in SQLite and PostgreSQL alike. Several checkouts may share a database,
so a row says whose it is: the checkout by host and path, the chain by the digest of its first line.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from autopack.audit.chain import Head
from autopack.io.database import Database

metadata = sa.MetaData()

heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("checkout", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("genesis", sa.Text, nullable=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("signature", sa.Text),
)

runs = sa.table("storage_runs", sa.column("run"), sa.column("seq"), sa.column("head"))
"""What is read here of the table of storage runs: how far the journal of each has come."""


@dataclass(frozen=True)
class Row:
    """A head as the database keeps it; `at` is ISO 8601, key and signature are there if signed."""

    checkout: str
    head: Head
    genesis: str
    at: str
    key: str | None = None
    signature: str | None = None


def keep(database: Database, row: Row) -> None:
    """Add a head; one that is there already stays as it is.

    Needs no lock of the workspace: rows are only ever added. Raises what `Database.writing` raises.
    """
    with database.writing("autopack-audit", nullcontext) as cx:
        metadata.create_all(cx)
        dialect: Any = postgresql if cx.dialect.name == "postgresql" else sqlite
        cx.execute(dialect.insert(heads).values(**_columns(row)).on_conflict_do_nothing())


def read(database: Database) -> Sequence[Row]:
    """Return every head, those of other checkouts too; without the table there are none."""
    if database.missing():
        return ()
    with database.reading() as cx:
        if not sa.inspect(cx).has_table(heads.name):
            return ()
        rows = cx.execute(sa.select(heads).order_by(heads.c.seq)).mappings()
        return [_row(row) for row in rows]


def read_runs(database: Database) -> dict[str, Head]:
    """Return the head of the journal of each storage run; without the table there are none."""
    if database.missing():
        return {}
    with database.reading() as cx:
        if not sa.inspect(cx).has_table(runs.name):
            return {}
        rows = cx.execute(sa.select(runs.c.run, runs.c.seq, runs.c.head).where(runs.c.seq > 0))
        return {row.run: Head(row.seq, row.head) for row in rows}


def _columns(row: Row) -> dict[str, Any]:
    return {
        "checkout": row.checkout,
        "seq": row.head.seq,
        "sha256": row.head.sha256,
        "genesis": row.genesis,
        "at": row.at,
        "key": row.key,
        "signature": row.signature,
    }


def _row(found: Any) -> Row:
    values = dict(found)
    return Row(head=Head(values.pop("seq"), values.pop("sha256")), **values)

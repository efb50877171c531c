"""Read failures from a database: the view that an operator defines over tables of any shape."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa

from autopack.io.database import Database

VIEW = "rules_failure_events"
COLUMNS = (
    "run_id", "phase_id", "occurred_at", "error_type", "error_message", "component", "operation",
    "traceback",
)  # fmt: skip
"""All are optional but one of error_type, error_message and traceback."""
MOST = 100_000
"""Rows that are read in one run."""
_BATCH = 1000


def read_view(database: Database) -> tuple[list[dict[str, Any]], bool]:
    """Return the rows of the view, and whether there are more than are read.

    A database without the view, or a SQLite file that does not exist, has no rows.
    """
    if database.missing():
        return [], False
    with database.reading() as cx:
        inspector = sa.inspect(cx)
        if not inspector.has_table(VIEW):
            return [], False
        there = {column["name"].lower() for column in inspector.get_columns(VIEW)}
        rows = list(islice(_rows(cx, [name for name in COLUMNS if name in there]), MOST + 1))
    database.deadline.check(f"reading {VIEW}")
    return rows[:MOST], len(rows) > MOST


def _rows(cx: sa.Connection, names: list[str]) -> Iterator[dict[str, Any]]:
    if names:
        view = sa.table(VIEW, *(sa.column(name) for name in names))
        found = cx.execution_options(yield_per=_BATCH).execute(sa.select(*view.c))
        yield from (dict(row) for row in found.mappings())

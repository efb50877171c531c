"""Failures that a database tells of, on both kinds of database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from autopack.deadline import Deadline
from autopack.io import failure_view
from autopack.io.database import Database
from autopack.io.failure_view import VIEW, read_view
from autopack.settings import database_target


@pytest.fixture
def database(url, tmp_path):
    made = Database(database_target(url, tmp_path, {}), Deadline.after(60))
    yield made
    made.close()


@pytest.fixture
def run_sql(database):
    """Return `run_sql(*statements)`: what an operator does to the database."""

    def run(*statements: str) -> None:
        engine = sa.create_engine(database.target.url)
        with engine.begin() as cx:
            for statement in statements:
                cx.exec_driver_sql(statement)
        engine.dispose()

    return run


TABLE = "CREATE TABLE phase (run TEXT, name TEXT, failed_at TEXT, reason TEXT)"
ROW = "INSERT INTO phase VALUES ('r1', 'p1', '2031-01-02T03:04:05+00:00', 'prompt too long')"
DEFINED = (
    f"CREATE VIEW {VIEW} AS SELECT run AS run_id, name AS phase_id, failed_at AS occurred_at, "
    "reason AS error_message, 1 AS other FROM phase"
)


def test_a_view_over_any_table_is_read_by_the_names_of_its_columns(database, run_sql):
    run_sql(TABLE, ROW, DEFINED)
    assert read_view(database) == (
        [
            {
                "run_id": "r1", "phase_id": "p1", "occurred_at": "2031-01-02T03:04:05+00:00",
                "error_message": "prompt too long",
            }
        ],
        False,
    )  # fmt: skip


def test_a_database_without_the_view_has_no_rows(database, run_sql):
    run_sql(TABLE, ROW)
    assert read_view(database) == ([], False)


def test_a_view_with_no_known_column_has_no_rows(database, run_sql):
    run_sql(TABLE, ROW, f"CREATE VIEW {VIEW} AS SELECT run AS foreign_name FROM phase")
    assert read_view(database) == ([], False)


def test_more_rows_than_are_read_are_told(database, run_sql, monkeypatch):
    monkeypatch.setattr(failure_view, "MOST", 2)
    run_sql(TABLE, ROW, ROW, ROW, DEFINED)
    rows, more = read_view(database)
    assert (len(rows), more) == (2, True)


def test_a_sqlite_file_that_does_not_exist_is_not_made(tmp_path):
    target = database_target(f"sqlite:///{tmp_path}/none.db", tmp_path, {})
    assert read_view(Database(target, Deadline.after(60))) == ([], False)
    assert not (tmp_path / "none.db").exists()

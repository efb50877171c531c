"""A database that is busy, full, damaged, foreign, or left behind by a killed writer."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Busy, DeadlineExceeded, Refused, Unreachable, UsageError
from autopack.io import schema
from autopack.io.database import Database
from autopack.io.sql import Index
from autopack.settings import Target, database_target
from tests.autopack.io.index import ledger, rebuilt, rows, sync, write


def test_a_newer_schema_is_refused_with_instructions(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    sync(open_index(), tmp_path)
    with open_index().database.writing("x", nullcontext) as cx:
        cx.execute(schema.meta.update().values(value="99"))
    with pytest.raises(Refused, match=r"schema 99, this program knows 1.*update this checkout"):
        sync(open_index(), tmp_path)


def test_an_older_schema_is_rebuilt(open_index, tmp_path: Path, monkeypatch) -> None:
    write(tmp_path, ledger(5))
    sync(open_index(), tmp_path)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", 2)
    write(tmp_path, ledger(6))
    sync(open_index(), tmp_path)
    assert rebuilt(open_index()) == ledger(6).encode()
    assert sync(open_index(), tmp_path) is None


def test_other_tools_tables_are_left_alone(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    with open_index().database.writing("x", nullcontext) as cx:
        cx.exec_driver_sql("CREATE TABLE sot_entries (id INTEGER)")
        cx.exec_driver_sql("INSERT INTO sot_entries VALUES (7)")
    sync(open_index(), tmp_path)
    assert rows(open_index(), "SELECT id FROM sot_entries") == [(7,)]


def test_a_database_locked_by_another_writer_is_busy(url: str, tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    target = database_target(url, tmp_path, {})
    holder, waiter = Database(target, Deadline.after(60)), Index(target, Deadline.after(1.5))
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with holder.writing("autopack-sot", nullcontext) as cx:
            cx.exec_driver_sql("CREATE TABLE held (id INTEGER)")
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert inside.wait(30)
        with pytest.raises(Busy, match="locked by another writer"):
            sync(waiter, tmp_path)
    finally:
        leave.set()
        thread.join()


def test_a_passed_deadline_stops_before_the_commit(open_index, tmp_path: Path, url: str) -> None:
    write(tmp_path, ledger(5))
    now = [0.0]
    index = Index(database_target(url, tmp_path, {}), Deadline.after(60, clock=lambda: now[0]))

    def pass_time(_planned: object) -> None:
        now[0] = 61.0

    with pytest.raises(DeadlineExceeded):
        sync(index, tmp_path, pass_time)
    assert open_index().state().head is None


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    (tmp_path / "autopack.db").write_bytes(b"not a database, " * 100)
    index = Index(database_target(None, tmp_path, {}), Deadline.after(60))
    with pytest.raises(Unreachable, match=r"not a database.*move .* aside"):
        sync(index, tmp_path)


@pytest.mark.parametrize("table", ["sot_outbox", "sot_meta"])
def test_an_index_that_lacks_a_table_says_how_it_is_made_anew(
    open_index, tmp_path: Path, table: str
) -> None:
    write(tmp_path, ledger(5))
    sync(open_index(), tmp_path)
    with open_index().database.writing("x", nullcontext) as cx:
        cx.exec_driver_sql(f"DROP TABLE {table}")
    with pytest.raises(Unreachable) as failed:
        sync(open_index(), tmp_path)
    assert failed.value.next_step.startswith("drop the sot_ tables")


def test_a_read_only_database_file_says_so(tmp_path: Path) -> None:
    write(tmp_path, ledger(5))
    missing = Target(f"sqlite:///{tmp_path}/no/such/folder/x.db", "sqlite:///x.db", "test")
    with pytest.raises(Unreachable, match="unable to open database file"):
        sync(Index(missing, Deadline.after(60)), tmp_path)


def test_a_full_disk_leaves_the_previous_generation(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path, ledger(50))
    index = Index(database_target(None, tmp_path, {}), Deadline.after(60))
    sync(index, tmp_path)
    write(tmp_path, ledger(5000))
    real = sqlite3.connect

    def small(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection = real(*args, **kwargs)  # type: ignore[arg-type,call-overload]
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 5}")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(Unreachable, match=r"full.*free disk space"):
        sync(index, tmp_path)
    monkeypatch.setattr(sqlite3, "connect", real)
    assert rebuilt(index) == ledger(50).encode()


def test_rows_that_are_gone_are_noticed_and_loaded_anew(open_index, tmp_path: Path) -> None:
    write(tmp_path, ledger(50))
    sync(open_index(), tmp_path)
    with open_index().database.writing("x", nullcontext) as cx:
        cx.exec_driver_sql("DELETE FROM sot_segment WHERE ident = 'BUILD-7'")
    published = sync(open_index(), tmp_path)
    assert published
    assert (published.inserted, published.deleted) == (51, 50)
    assert rebuilt(open_index()) == ledger(50).encode()


KILLED = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE sot_blob SET content = zeroblob(300)")
assert os.path.getsize(sys.argv[1] + "-journal") > 0
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_writer_killed_with_a_hot_journal_is_rolled_back(tmp_path: Path) -> None:
    write(tmp_path, ledger(2000))
    index = Index(database_target(None, tmp_path, {}), Deadline.after(60))
    sync(index, tmp_path)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "autopack.db")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "autopack.db-journal").exists()
    assert sync(index, tmp_path) is None
    assert rebuilt(index) == ledger(2000).encode()
    assert not (tmp_path / "autopack.db-journal").exists()


def test_an_option_that_the_database_does_not_know_is_a_usage_error(
    fresh_postgres: str, tmp_path: Path
) -> None:
    index = Index(database_target(f"{fresh_postgres}?bogus=1", tmp_path, {}), Deadline.after(60))
    with pytest.raises(UsageError, match="bogus"):
        index.state()

"""An approval is used up once, by one run, whoever asks and however often."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io.database import Database
from autopack.io.storage_rows import Rows, Use
from autopack.settings import Target
from autopack.storage.journal import Journal

USE = Use("sha256:" + "ab" * 32, "execute", "r1", "Ada Lovelace", "2026-03-01T12:00:00+00:00")


@pytest.fixture(params=["sqlite", "postgresql"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/x.db"
    else:
        url = request.getfixturevalue("fresh_postgres").replace(
            "postgresql://", "postgresql+psycopg://"
        )
    return Rows(Database(Target(url, "db", "test"), Deadline.after(600)), nullcontext)


def test_an_approval_is_used_up_once_and_its_own_run_may_go_on(rows: Rows) -> None:
    assert not rows.used(USE.approval)
    assert rows.consume(USE)
    assert rows.used(USE.approval)
    assert not rows.consume(replace(USE, at="later"))
    for other in (replace(USE, run="r2"), replace(USE, action="purge")):
        with pytest.raises(Refused, match="used up by run r1 at 2026-03-01"):
            rows.consume(other)


def test_of_many_at_once_one_uses_it_up(rows: Rows) -> None:
    won: list[str] = []

    def race(run: str) -> None:
        mine = Rows(Database(rows.database.target, Deadline.after(600)), nullcontext)
        try:
            mine.consume(replace(USE, run=run))
            won.append(run)
        except Refused:
            pass
        finally:
            mine.database.close()

    racers = [threading.Thread(target=race, args=(f"r{n}",)) for n in range(8)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len(won) == 1


def journal(*heads: str) -> Journal:
    return Journal("r1", "sha256:" + "cd" * 32, USE.approval, heads=heads)


def test_a_journal_that_was_cut_or_rewritten_is_told_from_one_that_went_on(rows: Rows) -> None:
    rows.check(journal("a"))
    rows.pin(journal("a", "b"), "begun")
    rows.check(journal("a", "b"))
    rows.check(journal("a", "b", "c"))
    for other in (journal("a"), journal("a", "x"), journal("a", "x", "c"), journal()):
        with pytest.raises(Refused, match="its line 2 was cut off or rewritten"):
            rows.check(other)
    rows.pin(journal("a", "b", "c"), "complete")
    with pytest.raises(Refused, match="line 3"):
        rows.check(journal("a", "b"))

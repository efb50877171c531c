"""The history of looks: appended whole, shortened, and never a reason to stop."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from autopack.errors import Unreachable
from autopack.health import history
from autopack.health.history import Look
from autopack.io import health_history
from autopack.state_files import HEALTH

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def look(n: int) -> Look:
    return Look(NOW + timedelta(minutes=n), {"drifts": float(n)})


def test_what_is_kept_is_read(tmp_path) -> None:
    assert health_history.read(tmp_path) == ([], 0)
    for n in range(3):
        health_history.keep(tmp_path, look(n))
    assert health_history.read(tmp_path) == ([look(n) for n in range(3)], 0)


def test_a_line_that_was_cut_short_costs_only_itself(tmp_path) -> None:
    health_history.keep(tmp_path, look(0))
    with (tmp_path / HEALTH).open("a") as file:
        file.write('{"at": "2026-01-')
    health_history.keep(tmp_path, look(1))
    assert health_history.read(tmp_path) == ([look(0), look(1)], 1)


def test_the_oldest_looks_go_when_there_are_too_many(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(health_history, "MOST", 20)
    for n in range(30):
        health_history.keep(tmp_path, look(n))
    looks, bad = health_history.read(tmp_path)
    assert not bad
    assert looks[-1] == look(29)
    assert 20 <= len(looks) <= 22
    assert history.MOST > 100


def test_a_crash_while_the_oldest_go_loses_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(health_history, "MOST", 20)
    for n in range(22):
        health_history.keep(tmp_path, look(n))

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash:
        crash.setattr(health_history.os, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            health_history.keep(tmp_path, look(22))
    assert health_history.read(tmp_path)[0][-1] == look(21)
    health_history.keep(tmp_path, look(23))
    assert health_history.read(tmp_path)[0][-1] == look(23)
    assert [path.name for path in (tmp_path / HEALTH).parent.iterdir()] == [Path(HEALTH).name]


def test_whoever_waited_while_the_oldest_went_keeps_its_look(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(health_history, "MOST", 10)
    threads = [Thread(target=health_history.keep, args=(tmp_path, look(n))) for n in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    looks, bad = health_history.read(tmp_path)
    assert not bad
    assert 10 <= len(looks) <= 11
    names = [path.name for path in (tmp_path / HEALTH).parent.iterdir()]
    assert names == [Path(HEALTH).name]


@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_what_is_no_file_is_neither_waited_for_nor_followed(kind, tmp_path) -> None:
    (tmp_path / HEALTH).parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(tmp_path / HEALTH)
    else:
        (tmp_path / "other").write_text("")
        (tmp_path / HEALTH).symlink_to(tmp_path / "other")
    for use in (
        lambda: health_history.read(tmp_path),
        lambda: health_history.keep(tmp_path, look(0)),
    ):
        with pytest.raises(Unreachable, match=r"health\.jsonl"):
            use()


def test_two_at_once_lose_nothing(tmp_path) -> None:
    threads = [Thread(target=health_history.keep, args=(tmp_path, look(n))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert health_history.read(tmp_path) == ([look(n) for n in range(20)], 0)


def test_a_history_that_cannot_be_written_says_so(tmp_path) -> None:
    (tmp_path / HEALTH).mkdir(parents=True)
    with pytest.raises(Unreachable, match=r"health\.jsonl"):
        health_history.keep(tmp_path, look(0))
    with pytest.raises(Unreachable, match=r"health\.jsonl"):
        health_history.read(tmp_path)

"""A Prefect home without room or permission: one line, exit 4, and no process stays behind."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autopack.errors import Unreachable
from deployments import server


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    return tmp_path


def test_a_disk_without_room_is_said_before_a_server_starts(home, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.setenv("PREFECT_SERVER_API_PORT", "9")
    monkeypatch.setattr(server.shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 2**20))
    monkeypatch.setattr(server, "_refuse_taken", lambda _: None)

    def work() -> Any:
        with server.only_one() as fd:
            return server.ensure(fd, 0.0)

    assert server.reported(work) == 4
    assert capsys.readouterr().err == (
        f"{home} has 3 MB free, and a Prefect server needs 64. "
        "Next: make room there, or set PREFECT_HOME to a folder on another disk\n"
    )


def test_a_home_that_cannot_be_made_is_4_in_one_line(home, monkeypatch, capsys) -> None:
    (home / "file").touch()
    monkeypatch.setenv("PREFECT_HOME", str(home / "file" / "prefect"))

    def work() -> Any:
        with server.only_one():
            return 0

    assert server.reported(work) == 4
    said = capsys.readouterr().err
    assert said.startswith(f"{home / 'file' / 'prefect'}: Not a directory. Next: PREFECT_HOME is ")
    assert said.count("\n") == 1


def test_a_bug_is_70_and_leaves_its_traceback_in_a_file(capsys) -> None:
    def work() -> int:
        raise ValueError("odd")

    assert server.reported(work) == 70
    said = capsys.readouterr().err
    assert said.startswith("bug: ValueError: odd. Next: report it with the traceback in ")
    Path(said.split()[-1]).unlink()


def test_a_server_whose_record_cannot_be_written_does_not_stay(home, monkeypatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def sleeping(_line: list[str], **how: Any) -> subprocess.Popen[bytes]:
        started.append(real(["sleep", "60"], **how))
        return started[0]

    def full(_fd: int, station: server.Station | None) -> None:
        if station:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr(server.subprocess, "Popen", sleeping)
    monkeypatch.setattr(server, "write", full)
    with pytest.raises(OSError, match="No space left"):
        server._start(0, "me", "http://127.0.0.1:9/api", 0.0)
    assert started[0].wait(10) is not None


def test_without_a_server_the_advice_is_one_that_can_be_followed(monkeypatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(Unreachable) as error:
        server.answering()
    assert "--engine" not in str(error.value), "these commands have no such flag"

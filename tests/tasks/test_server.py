"""Servers: the probe, a temporary one, and what kill -9 leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tasks import leftovers, server
from tests.support.loopback import Quiet, listening
from tests.support.prefect_fixtures import PrefectServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path


def start(workspace: Path, *words: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.toy_flow", "--workspace", str(workspace)]
    return subprocess.Popen(
        [*command, "--json", *words],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(child: subprocess.Popen[bytes]) -> tuple[int, Any, str]:
    out, err = child.communicate(timeout=120)
    return child.returncode, json.loads(out) if out else None, err.decode()


def wait_for(what: Any, limit: float = 60.0) -> Any:
    until = time.monotonic() + limit
    while not (got := what()):
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)
    return got


# --- the probe ------------------------------------------------------------------------------


@contextmanager
def peer(answer: bytes | None) -> Iterator[str]:
    """A peer that answers every request alike, or accepts and never answers."""
    door = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve() -> None:
        while True:
            try:
                connection, _ = door.accept()
            except OSError:
                return
            held.append(connection)
            if answer is not None:
                connection.recv(4096)
                connection.sendall(answer)
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}/api"
    door.shutdown(socket.SHUT_RDWR)
    door.close()
    for connection in held:
        connection.close()


HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\ntrue"


@pytest.mark.parametrize(
    "answer",
    [None, b"", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-x\r\n", HEALTHY],
    ids=["silent", "closes", "404", "not-http", "healthy-but-not-prefect"],
)
def test_the_probe_takes_nothing_else_for_prefect(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | None
) -> None:
    with peer(answer) as url:
        monkeypatch.setenv("PREFECT_API_URL", url)
        assert server.answers() is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "nonsense", "http://[::1", "ftp://x"])
def test_a_bad_address_is_no_server(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    assert server.answers() is None


def test_the_probe_knows_prefect(
    prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_server.url)
    assert server.answers() == prefect_server.url


class Slow(Quiet):
    """Prefect on a machine that is busy."""

    def do_GET(self) -> None:
        """Answer after a while."""
        time.sleep(2 * server.PROBE_S)
        said = b"true" if self.path.endswith("/health") else b'"3.0.0"'
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


def test_a_server_that_is_named_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(Slow) as address:
        monkeypatch.setenv("PREFECT_API_URL", f"http://{address}/api")
        assert server.answers() == f"http://{address}/api"
        assert server.best(60.0, alone="direct") == "server"
        monkeypatch.delenv("PREFECT_API_URL")
        monkeypatch.setenv("PREFECT_SERVER_API_PORT", address.rpartition(":")[2])
        assert server.answers() is None


def test_a_run_that_ends_soon_waits_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    waits = [server.patience(left) for left in (3600.0, 4.0, 0.1)]
    assert waits == [server.ASKED_FOR_S, 1.0, server.PROBE_S]


def test_asking_for_a_server_that_is_not_there_is_4(
    prefect_server: PrefectServer, workspace: Path
) -> None:
    env = prefect_server.env_without()
    code, report, err = finish(start(workspace, "--engine", "server", env=env))
    assert code == report["exit_code"] == 4
    assert err.startswith("toy: no Prefect server answers at http://127.0.0.1:9/api. Next:")
    assert err.count("\n") == 1


# --- a run on a server ----------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["server", "temporary"])
def test_a_run_is_recorded(prefect_server: PrefectServer, workspace: Path, engine: str) -> None:
    url = "postgresql://bob:hunter2@nowhere/db"
    env = prefect_server.env(TOY="print", PREFECT_PROFILE="ephemeral")
    words = ("--execute", "--engine", engine, "--database-url", url)
    code, report, err = finish(start(workspace, *words, env=env))
    assert (code, err) == (0, "loose words postgresql://bob:***@nowhere/db\n")
    assert report["engine"] == engine
    run = prefect_server.run_of(workspace)
    assert (run["id"], run["state_type"]) == (report["flow_run_id"], "COMPLETED")
    assert run["parameters"]["database_url"] == "postgresql://bob:***@nowhere/db"
    assert "rebuild_file" not in run["parameters"]
    logs = prefect_server.post(
        "/logs/filter", {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "limit": 50}
    )
    assert any("Finished in state" in log["message"] for log in logs), "logs arrive before the end"
    for file in prefect_server.home.glob("prefect.db*"):
        assert b"hunter2" not in file.read_bytes()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_stopped_run_ends_crashed_and_leaves_no_process(
    prefect_server: PrefectServer, workspace: Path, number: int, code: int
) -> None:
    child = start(workspace, "--engine", "temporary", env=prefect_server.env(TOY="sleep"))
    wait_for((workspace / "asleep").exists)
    (temporary,) = psutil.Process(child.pid).children()
    child.send_signal(number)
    assert finish(child)[0] == code
    temporary.wait(30)
    run = prefect_server.run_of(workspace)
    assert run["state_type"] == "CRASHED"
    if number == signal.SIGKILL:
        assert run["state"]["message"] == "the process of this run ended without closing it"


@pytest.mark.parametrize("after", [0.3, 1.5, 3.0])
def test_kill_9_while_the_server_starts_leaves_no_process(
    prefect_server: PrefectServer, workspace: Path, after: float
) -> None:
    child = start(workspace, "--engine", "temporary", env=prefect_server.env(TOY="sleep"))
    temporary = wait_for(lambda: psutil.Process(child.pid).children())[0]
    time.sleep(after)
    child.kill()
    child.communicate()
    temporary.wait(30)


def test_the_next_run_closes_what_a_dead_server_and_its_dead_parent_left(
    prefect_server: PrefectServer, workspace: Path
) -> None:
    child = start(workspace, "--engine", "temporary", env=prefect_server.env(TOY="sleep"))
    wait_for((workspace / "asleep").exists)
    (temporary,) = psutil.Process(child.pid).children()
    temporary.kill()
    child.kill()
    child.communicate()
    temporary.wait(30)
    assert prefect_server.run_of(workspace)["state_type"] == "RUNNING"
    assert leftovers.sweep(prefect_server.url, limit=20) == 1
    assert prefect_server.run_of(workspace)["state_type"] == "CRASHED"


def test_a_live_run_is_left_alone(prefect_server: PrefectServer, workspace: Path) -> None:
    child = start(workspace, "--engine", "server", env=prefect_server.env(TOY="sleep"))
    wait_for((workspace / "asleep").exists)
    assert leftovers.sweep(prefect_server.url, limit=20) == 0
    assert prefect_server.run_of(workspace)["state_type"] == "RUNNING"
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    second = workspace / "second"
    (second / "docs").mkdir(parents=True)
    assert finish(start(second, "--engine", "server", env=prefect_server.env()))[0] == 0
    assert prefect_server.run_of(workspace)["state_type"] == "CRASHED"


def test_a_run_of_a_deployment_is_known_by_its_label(prefect_server: PrefectServer) -> None:
    dead, live = prefect_server.torn(), prefect_server.open_run(labels={"theirs": 1})
    leftovers.sign(prefect_server.url, live, limit=20)
    assert leftovers.sweep(prefect_server.url, limit=20) == 1
    assert prefect_server.get(f"/flow_runs/{dead}")["state_type"] == "CRASHED"
    left = prefect_server.get(f"/flow_runs/{live}")
    assert left["state_type"] == "RUNNING"
    mine = {"theirs": 1, leftovers.LABEL: leftovers.this_process().tag}
    assert left["labels"].items() >= mine.items()
    done = {"state": {"type": "COMPLETED"}}
    prefect_server.post(f"/flow_runs/{live}/set_state", done)


def test_a_stuck_run_ends_at_its_deadline_and_is_closed(
    prefect_server: PrefectServer, workspace: Path
) -> None:
    env = prefect_server.env(TOY="c")
    child = start(workspace, "--engine", "server", "--max-seconds", "15", env=env)
    code, report, err = finish(child)
    assert code == report["exit_code"] == 3
    assert err.startswith("toy: --max-seconds 15 ran out")
    leftovers.sweep(prefect_server.url, limit=20)
    assert prefect_server.run_of(workspace)["state_type"] == "CRASHED"


def test_a_server_that_goes_silent_does_not_outlast_the_deadline(workspace: Path) -> None:
    with peer(None) as url:
        env = {**os.environ, "PREFECT_API_URL": url}
        began = time.monotonic()
        child = start(workspace, "--engine", "server", "--max-seconds", "2", env=env)
        code = finish(child)[0]
    assert code in (3, 4)
    assert time.monotonic() - began < 20


def test_a_server_that_cannot_start_is_4(prefect_server: PrefectServer, workspace: Path) -> None:
    env = prefect_server.env(PREFECT_API_DATABASE_CONNECTION_URL="sqlite+aiosqlite:////proc/no.db")
    code, report, err = finish(start(workspace, "--engine", "temporary", env=env))
    assert code == report["exit_code"] == 4
    assert err.startswith("toy: the temporary Prefect server did not start: ")
    assert err.count("\n") == 1


# --- who is dead ----------------------------------------------------------------------------


def test_this_process_is_alive_and_others_are_not_guessed() -> None:
    me = leftovers.this_process()
    assert leftovers.is_dead(me.tag) is False
    assert leftovers.is_dead(f"process:{me.place}:{me.pid}:{me.start + 1}") is True
    assert leftovers.is_dead(f"process:elsewhere:{me.place.partition(':')[2]}:1:1") is None
    assert leftovers.is_dead("lock:docs") is None
    host, boot, namespace = me.place.split(":")
    assert leftovers.is_dead(f"process:{host}:00000000:{namespace}:{me.pid}:{me.start}") is True
    assert leftovers.is_dead(f"process:{host}:{boot}:1:{me.pid}:{me.start}") is None


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    wait_for(lambda: leftovers.started(child.pid) is None)
    child.wait()

"""One real Prefect server per test session, used by in-process flows and by child processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments import limits
from tasks import api, leftovers, server
from tests.support.prefect_home import furnish
from tests.support.process import stop


@dataclass(frozen=True)
class PrefectServer:
    """Where the server answers, and the home whose database a temporary server shares."""

    url: str
    home: Path

    def env(self, **more: str) -> dict[str, str]:
        """Return the environment of a child process that talks to this server."""
        return {**os.environ, "PREFECT_HOME": str(self.home), "PREFECT_API_URL": self.url, **more}

    def env_without(self, **more: str) -> dict[str, str]:
        """Return the environment of a child process that finds no server."""
        return self.env(PREFECT_API_URL="http://127.0.0.1:9/api", **more)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON answer of one API call."""
        until = time.monotonic() + 30
        status, answer = api.call(self.url, path, until, body)
        while status == 503:  # another server holds SQLite's lock for a moment
            time.sleep(0.1)
            status, answer = api.call(self.url, path, until, body)
        assert status < 300, (status, answer)
        return answer

    def get(self, path: str) -> Any:
        """Return the JSON answer of one API call."""
        return api.call(self.url, path, time.monotonic() + 20)[1]

    def open_run(self, flow: str = "made-by-hand", kind: str = "RUNNING", **more: Any) -> str:
        """Make a run of a flow in this state, and return its ID."""
        state = {"type": kind, "name": kind.capitalize()}
        run = {"flow_id": self.post("/flows/", {"name": flow})["id"], "state": state, **more}
        return str(self.post("/flow_runs/", run)["id"])

    def torn(self) -> str:
        """Make the open run of a process that was on this machine, and return its ID."""
        child = subprocess.Popen(["sleep", "600"])
        tag = leftovers.process(child.pid).tag
        child.kill()
        child.wait()
        return self.open_run(labels={leftovers.LABEL: tag})

    def run_of(self, workspace: Path) -> dict[str, Any]:
        """Return the newest flow run whose workspace this is."""
        runs = self.post("/flow_runs/filter", {"sort": "EXPECTED_START_TIME_DESC", "limit": 50})
        return next(run for run in runs if run["parameters"].get("workspace") == str(workspace))


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A fresh database and a real server; in-process flows use it too, without heartbeats."""
    home = furnish(tmp_path_factory.mktemp("prefect-home"))
    # What was sent is kept soon: a test that waits for an event does not wait for Prefect's 5 s.
    soon = {"PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "0.5"}
    env = {**os.environ, "PREFECT_HOME": str(home), **soon}
    running = server.launch("process:test-session", env)
    try:
        from prefect.settings import (
            PREFECT_API_URL,
            PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
            PREFECT_HOME,
            temporary_settings,
        )

        running.wait(time.monotonic() + 90)
        with temporary_settings(
            {
                PREFECT_API_URL: running.url,
                PREFECT_HOME: home,
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
            }
        ):
            limits.create()  # a run on a server takes a slot of each, and refuses without
            yield PrefectServer(running.url, home)
            _drain()
    finally:
        running.stop()


def _drain() -> None:
    """Send the last logs and events while the server is still there."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all()
    EventsWorker.drain_all()


@dataclass(frozen=True)
class FullServer:
    """A Prefect server with all its services, automations among them."""

    url: str
    env: dict[str, str]
    log: Path

    def soon(self, holds: Callable[[], Any], seconds: float) -> Any:
        """Return what `holds()` gives once it is something, or what it gives at the end."""
        ends = time.monotonic() + seconds
        while not (got := holds()) and time.monotonic() < ends:
            time.sleep(0.3)
        return got

    def until(self, holds: Callable[[], Any], seconds: float = 90.0) -> Any:
        """Return what `holds()` gives once it is something; without it, show the server's log."""
        got = self.soon(holds, seconds)
        assert got, f"not in {seconds:g} s\n{self.log.read_text()[-6000:]}"
        return got

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON answer of one API call."""
        status, answer = api.call(self.url, path, time.monotonic() + 30, body)
        assert status < 300, (status, answer)
        return answer

    def ask_to(self, path: str, method: str, body: dict[str, Any]) -> None:
        """Make one API call that is neither GET nor POST."""
        import httpx

        httpx.request(method, self.url + path, json=body, timeout=30).raise_for_status()


@pytest.fixture
def full_server(tmp_path: Path) -> Iterator[FullServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    env = {
        **os.environ,
        "PREFECT_HOME": str(furnish(tmp_path / "prefect")),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_SERVER_LEVEL": "INFO",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
    }
    serving = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (tmp_path / "server.log").open("w+") as log:
        child = subprocess.Popen(
            [*serving, "--no-ui"], env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            until = time.monotonic() + 90
            while not _healthy(url):
                assert child.poll() is None, (tmp_path / "server.log").read_text()
                assert time.monotonic() < until, (tmp_path / "server.log").read_text()
                time.sleep(0.2)
            yield FullServer(url, env, tmp_path / "server.log")
        finally:
            stop(child, signal.SIGINT)


def _healthy(url: str) -> bool:
    try:
        return api.call(url, "/health", time.monotonic() + 1)[0] == 200
    except api.NoAnswer:
        return False

"""A count check that finds drift starts a sync, through a real server's automation."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tasks import api
from tests.support.process import stop

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class FullServer:
    """A Prefect server with all its services, automations among them."""

    url: str
    env: dict[str, str]

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """Return the JSON answer of one API call."""
        status, answer = api.call(self.url, path, time.monotonic() + 30, body)
        assert status < 300, (status, answer)
        return answer


@pytest.fixture
def full_server(tmp_path: Path) -> Iterator[FullServer]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    env = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
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
            yield FullServer(url, env)
        finally:
            stop(child, signal.SIGINT)


def _healthy(url: str) -> bool:
    try:
        return api.call(url, "/health", time.monotonic() + 1)[0] == 200
    except api.NoAnswer:
        return False


def test_drift_starts_a_sync(full_server: FullServer, make_workspace, run_flow) -> None:
    full_server.ask("/work_pools/", {"name": "autopack", "type": "process"})
    deploy = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        deploy, cwd=ROOT, env=full_server.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    drifted = "# B\n\n<!-- META\nTotal_Builds: 9\n-->\n\n## BUILD-001: one\n"
    root = make_workspace({"docs/BUILD_HISTORY.md": drifted})
    checked = run_flow(
        "sot_counts", "--workspace", root, "--engine", "server", "--json",
        env={k: full_server.env[k] for k in ("PREFECT_HOME", "PREFECT_API_URL")},
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert "meta_drift" in {finding["code"] for finding in checked.report["findings"]}
    until = time.monotonic() + 60
    started: list[Any] = []
    while not started and time.monotonic() < until:
        wanted = {"deployments": {"name": {"any_": ["every-15-minutes"]}}}
        runs = full_server.ask("/flow_runs/filter", wanted)
        started = [run for run in runs if run["created_by"]["type"] == "AUTOMATION"]
        time.sleep(0.3)
    assert [run["parameters"]["mode"] for run in started] == ["db-only"]
    assert [run["parameters"]["workspace"] for run in started] == [str(root)]

"""However preflight ends, every command ends with it, and all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.support import session
from tests.support.preflight import (
    all_gone,
    family,
    manifest,
    put,
    python,
    statuses,
)


def test_a_hanging_check_is_ended_with_all_that_it_started(flight, make_workspace) -> None:
    root = make_workspace()
    table, out = family(root, timeout=3)
    put(root, "preflight.toml", manifest(table))
    done = flight(root)
    assert (statuses(done), done.returncode) == ({"family": "timeout"}, 1)
    assert done.report["findings"][0]["code"] == "family/timeout"
    assert all_gone([int(pid) for pid in out.read_text().split()])


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_check(how, code, make_workspace) -> None:
    root = make_workspace()
    table, out = family(root, timeout=600)
    put(root, "preflight.toml", manifest(table))
    words = ["-m", "flows.preflight", "--engine", "direct", "--workspace", str(root)]
    child = subprocess.Popen(
        [sys.executable, *words], cwd=session.REPOSITORY, env=session.clean_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 60
    while not out.exists() and time.monotonic() < until:
        time.sleep(0.05)
    child.send_signal(how)
    assert child.wait(60) == code
    assert all_gone([int(pid) for pid in out.read_text().split()])


def test_the_deadline_ends_every_check(flight, make_workspace) -> None:
    root = make_workspace()
    table, out = family(root, timeout=600)
    put(root, "preflight.toml", manifest(table))
    done = flight(root, "--max-seconds", "4")
    assert done.returncode == 3
    assert "--max-seconds 4 ran out" in done.report["message"]
    assert all_gone([int(pid) for pid in out.read_text().split()])


def test_no_secret_of_the_environment_is_shown(run_flow, make_workspace) -> None:
    leak = "import os; print('password', os.environ['APP_PASSWORD']); raise SystemExit(1)"
    root = make_workspace({"preflight.toml": manifest(python("leak", leak, stream=True))})
    words = ("--engine", "direct", "--workspace", root)
    done = run_flow("preflight", *words, env={"APP_PASSWORD": "hunter2hunter2"})
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr
    assert "password ***" in done.stdout
    assert os.environ.get("APP_PASSWORD") is None

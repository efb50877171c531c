"""However preflight ends, every command ends with it, and all that it started."""

from __future__ import annotations

import html
import os
import signal
import subprocess
import sys
import time

import pytest

from flows.command import FORMATS
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


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
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


SECRETS = {"text": "p&1<2\"x%y,z:q'w", "cut": "S" * 30}


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_spells_a_secret_in_its_own_way(form, run_flow, make_workspace) -> None:
    leak = "import os; print('x' * 195 + os.environ['CUT_TOKEN'], os.environ['APP_PASSWORD'])"
    root = make_workspace(
        {"preflight.toml": manifest(python("leak", f"{leak}; raise SystemExit(1)"))}
    )
    words = ("--engine", "direct", "--workspace", root, "--format", form)
    env = {"APP_PASSWORD": SECRETS["text"], "CUT_TOKEN": SECRETS["cut"]}
    done = run_flow("preflight", *words, env=env)
    assert done.returncode == 1
    said = html.unescape(done.stdout.replace("\\", "").replace("%25", "%")) + done.stderr
    assert "***" in said
    assert "p&1" not in said
    assert "SSS" not in said

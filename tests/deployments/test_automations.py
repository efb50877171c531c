"""What happens by itself: drift starts a sync, a stuck lock a look, a failure tells people."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.loopback import Quiet, listening
from tests.support.prefect_fixtures import FullServer
from tests.support.process import Finished, run_bounded, stop
from tests.support.session import clean_environment

ROOT = Path(__file__).resolve().parents[2]
DRIFTED = "# B\n\n<!-- META\nTotal_Builds: 9\n-->\n\n## BUILD-001: one\n"
BLOCK = "custom-webhook/operators"
HOLDS = """
import sys, time
from pathlib import Path
from autopack.deadline import Deadline
from autopack.io.locks import MultiLock, Owner
with MultiLock(Path(sys.argv[1]), {"docs": "exclusive"}, Owner("stuck"), Deadline.after(60)):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def heard() -> Iterator[tuple[str, list[str]]]:
    """The address of a peer that people would read, and what it was told."""
    told: list[str] = []

    class Peer(Quiet):
        def do_POST(self) -> None:
            told.append(self.body().decode())
            self.send_response(200)
            self.end_headers()

    with listening(Peer) as peer:
        yield f"http://{peer}/", told


@pytest.fixture
def stuck(make_workspace) -> Iterator[Path]:
    """A workspace whose `docs` is held by a process that is stopped."""
    root = make_workspace({"docs/BUILD_HISTORY.md": DRIFTED})
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(root)], cwd=ROOT, env=clean_environment(),
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout
        assert child.stdout.readline() == b"held\n"
        child.send_signal(signal.SIGSTOP)
        yield root
    finally:
        stop(child, signal.SIGKILL)


def make_block(full_server: FullServer, address: str) -> None:
    """Make the block that people are told by."""
    block = (
        "from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block; "
        f"Block(name='operators', url={address!r}, method='POST', "
        "json_data={'text': '{{subject}} | {{body}}'}).save('operators')"
    )
    env = {**os.environ, **full_server.env}
    made = run_bounded([sys.executable, "-c", block], cwd=ROOT, env=env)
    assert made.returncode == 0, made.stderr


def test_events_start_runs_and_failures_are_told(
    full_server: FullServer, make_workspace, run_flow, stuck: Path, heard
) -> None:
    address, told = heard
    clean = {key: full_server.env[key] for key in ("PREFECT_HOME", "PREFECT_API_URL")}

    def python(*words: str, **env: str) -> Finished:
        return run_bounded(
            [sys.executable, "-m", *words], cwd=ROOT, env={**os.environ, **full_server.env, **env}
        )

    def started(name: str) -> Any:
        wanted = {"deployments": {"name": {"any_": [name]}}}
        runs = full_server.ask("/flow_runs/filter", wanted)
        found = [run for run in runs if run["created_by"]["type"] == "AUTOMATION"]
        return [run["parameters"] for run in found]

    full_server.ask("/work_pools/", {"name": "autopack", "type": "process"})
    done = python("prefect", "--no-prompt", "deploy", "--all")
    assert done.returncode == 0, done.stdout + done.stderr

    # The automation needs its block: without one it says so, with one it is made once.
    automations = "deployments.automations"
    assert python(automations).stdout == (
        "autopack: a run without a sign of life is crashed: created\n"
        "autopack: tell people about failed runs: left out (AUTOPACK_NOTIFICATION_BLOCK is unset)\n"
    )
    missing = python(automations, AUTOPACK_NOTIFICATION_BLOCK=BLOCK)
    assert missing.returncode == 4
    assert missing.stderr.startswith("there is no block custom-webhook/operators, so failed runs")
    assert python(automations, AUTOPACK_NOTIFICATION_BLOCK="operators").returncode == 2
    make_block(full_server, address)
    for what in ("created", "kept"):
        said = python(automations, AUTOPACK_NOTIFICATION_BLOCK=BLOCK)
        assert f"autopack: tell people about failed runs: {what}\n" in said.stdout, said.stderr
        assert "autopack: a run without a sign of life is crashed: kept\n" in said.stdout
    found = full_server.ask("/automations/filter", {})
    mine = next(one for one in found if one["name"].startswith("autopack: tell"))
    full_server.ask_to(f"/automations/{mine['id']}", "PATCH", {"enabled": False})
    assert "runs: mended" in python(automations, AUTOPACK_NOTIFICATION_BLOCK=BLOCK).stdout
    assert "runs: kept" in python(automations).stdout
    found = full_server.ask("/automations/filter", {})
    assert [one["enabled"] for one in found if one["name"].startswith("autopack:")] == [True] * 2

    # Drift starts a sync of that workspace.
    root = make_workspace({"docs/BUILD_HISTORY.md": DRIFTED})
    # Prefect's SQLite can keep everybody waiting for its busy timeout, a minute.
    words = ("--engine", "server", "--json", "--max-seconds", "240")
    checked = run_flow("sot_counts", "--workspace", root, *words, env=clean, seconds=300)
    assert checked.returncode == 0, checked.stderr
    assert "meta_drift" in {finding["code"] for finding in checked.report["findings"]}
    full_server.until(lambda: started("every-15-minutes"))
    sync = started("every-15-minutes")
    assert [(run["mode"], run["workspace"]) for run in sync] == [("db-only", str(root))]
    assert told == []

    # A lock that nobody will let go starts a look at the locks, and its run's failure is told.
    assert python("deployments.limits").returncode == 0

    def fails() -> None:
        words = ("--execute", "--workspace", stuck, "--max-seconds", "90", "--engine", "server")
        waited = run_flow("sot_counts", *words, "--json", env=clean)
        assert waited.returncode == 5, waited.stderr

    fails()
    full_server.until(lambda: started("locks"))
    assert {run["workspace"] for run in started("locks")} == {str(stuck)}
    # Prefect holds an event back for 15 minutes where it overtakes the one before it.
    if not full_server.soon(lambda: told, 60):
        fails()
    full_server.until(lambda: told)
    texts = {json.loads(one)["text"] for one in told}  # an automation acts at least once
    assert all(text.startswith("sot-counts failed: ") for text in texts), texts
    assert all("| Busy: lock 'docs' is busy" in text for text in texts), texts

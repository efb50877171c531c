"""A count check that finds drift starts a sync, through a real server's automation."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.prefect_fixtures import FullServer

ROOT = Path(__file__).resolve().parents[2]


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

"""On a server: an approval pauses and shows the report, and goes on with what a person typed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from autopack.io import audit
from tests.flows.test_failure_rules_pause import paused
from tests.support.prefect_fixtures import PrefectServer
from tests.support.process import run_bounded, stop
from tests.support.session import REPOSITORY
from tests.support.storage_flow import REPORT, with_cleanup


def test_an_approval_pauses_for_a_name_and_the_items(
    prefect_server: PrefectServer, make_workspace
) -> None:
    root = make_workspace()
    made = with_cleanup(root)
    where = ["--engine", "server", "--json", "--workspace", str(root)]
    child = subprocess.Popen(
        [sys.executable, "-m", "flows.storage_apply", "approve", REPORT, *where],
        cwd=REPOSITORY, env=prefect_server.env(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        run = paused(prefect_server, root, child)
        assert shown(prefect_server, run["id"])
        typed = {"by": "Ada Lovelace", "items": made.items[0].id}
        prefect_server.post(f"/flow_runs/{run['id']}/resume", {"run_input": typed})
        out, _ = child.communicate(timeout=120)
    finally:
        stop(child)
    report = json.loads(out)
    assert (child.returncode, report["counts"]["approved"]) == (0, 1)
    [given] = audit.records(root)
    assert (given["by"], given["flow_run_id"]) == ("Ada Lovelace", run["id"])
    words = ["execute", REPORT, report["approval_path"], "--execute"]
    done = run_bounded(
        [sys.executable, "-m", "flows.storage_apply", *words, *where],
        cwd=REPOSITORY, env=prefect_server.env(),
    )  # fmt: skip
    assert (done.returncode, done.report["engine"]) == (0, "server"), done.stderr
    assert [item["status"] for item in done.report["items"]] == ["moved"]


def shown(server: PrefectServer, run: str) -> list[dict[str, Any]]:
    """Return the artifacts of a flow run that show what it asks about."""
    found = server.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}}})
    return [one for one in found if one["key"] == "storage-apply-report"]

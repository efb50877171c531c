"""On a server: a review pauses and goes on with what a person typed; the rest of the loop runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from autopack.io import audit, rule_files
from tests.support import rule_papers as papers
from tests.support.prefect_fixtures import PrefectServer
from tests.support.process import run_bounded, stop
from tests.support.session import REPOSITORY


def paused(server: PrefectServer, root: Any, child: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the flow run of a review, once it waits for a person."""
    runs = {"sort": "EXPECTED_START_TIME_DESC", "limit": 50}
    while child.poll() is None:
        for run in server.post("/flow_runs/filter", runs):
            mine = run["parameters"].get("workspace") == str(root)
            if mine and run["state_type"] == "PAUSED":
                return dict(run)
        time.sleep(0.2)
    raise AssertionError(child.communicate())


def test_a_review_pauses_for_a_name_and_a_decision(
    prefect_server: PrefectServer, make_workspace
) -> None:
    root = make_workspace()
    made = papers.proposal(root)
    (root / ".autonomous_runs/reports").mkdir(parents=True)
    (root / ".autonomous_runs/reports/proposal.json").write_bytes(made.data())
    command = [
        sys.executable, "-m", "flows.failure_rules", "review", "--engine", "server", "--json",
        "--workspace", str(root),
    ]  # fmt: skip
    child = subprocess.Popen(
        command, cwd=REPOSITORY, env=prefect_server.env(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        run = paused(prefect_server, root, child)
        first = made.changes[0].rule.id
        typed = {"by": "Ada Lovelace", "approve": first, "reject": ""}
        prefect_server.post(f"/flow_runs/{run['id']}/resume", {"run_input": typed})
        out, _ = child.communicate(timeout=120)
    finally:
        stop(child)
    report = json.loads(out)
    assert (child.returncode, report["counts"]["approved"], report["counts"]["open"]) == (0, 1, 3)
    approval = rule_files.read_approval(str(root / ".autonomous_runs/reports/approval.json"))
    assert (approval.reviewed.by, approval.flow_run_id) == ("Ada Lovelace", run["id"])
    assert [record["flow_run_id"] for record in audit.records(root)] == [run["id"]]
    for words in (["append", "--execute"], ["propose"], ["effect"], ["retire"], ["lint"]):
        where = ["--engine", "server", "--json", "--workspace", str(root)]
        done = run_bounded(
            [sys.executable, "-m", "flows.failure_rules", *words, *where],
            cwd=REPOSITORY, env=prefect_server.env(),
        )  # fmt: skip
        assert (done.returncode, done.report["engine"]) == (0, "server"), done.stderr
    used = next(record for record in audit.records(root) if record.get("event") == "rules-append")
    assert used["flow_run_id"] not in (None, run["id"])
    assert [rule.id for rule in rule_files.read_rules(root).file.rules] == [first]

"""On a Prefect server each check is a task run, and the table is an artifact."""

from __future__ import annotations

import json

from tests.support.preflight import add_check, python, red, statuses


def test_a_run_on_a_server_finds_what_a_direct_one_does(
    run_flow, flight, project, prefect_server
) -> None:
    add_check(project, python("fails", "raise SystemExit('no')"))
    env = {"PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(prefect_server.home)}
    direct = flight(project)
    done = run_flow("preflight", "--json", "--workspace", project, env=env)
    assert done.report["engine"] == "server"
    assert (done.returncode, statuses(done)) == (direct.returncode, statuses(direct))
    assert red(done) == {"fails"}
    run = {"any_": [done.report["flow_run_id"]]}
    tasks = prefect_server.post("/task_runs/filter", {"flow_runs": {"id": run}})
    states = {task["name"]: task["state_name"] for task in tasks}
    assert (
        states.items()
        >= {name: "Findings" if name == "fails" else "Completed" for name in statuses(done)}.items()
    )
    made = prefect_server.post("/artifacts/filter", {"artifacts": {"flow_run_id": run}})
    table = next(a for a in made if a["key"] == "preflight-checks")
    rows = {row["check"]: row for row in json.loads(table["data"])}
    assert rows.keys() == statuses(done).keys()
    assert rows["fails"]["status"] == "failed"
    assert rows["fails"]["first finding"].startswith("no (exit code 1)")

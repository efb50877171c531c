"""Deployments: the limits, `prefect.yaml`, and a click on a served flow."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from autopack.errors import Refused
from autopack.io.locks import inspect
from deployments import limits, serve
from tasks import leftovers
from tasks.engine import flow_name
from tasks.slots import preflight
from tests.support.prefect_fixtures import PrefectServer

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def test_limits_are_created_kept_and_mended(prefect_server: PrefectServer) -> None:
    assert {"tidy", "docs", "runs", "maintenance"} < set(limits.NAMES)
    assert set(limits.create().values()) <= {"created", "kept"}
    assert limits.create() == dict.fromkeys(limits.NAMES, "kept")
    found = prefect_server.post("/v2/concurrency_limits/filter", {"limit": 100})
    by_name = {limit["name"]: limit for limit in found}
    assert {name: by_name[name]["limit"] for name in limits.NAMES} == dict.fromkeys(limits.NAMES, 1)
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    for wrong in ({"active": False}, {"limit": 2}, {"slot_decay_per_second": 1.0}):
        with get_client(sync_client=True) as client:
            client.update_global_concurrency_limit("docs", GlobalConcurrencyLimitUpdate(**wrong))
        with pytest.raises(Refused, match="the Prefect limit 'docs'"):
            preflight(prefect_server.url, ["docs"], time.monotonic() + 30)
        assert limits.create()["docs"] == "mended"
        preflight(prefect_server.url, ["docs"], time.monotonic() + 30)
    assert limits.create()["docs"] == "kept"


@pytest.mark.parametrize("module", ["limits", "automations", "serve"])
def test_without_a_server_it_is_4_in_one_line(prefect_server: PrefectServer, module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"deployments.{module}"],
        cwd=ROOT,
        env=prefect_server.env_without(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.startswith("no Prefect server answers at http://127.0.0.1:9/api. Next: make")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("wished", "used"), [(None, serve.POLL_S), ("7", "7")])
def test_a_click_is_seen_soon_unless_somebody_wished_otherwise(
    monkeypatch: pytest.MonkeyPatch, wished: str | None, used: str
) -> None:
    monkeypatch.setenv("PREFECT_RUNNER_POLL_FREQUENCY", wished or "")
    if wished is None:
        monkeypatch.delenv("PREFECT_RUNNER_POLL_FREQUENCY")
    seen = []
    monkeypatch.setattr(serve, "_end_on_signals", lambda: None)
    monkeypatch.setattr(serve, "everything", lambda *_: seen.append(os.environ.copy()))
    assert serve.main([]) == 0
    assert seen[0]["PREFECT_RUNNER_POLL_FREQUENCY"] == used


def test_what_is_served_is_what_is_deployed(prefect_server: PrefectServer) -> None:
    made = {deployment.name: deployment for deployment in serve.described()}
    assert set(made) == {deployment["name"] for deployment in DEPLOYMENTS}
    every = made["every-15-minutes"]
    assert every.schedules[0].schedule.cron == "*/15 * * * *"
    assert every.parameters["mode"] == "db-only"
    assert made["look"].schedules == []
    assert [trigger.expect for trigger in every.triggers] == [
        {"autopack.sot.drift", "autopack.sot.changed"}
    ]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda d: d["name"])
def test_parameters_fit_the_form(prefect_server: PrefectServer, deployment: Any) -> None:
    from deployments.serve import load

    made = load(deployment["entrypoint"].replace("/", ".").replace(".py:", ":"))
    assert made.validate_parameters(deployment["parameters"]) is not None


def test_what_runs_on_a_schedule_runs_alone_and_writes_rows_or_its_own_numbers() -> None:
    for deployment in DEPLOYMENTS:
        alone = {"limit": 1, "collision_strategy": "CANCEL_NEW"}
        assert deployment["concurrency_limit"] == alone
        if deployment["parameters"].get("execute"):
            assert deployment["schedules"]
            rows_only = deployment["parameters"].get("mode") == "db-only"
            assert rows_only or deployment["entrypoint"] == "flows/status.py:status"


def test_the_page_lists_what_runs_by_itself() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    listed = dict(re.findall(r"^\| `([a-z0-9-]+)` \| `([^`]+ \* [^`]+)` \|", page, re.MULTILINE))
    due = {d["name"]: d["schedules"][0]["cron"] for d in DEPLOYMENTS if "schedules" in d}
    assert listed == due


def test_prefect_yaml_deploys(prefect_server: PrefectServer) -> None:
    prefect_server.post("/work_pools/", {"name": "autopack", "type": "process"})
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=prefect_server.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = prefect_server.post("/deployments/filter", {})
    by_name = {deployment["name"]: deployment for deployment in found}
    every = by_name["every-15-minutes"]
    assert every["parameters"]["execute"] is True
    assert every["schedules"][0]["schedule"]["cron"] == "*/15 * * * *"
    assert "modes" not in every["parameter_openapi_schema"]["properties"]
    assert every["parameter_openapi_schema"]["properties"]["mode"]["enum"][0] == "docs-only"
    assert by_name["look"]["schedules"] == []


def test_a_work_pool_gets_what_is_served(prefect_server: PrefectServer, tmp_path: Path) -> None:
    given = tmp_path / "prefect.yaml"
    given.write_text("deployments: [{name: pooled, entrypoint: 'flows/locks.py:locks_status'}]")
    words = ("--pool", "several", "--file", str(given))
    for workspace, code in (("/srv/repo", 0), ("/srv/other", 0), ("repo", 2)):
        done = subprocess.run(
            [sys.executable, "-m", "deployments.deploy", "--workspace", workspace, *words],
            cwd=ROOT, env=prefect_server.env(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
    found = prefect_server.post("/deployments/filter", {})
    made = next(deployment for deployment in found if deployment["name"] == "pooled")
    assert made["work_pool_name"] == "several"
    assert made["entrypoint"] == "flows.locks.locks_status"
    assert made["job_variables"] == {"working_dir": "/srv/other"}
    assert (made["pull_steps"] or [], made["tags"]) == ([], [])


# --- a click --------------------------------------------------------------------------------


@contextmanager
def serving(server: PrefectServer, flow: str, log: Path) -> Iterator[str]:
    """Serve one flow of the tests, and give the ID of its deployment."""
    code = f"from deployments.serve import main; main(['{flow}'])"
    name, roots = f"{flow_name(serve.load(flow))}-local", str(log.parents[1])
    with log.open("w+") as said:
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=server.env(TOY="", AUTOPACK_WORKSPACE_ROOTS=roots),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + 60
            found: list[Any] = []
            while not found and time.monotonic() < until and child.poll() is None:
                wanted = {"deployments": {"name": {"any_": [name]}}}
                found = server.post("/deployments/filter", wanted)
                time.sleep(0.2)
            assert found, log.read_text()
            yield found[0]["id"]
        finally:
            child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


@pytest.fixture(scope="module")
def served(
    prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The toy flow, served; the ID of its deployment."""
    log = tmp_path_factory.mktemp("serve") / "log"
    with serving(prefect_server, "tests.support.toy_flow:toy_flow", log) as deployment:
        yield deployment


def click(server: PrefectServer, deployment: str, **parameters: Any) -> Any:
    """Start one run of a deployment as the UI does and return the run when it has ended."""
    run = server.post(f"/deployments/{deployment}/create_flow_run", {"parameters": parameters})
    until = time.monotonic() + 90
    while time.monotonic() < until:
        run = server.get(f"/flow_runs/{run['id']}")
        if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return run
        time.sleep(0.2)
    raise AssertionError(run)


def test_a_click_runs_the_flow(prefect_server: PrefectServer, served: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    run = click(prefect_server, served, workspace=str(tmp_path), execute=True)
    assert (run["state"]["name"], run["state"]["message"]) == ("Completed", "clean (exit 0)")
    audit = (tmp_path / ".autonomous_runs/audit.jsonl").read_text()
    assert f'"flow_run_id":"{run["id"]}"' in audit
    known = leftovers.is_dead(run["labels"][leftovers.LABEL])
    assert known is not None, "it says which process of this machine it was"


def test_serving_begins_with_what_a_power_cut_left(prefect_server: PrefectServer, capsys) -> None:
    run = prefect_server.torn()
    serve.end_torn(prefect_server.url)
    told = "ended 1 runs that dead processes of this machine had left\n"
    assert capsys.readouterr().out == told
    assert prefect_server.get(f"/flow_runs/{run}")["state_type"] == "CRASHED"
    serve.end_torn(prefect_server.url)
    assert capsys.readouterr().out == ""


def test_a_workspace_out_of_bounds_is_refused(
    prefect_server: PrefectServer, served: str, tmp_path: Path
) -> None:
    (tmp_path / "away").symlink_to("/")
    run = click(prefect_server, served, workspace=f"{tmp_path}/away/usr", execute=True)
    assert (run["state_type"], run["state"]["name"]) == ("FAILED", "Refused")
    assert "is outside AUTOPACK_WORKSPACE_ROOTS" in run["state"]["message"]
    last = said_last(prefect_server, run["id"]).splitlines()[-1]
    assert "outside AUTOPACK_WORKSPACE_ROOTS" in last, "the log ends with the reason, not a report"
    assert "Report(" not in last


def said_last(server: PrefectServer, run: str) -> str:
    """Return the error that Prefect logs at the end of a failed run."""
    until, wanted = time.monotonic() + 30, {"logs": {"flow_run_id": {"any_": [run]}}}
    while time.monotonic() < until:
        lines = [one["message"] for one in server.post("/logs/filter", wanted)]
        if ended := [line for line in lines if line.startswith("Engine execution exited")]:
            return ended[0]
        time.sleep(0.2)
    raise AssertionError(lines)


def test_a_password_in_the_form_is_refused(
    prefect_server: PrefectServer, served: str, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    url = "postgresql://bob:typed-into-a-form@nowhere/db"
    run = click(prefect_server, served, workspace=str(tmp_path), database_url=url)
    assert run["state_type"] == "FAILED"
    assert run["state"]["message"].startswith("a password in database_url is stored with")


def test_a_run_that_is_cancelled_in_the_ui_lets_its_locks_go(
    prefect_server: PrefectServer, tmp_path: Path
) -> None:
    root = tmp_path / "workspace"
    (root / "docs").mkdir(parents=True)
    flow = "tests.support.lock_flow:lock_flow"
    with serving(prefect_server, flow, tmp_path / "log") as deployment:
        wanted = {"parameters": {"workspace": str(root)}}
        run = prefect_server.post(f"/deployments/{deployment}/create_flow_run", wanted)
        _until(lambda: inspect(root, ["docs"])[0].kernel == "exclusive", tmp_path / "log")
        # The kernel's lock comes first, the slot after it.
        _until(lambda: limit(prefect_server, "docs")["active_slots"] == 1, tmp_path / "log")
        cancel = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
        prefect_server.post(f"/flow_runs/{run['id']}/set_state", cancel)
        _until(lambda: inspect(root, ["docs"])[0].kernel == "free", tmp_path / "log")
        _until(lambda: limit(prefect_server, "docs")["active_slots"] == 0, tmp_path / "log")


def limit(server: PrefectServer, name: str) -> Any:
    return server.get(f"/v2/concurrency_limits/{name}")


def _until(holds: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.2)

"""The engine: one behaviour with and without Prefect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from autopack.errors import AutopackError, Busy, DeadlineExceeded, Refused, Unreachable, UsageError
from autopack.report import Report
from tasks import engine, policy
from tasks.engine import as_prefect, flow, plain, task
from tasks.redacting import protect
from tasks.run import Run, running
from tasks.timing import Budget, StepTimeout, time_limit
from tests.support import toy_flow as toy
from tests.support.prefect_fixtures import PrefectServer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# a\n")
    toy.TRIES.clear()
    return tmp_path


# --- the loop without Prefect ---------------------------------------------------------------


def test_a_transient_error_is_tried_again() -> None:
    toy.TRIES.clear()
    assert toy.flaky("") == 3


@pytest.mark.parametrize("kind", [UsageError, Refused, DeadlineExceeded, Busy])
def test_a_permanent_error_is_not(kind: type[AutopackError]) -> None:
    tries = []

    @task(retries=3, retry_delay_seconds=0, retry_if=policy.transient)
    def no() -> None:
        tries.append(1)
        raise kind("no")

    with pytest.raises(kind):
        no()
    assert len(tries) == 1


def test_tries_are_counted() -> None:
    tries = []

    @task(retries=2, retry_delay_seconds=[0.001, 0.001])
    def fails() -> None:
        tries.append(1)
        raise Unreachable("away")

    with pytest.raises(Unreachable):
        fails()
    assert len(tries) == 3


def test_a_pause_that_outlasts_the_deadline_is_not_waited_for() -> None:
    tries = []

    @task(retries=2, retry_delay_seconds=[30])
    def fails() -> None:
        tries.append(1)
        raise Unreachable("away")

    with (
        running(Run("toy", {}, ends=time.monotonic() + 5)),
        pytest.raises(Unreachable),
    ):
        fails()
    assert len(tries) == 1


def test_what_is_worth_another_try() -> None:
    good = (Unreachable("x"), ConnectionResetError(), TimeoutError())
    bad = (FileNotFoundError(), PermissionError(), ValueError(), Busy("x"), Refused("x"))
    assert [policy.transient(error) for error in good] == [True] * 3
    assert [policy.transient(error) for error in bad] == [False] * 5


# --- timeouts -------------------------------------------------------------------------------


def test_a_step_that_takes_too_long_is_cut() -> None:
    with pytest.raises(StepTimeout, match=r"step 'slow' took longer than its 0\.3 s"):
        toy.slow(30)


def outer() -> AutopackError:
    return DeadlineExceeded("outer")


def inner() -> AutopackError:
    return StepTimeout("inner")


def test_the_sooner_of_two_limits_rings() -> None:
    with pytest.raises(DeadlineExceeded), time_limit(0.1, outer), time_limit(20, inner):
        time.sleep(30)
    with time_limit(20, outer):
        with pytest.raises(StepTimeout), time_limit(0.1, inner):
            time.sleep(30)
        left = signal.getitimer(signal.ITIMER_REAL)[0]
        assert 15 < left < 20, "the outer limit is armed again, less the time that passed"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_an_outer_limit_that_passed_meanwhile_rings_at_once() -> None:
    def work() -> None:
        with time_limit(0.3, outer):
            with time_limit(0.2, inner):
                until = time.monotonic() + 0.1
                while time.monotonic() < until:
                    pass
            time.sleep(30)

    with pytest.raises(DeadlineExceeded):
        work()


def test_other_threads_are_left_alone() -> None:
    done: list[int] = []

    def work() -> None:
        with time_limit(0.01, inner):
            time.sleep(0.05)
        done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


def test_a_budget_is_what_is_left_and_reads_as_what_was_given() -> None:
    budget = Budget(4.5, 120)
    assert budget == 4.5
    assert budget + 1 == 5.5
    assert f"{budget:g}" == "120"


# --- the same flow, both ways ---------------------------------------------------------------


def both(fn: Any, **values: Any) -> tuple[Report, Any]:
    """Return the direct report and the Prefect state of the same call."""
    direct = engine.run_direct(fn, Run(engine.flow_name(fn), values))
    toy.TRIES.clear()
    return direct, as_prefect(fn)(**values, return_state=True)


ENDS = [
    ("", 0, "COMPLETED", "Completed"),
    ("flaky", 0, "COMPLETED", "Completed"),
    ("findings", 1, "COMPLETED", "Findings"),
    ("unreachable", 4, "FAILED", "Failed"),
    ("busy", 5, "FAILED", "Busy"),
    ("bug", 70, "FAILED", "Failed"),
    ("deadline", 3, "FAILED", "Deadline"),
    ("sleep", 3, "FAILED", "Deadline"),
]


@pytest.mark.parametrize(("how", "code", "kind", "name"), ENDS)
def test_exit_code_and_state_agree(  # noqa: PLR0917
    prefect_server: PrefectServer,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    code: int,
    kind: str,
    name: str,
) -> None:
    monkeypatch.setenv("TOY", how)
    values = {"workspace": str(workspace), "max_seconds": 1.0 if code == 3 else 60.0}
    direct, state = both(toy.toy_flow, **values)
    report = state.result(raise_on_failure=False)
    assert direct.exit_code == report.exit_code == code
    assert (state.type.value, state.name) == (kind, name)
    assert direct.message.split("traceback")[0] == report.message.split("traceback")[0]
    assert direct.counts == report.counts
    assert (direct.engine, report.engine) == ("direct", "server")
    assert report.flow_run_id == prefect_server.run_of(workspace)["id"]


def test_task_runs_and_the_artifact_are_there(
    prefect_server: PrefectServer, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY", "flaky")
    as_prefect(toy.toy_flow)(workspace=str(workspace), execute=True)
    run = prefect_server.run_of(workspace)
    wanted = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    until = time.monotonic() + 20
    counts: dict[str, int] = {}
    while counts != {"read": 1, "flaky": 3} and time.monotonic() < until:
        tasks = prefect_server.post("/task_runs/filter", wanted)
        counts = {task["name"].rpartition("-")[0]: task["run_count"] for task in tasks}
        time.sleep(0.1)
    assert counts == {"read": 1, "flaky": 3}
    (artifact,) = prefect_server.post("/artifacts/filter", wanted)
    assert artifact["key"] == "toy"
    assert artifact["data"].startswith("# toy: clean")
    assert (workspace / ".autonomous_runs/audit.jsonl").read_text().count(run["id"]) == 1


def test_an_artifact_that_fails_is_a_warning(
    prefect_server: PrefectServer, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise ConnectionError("no artifact today")

    monkeypatch.setattr("prefect.artifacts.create_markdown_artifact", broken)
    report = as_prefect(toy.toy_flow)(workspace=str(workspace))
    assert report.exit_code == 0
    assert [finding.code for finding in report.findings] == ["artifact_failed"]


def test_a_password_in_a_failing_task_stays_out_of_the_database(
    prefect_server: PrefectServer, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY", "leak")
    secret = "correct-horse-71"
    url = f"postgresql://bob:{secret}@nowhere/db"
    values = {"workspace": str(workspace), "database_url": url, "max_seconds": 60.0}
    protect(values)
    report = engine.run_prefect(toy.toy_flow, Run("toy", values, engine="server"))
    assert report.exit_code == 70
    assert "bob:***@" in report.message
    run = prefect_server.run_of(workspace)
    assert run["parameters"]["database_url"] == "postgresql://bob:***@nowhere/db"
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all()
    EventsWorker.drain_all()
    until, seen = time.monotonic() + 20, 0
    while time.monotonic() < until and not seen:  # the failed task's log row with its traceback
        logs = prefect_server.post("/logs/filter", {"limit": 200})
        seen = sum("bob:***@nowhere" in log["message"] for log in logs)
        time.sleep(0.2)
    assert seen
    for file in prefect_server.home.glob("prefect.db*"):
        assert secret.encode() not in file.read_bytes()


def test_the_flow_gets_the_real_url(prefect_server: PrefectServer, workspace: Path) -> None:
    url = "postgresql://bob:battery-staple-9@nowhere/db"
    got: list[str | None] = []

    @flow(name="toy-url")
    def connects(workspace: str = ".", database_url: str | None = None) -> Report:
        got.append(database_url)
        return Report("toy-url")

    values = {"workspace": str(workspace), "database_url": url}
    protect(values)
    engine.run_prefect(connects, Run("toy-url", values, engine="server"))
    assert got == [url]


def test_the_form_has_bounds_choices_and_help(prefect_server: PrefectServer) -> None:
    from prefect.utilities.callables import parameter_schema

    form = parameter_schema(as_prefect(toy.toy_flow)).properties
    assert form["mode"]["enum"] == ["docs-only", "db-only", "full"]
    assert (form["max_seconds"]["minimum"], form["max_seconds"]["maximum"]) == (1, 86400)
    assert "One deadline" in form["max_seconds"]["description"]
    assert "rebuild_file" not in form


def test_prefect_checks_the_bounds_too(prefect_server: PrefectServer, workspace: Path) -> None:
    state = as_prefect(toy.toy_flow)(workspace=str(workspace), max_seconds=0, return_state=True)
    assert state.is_failed()
    assert "max_seconds" in state.message


def test_plain_and_as_prefect_are_stable(prefect_server: PrefectServer) -> None:
    made = as_prefect(toy.toy_flow)
    assert as_prefect(made) is made
    assert as_prefect(toy.toy_flow) is made
    assert plain(made) is plain(toy.toy_flow)
    assert made.name == "toy"


@pytest.mark.parametrize("first", ["import prefect\n", ""])
def test_import_order_does_not_matter(first: str) -> None:
    code = (
        f"{first}from tests.support.toy_flow import toy_flow\n"
        "from tasks.engine import as_prefect, plain\n"
        "import inspect\n"
        "assert inspect.isfunction(plain(toy_flow))\n"
        "import prefect\n"
        "assert isinstance(as_prefect(toy_flow), prefect.Flow)\n"
    )
    env = {**os.environ, "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "0"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)

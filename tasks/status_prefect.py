"""What Prefect knows: the last run of each flow, and what is due next."""

from __future__ import annotations

import time
from typing import Any

from autopack.health.parts import Part, State
from tasks import api, policy, server
from tasks.engine import task
from tasks.status import Looking

ASK_S = 3.0
RUNS = 200
"""The newest runs that are looked at."""
_STATES: dict[str, State] = {"FAILED": "look", "CRASHED": "look"}
SERVE = "make serve"


@task(**policy.READ)
def ask_prefect(looking: Looking) -> None:
    """Ask the server for the newest run of each flow and for what is due; none is no fault."""
    url = server.answers()
    if url is None:
        words = "no Prefect server answers: nothing runs on schedule"
        looking.parts.append(Part("schedules", "look", words, SERVE))
        return
    try:
        until = time.monotonic() + looking.deadline.cap(ASK_S, "asking Prefect for its runs")
        flows = _names(url, "/flows/filter", until)
        ended = _runs(url, ["COMPLETED", "FAILED", "CRASHED"], "END_TIME_DESC", until)
        due = _runs(url, ["SCHEDULED"], "EXPECTED_START_TIME_ASC", until)
        deployments = _names(url, "/deployments/filter", until)
    except api.NoAnswer as error:
        looking.parts.append(Part("schedules", "unknown", f"Prefect does not answer: {error}"))
        return
    looking.runs = [_ended(run, flows) for run in _first_of_each(ended, "flow_id")]
    looking.due = [_due(run, flows, deployments) for run in _first_of_each(due, "deployment_id")]
    looking.parts.append(_part(_first_of_each(ended, "flow_id"), flows, len(looking.due)))


def _part(newest: list[dict[str, Any]], flows: dict[str, str], due: int) -> Part:
    failed = [flows.get(run["flow_id"], "") for run in newest if run["state_type"] in _STATES]
    words = f"{due} deployments due, the last run of {len(newest)} flows is known"
    if failed:
        words = f"the last run of {', '.join(sorted(failed))} failed; {words}"
        return Part("schedules", "look", words)
    if not due:
        return Part("schedules", "look", f"nothing is due: {words}", SERVE)
    return Part("schedules", "good", words)


def _names(url: str, path: str, until: float) -> dict[str, str]:
    return {one["id"]: one["name"] for one in _post(url, path, {"limit": 200}, until)}


def _runs(url: str, states: list[str], sort: str, until: float) -> list[dict[str, Any]]:
    wanted = {"flow_runs": {"state": {"type": {"any_": states}}}, "sort": sort, "limit": RUNS}
    found: list[dict[str, Any]] = _post(url, "/flow_runs/filter", wanted, until)
    return found


def _post(url: str, path: str, body: dict[str, Any], until: float) -> Any:
    status, answer = api.call(url, path, until, body)
    if status >= 300:
        raise api.NoAnswer(f"{path} answered {status}")
    return answer


def _first_of_each(runs: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    first: dict[Any, dict[str, Any]] = {}
    for run in runs:
        if run.get(key):
            first.setdefault(run[key], run)
    return list(first.values())


def _ended(run: dict[str, Any], flows: dict[str, str]) -> tuple[str, str, str, str]:
    state = run.get("state_name") or run["state_type"]
    seconds = f"{run.get('total_run_time') or 0:.1f}"
    return flows.get(run["flow_id"], "?"), state, _clock(run.get("end_time")), seconds


def _due(
    run: dict[str, Any], flows: dict[str, str], deployments: dict[str, str]
) -> tuple[str, str]:
    name = f"{flows.get(run['flow_id'], '?')}/{deployments.get(run['deployment_id'], '?')}"
    return name, _clock(run.get("expected_start_time"))


def _clock(stamp: str | None) -> str:
    return (stamp or "")[:19].replace("T", " ")

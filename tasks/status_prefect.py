"""What Prefect knows: the last run of each flow, and what is due next."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from autopack.health.parts import Part, State
from tasks import api, policy, server
from tasks.engine import task
from tasks.status import Looking

ASK_S = 3.0
_STATES: dict[str, State] = {"FAILED": "look", "CRASHED": "look"}
FORGOTTEN = timedelta(days=7)
"""So long after its end the failed run of a flow without a deployment counts no more."""
SERVE = "make serve"
ENDED = ["COMPLETED", "FAILED", "CRASHED"]


@task(**policy.READ)
def ask_prefect(looking: Looking) -> None:
    """Ask the server for the newest run of each flow and for what is due; none is no fault."""
    found = server.look(looking.deadline.cap(ASK_S, "looking for a Prefect server"))
    if found != "prefect":
        looking.parts.append(_absent(found))
        return
    url = server.api_url()
    try:
        looking.parts.append(_answered(looking, url))
        looking.prefect = url
    except api.NoAnswer as error:
        looking.parts.append(Part("schedules", "unknown", f"Prefect does not answer: {error}"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        words = f"what answers is not as Prefect does: {type(error).__name__}: {error}"
        looking.parts.append(Part("schedules", "unknown", words))


def _absent(found: server.Look) -> Part:
    if found == "locked":
        return Part("schedules", "unknown", str(server.no_server(server.api_url(), found)))
    words = "no Prefect server answers: nothing runs on schedule"
    return Part("schedules", "look", words, SERVE)


def _answered(looking: Looking, url: str) -> Part:
    until = time.monotonic() + looking.deadline.cap(ASK_S, "asking Prefect for its runs")
    flows = _names(url, "/flows/filter", until)
    last = _last_of_each(url, flows, until)
    due = _runs(url, ["SCHEDULED"], "EXPECTED_START_TIME_ASC", until)
    served = api.ask(url, "/deployments/filter", until, {"limit": api.PAGE})
    deployments = {one["id"]: one["name"] for one in served}
    following = _first_of_each(due, "deployment_id")
    runs = [_ended(run, flows) for run in last]
    plan = [_due(run, flows, deployments) for run in following]
    late = [name for run, (name, _) in zip(following, plan, strict=True) if _is_late(run)]
    current, since = {one["flow_id"] for one in served}, looking.now - FORGOTTEN
    failed = [
        flows.get(run["flow_id"], "?")
        for run in last
        if run["state_type"] in _STATES and (run["flow_id"] in current or _at(run) > since)
    ]
    part = _part(failed, late, len(plan), len(last))
    looking.runs, looking.due = runs, plan
    return part


def _is_late(run: dict[str, Any]) -> bool:
    return run.get("state_name") == "Late"


def _at(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["end_time"] or run["expected_start_time"])


def _part(failed: list[str], late: list[str], due: int, known: int) -> Part:
    words = f"{due} deployments due, the last run of {known} flows is known"
    if late:
        words = f"nobody takes the runs of {', '.join(sorted(late))}, which are late; {words}"
    if failed:
        words = f"the last run of {', '.join(sorted(failed))} failed; {words}"
    if failed or late:
        return Part("schedules", "look", words, SERVE if late else "")
    if not due:
        return Part("schedules", "look", f"nothing is due: {words}", SERVE)
    return Part("schedules", "good", words)


def _names(url: str, path: str, until: float) -> dict[str, str]:
    return {one["id"]: one["name"] for one in api.ask(url, path, until, {"limit": api.PAGE})}


def _last_of_each(url: str, flows: dict[str, str], until: float) -> list[dict[str, Any]]:
    """Return the newest run of each flow: what runs weekly is not among the last few hundred."""
    last: list[dict[str, Any]] = []
    left = set(flows)
    while left:
        ended = _runs(url, ENDED, "END_TIME_DESC", until, sorted(left))
        new = [run for run in _first_of_each(ended, "flow_id") if run["flow_id"] in left]
        last += new
        if not new or len(ended) < api.PAGE:
            break
        left -= {run["flow_id"] for run in new}
    return last


def _runs(
    url: str, states: list[str], sort: str, until: float, flows: list[str] | None = None
) -> list[dict[str, Any]]:
    wanted = {"flow_runs": {"state": {"type": {"any_": states}}}, "sort": sort, "limit": api.PAGE}
    wanted |= {} if flows is None else {"flows": {"id": {"any_": flows}}}
    found: list[dict[str, Any]] = api.ask(url, "/flow_runs/filter", until, wanted)
    return found


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

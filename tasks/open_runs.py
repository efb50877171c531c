"""Flow runs that Prefect holds for open, and the way to end one that nobody ends any more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks import api

STATES = ("RUNNING", "PENDING", "CANCELLING")


def find(
    url: str, until: float, *, tag: str | None = None, due_before: datetime | None = None
) -> list[dict[str, Any]]:
    """Return the open flow runs, the oldest first: those with this tag, and due before then.

    Raises:
        NoAnswer: The server does not answer by `until`, on the monotonic clock in seconds.
    """
    wanted: dict[str, Any] = {"state": {"type": {"any_": STATES}}}
    if tag is not None:
        wanted["tags"] = {"all_": [tag]}
    if due_before is not None:
        wanted["expected_start_time"] = {"before_": due_before.isoformat()}
    body = {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC", "limit": api.PAGE}
    found: list[dict[str, Any]] = api.ask(url, "/flow_runs/filter", until, body)
    return found


def end(url: str, run: dict[str, Any], message: str, until: float) -> bool:
    """Mark an open flow run and its task runs Crashed, or Cancelled where that was asked.

    Returns whether it was: a run that has ended meanwhile stays as it is.

    Raises:
        NoAnswer: The server does not answer by `until`, on the monotonic clock in seconds.
    """
    kind = "CANCELLED" if run["state_type"] == "CANCELLING" else "CRASHED"
    state = {"type": kind, "name": kind.capitalize(), "message": message}
    set_state = f"/flow_runs/{run['id']}/set_state"
    if api.ask(url, set_state, until, {"state": state})["status"] != "ACCEPT":
        return False
    tasks = {
        "flow_runs": {"id": {"any_": [run["id"]]}},
        "task_runs": {"state": {"type": {"any_": STATES}}},
    }
    for one in api.ask(url, "/task_runs/filter", until, tasks):
        api.ask(url, f"/task_runs/{one['id']}/set_state", until, {"state": state, "force": True})
    return True

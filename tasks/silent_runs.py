"""Flow runs that are open and give no sign of life: those of machines that are gone.

Every run sends a heartbeat. Prefect's automation closes a run whose next one is missing, unless
Redis or the services stood still when it was due. Here is the second look, at what the server has
kept.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tasks import api, open_runs

BEAT_S, LEAST_BEAT_S = 180.0, 30.0
"""Prefect's own `PREFECT_FLOWS_HEARTBEAT_FREQUENCY`, and the least that it takes, in seconds."""
SILENT_BEATS = 10
"""So many heartbeats must be missing before a run counts as silent."""
_PROOF_BEATS = (5, 2)
"""Between so many heartbeats ago something else must have been heard, or silence says nothing."""


@dataclass(frozen=True)
class Silence:
    """The open runs that were not heard of, for how many seconds, and whether others were."""

    runs: tuple[dict[str, Any], ...]
    seconds: float
    proven: bool


def find(url: str, now: datetime, until: float) -> Silence:
    """Return the open flow runs of which the server has heard nothing for ten heartbeats.

    Args:
        url: The API's address.
        now: The time, with its zone.
        until: When to be done, on the monotonic clock in seconds.

    Raises:
        NoAnswer: The server does not answer by then.
    """
    beat_s = _beat_s()
    beat = timedelta(seconds=beat_s)
    since = now - SILENT_BEATS * beat
    silent = [
        run
        for run in open_runs.find(url, until, due_before=since)
        if datetime.fromisoformat(run["state"]["timestamp"]) < since
        and not _heard(url, since, now, until, f"prefect.flow-run.{run['id']}")
    ]
    early, late = (now - beats * beat for beats in _PROOF_BEATS)
    proven = bool(silent) and _heard(url, early, late, until)
    return Silence(tuple(silent), SILENT_BEATS * beat_s, proven)


def close(url: str, silence: Silence, until: float) -> list[dict[str, Any]]:
    """End the silent runs, if the silence is proven; return those that were still open.

    Raises:
        NoAnswer: The server does not answer by `until`, on the monotonic clock in seconds.
    """
    words = f"no sign of life for {silence.seconds:.0f} s: its machine is gone"
    runs = silence.runs if silence.proven else ()
    return [run for run in runs if open_runs.end(url, run, words, until)]


def _beat_s() -> float:
    given = os.environ.get("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "")
    known = given.isascii() and given.isdigit()
    return max(LEAST_BEAT_S, float(given)) if known else BEAT_S


def _heard(url: str, since: datetime, until: datetime, ends: float, resource: str = "") -> bool:
    """Return whether the server has kept an event of this time, of a resource or of any."""
    wanted: dict[str, Any] = {
        "occurred": {"since": since.isoformat(), "until": until.isoformat()},
    }
    if resource:
        wanted["resource"] = {"id": [resource]}
    found = api.ask(url, "/events/filter", ends, {"filter": wanted, "limit": 1})
    return bool(found["events"])

"""The line about flow runs that are open and give no sign of life, which it also closes."""

from __future__ import annotations

import time
from typing import Any

from autopack.health.parts import Part
from tasks import api, policy, silent_runs
from tasks.engine import task
from tasks.silent_runs import Silence
from tasks.status import Looking

ASK_S = 10.0
NAME = "silent runs"


@task(**policy.IDEMPOTENT_WRITE)
def close(looking: Looking, execute: bool) -> None:
    """Say which runs are silent, and close them; where none is, or no server, there is no line."""
    if looking.prefect is None:
        return
    url = looking.prefect
    until = time.monotonic() + looking.deadline.cap(ASK_S, "looking for silent runs")
    try:
        silence = silent_runs.find(url, looking.now, until)
        closed = silent_runs.close(url, silence, until) if execute else []
    except api.NoAnswer as error:
        looking.parts.append(Part(NAME, "unknown", f"Prefect does not answer: {error}"))
        return
    if silence.runs:
        looking.parts.append(_line(silence, closed))


def _line(silence: Silence, closed: list[dict[str, Any]]) -> Part:
    names = ", ".join(run["name"] for run in closed or silence.runs)
    quiet = f"no sign of life for {silence.seconds / 60:g} min"
    if closed:
        return Part(NAME, "look", f"{quiet}, closed: {names}")
    if not silence.proven:
        return Part(NAME, "look", f"{quiet}: {names}; nor from anything else, so none is closed")
    return Part(NAME, "look", f"{quiet}: {names}", "python -m flows.status --execute")

"""Open runs of machines that are gone are closed; those that were heard of are left alone."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from autopack.deadline import Deadline
from tasks import silent_runs, status_silent
from tasks.engine import plain
from tasks.status import Looking
from tests.support.prefect_fixtures import PrefectServer

BEAT = timedelta(seconds=180)
OTHERS = ("something.else", 3.0)


class Clock:
    """A time of its own for every test, far from what the others did on the shared server."""

    def __init__(self, server: PrefectServer, now: datetime) -> None:
        self.server, self.now = server, now

    def run(self, kind: str = "RUNNING", **more: Any) -> str:
        """Make a flow run in this state, as of the real time."""
        return self.server.open_run("silent", kind, **more)

    def heard(self, *what: tuple[str, float]) -> None:
        """Let the server keep an event of each resource so many beats ago; wait until it does."""
        events = [
            {
                "occurred": (self.now - beats_ago * BEAT).isoformat(), "id": str(uuid4()),
                "event": "prefect.flow-run.heartbeat", "resource": {"prefect.resource.id": name},
            }
            for name, beats_ago in what
        ]  # fmt: skip
        self.server.post("/events", events)  # type: ignore[arg-type]
        until = {"until": self.now.isoformat()}
        wanted = {"filter": {"id": {"id": [one["id"] for one in events]}, "occurred": until}}
        ends = time.monotonic() + 60
        while len(self.server.post("/events/filter", wanted)["events"]) < len(events):
            assert time.monotonic() < ends, "the events were not kept"
            time.sleep(0.1)

    def silence(self) -> silent_runs.Silence:
        return silent_runs.find(self.server.url, self.now, time.monotonic() + 20)

    def closed(self) -> set[str]:
        runs = silent_runs.close(self.server.url, self.silence(), time.monotonic() + 20)
        return {run["id"] for run in runs}

    def state(self, run: str) -> dict[str, Any]:
        return self.server.get(f"/flow_runs/{run}")["state"]  # type: ignore[no-any-return]


@pytest.fixture
def clock(prefect_server: PrefectServer, request: pytest.FixtureRequest) -> Clock:
    for run in prefect_server.post("/flow_runs/filter", {"flows": {"name": {"any_": ["silent"]}}}):
        done = {"state": {"type": "COMPLETED"}, "force": True}
        prefect_server.post(f"/flow_runs/{run['id']}/set_state", done)
    years = timedelta(days=365 * (1 + sum(map(ord, request.node.name)) % 500))
    return Clock(prefect_server, datetime.now(UTC) + years)


@pytest.mark.parametrize(("was", "becomes"), [
    ("RUNNING", "CRASHED"), ("PENDING", "CRASHED"), ("CANCELLING", "CANCELLED"),
])  # fmt: skip
def test_a_run_that_was_not_heard_of_is_closed(was: str, becomes: str, clock: Clock) -> None:
    run = clock.run(was)
    clock.heard((f"prefect.flow-run.{run}", 10.5), OTHERS)
    assert run in clock.closed()
    assert clock.state(run)["type"] == becomes
    assert clock.state(run)["message"] == "no sign of life for 1800 s: its machine is gone"
    assert run not in {one["id"] for one in clock.silence().runs}


def test_a_run_that_was_heard_of_is_left_alone(clock: Clock) -> None:
    run = clock.run()
    clock.heard((f"prefect.flow-run.{run}", 9.5), OTHERS)
    assert run not in clock.closed()
    assert clock.state(run)["type"] == "RUNNING"


@pytest.mark.parametrize("beats_ago", [1, 6])
def test_where_nothing_else_was_heard_nothing_is_closed(beats_ago: float, clock: Clock) -> None:
    run = clock.run()
    clock.heard(("something.else", beats_ago))
    assert run in {one["id"] for one in clock.silence().runs}
    assert clock.closed() == set()
    assert clock.state(run)["type"] == "RUNNING"


def test_a_run_that_is_young_in_its_state_is_left_alone(clock: Clock) -> None:
    clock.now = datetime.now(UTC) + 9 * BEAT
    run = clock.run()
    assert run not in {one["id"] for one in clock.silence().runs}


def test_a_run_that_ended_after_the_look_stays_as_it_is(clock: Clock) -> None:
    run = clock.run()
    clock.heard(OTHERS)
    silence = clock.silence()
    clock.server.post(f"/flow_runs/{run}/set_state", {"state": {"type": "COMPLETED"}})
    closed = silent_runs.close(clock.server.url, silence, time.monotonic() + 20)
    assert run not in {one["id"] for one in closed}
    assert clock.state(run)["type"] == "COMPLETED"


def test_the_heartbeat_of_the_environment_is_the_measure(clock: Clock, monkeypatch) -> None:
    monkeypatch.setenv("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", "30")
    assert clock.silence().seconds == 300


def looked(clock: Clock, root: Any, *, execute: bool) -> list[Any]:
    looking = Looking(str(root), Deadline.after(60))
    looking.now, looking.prefect = clock.now, clock.server.url
    plain(status_silent.close)(looking, execute)
    return looking.parts


def test_the_health_page_says_it_first_and_closes_it_when_told(
    clock: Clock, make_workspace
) -> None:
    root, run = make_workspace(), clock.run(name="lost-one")
    (line,) = looked(clock, root, execute=True)
    assert line.words == (
        "no sign of life for 30 min: lost-one; nor from anything else, so none is closed"
    )
    clock.heard(OTHERS)
    (line,) = looked(clock, root, execute=False)
    assert (line.words, line.command) == (
        "no sign of life for 30 min: lost-one", "python -m flows.status --execute"
    )  # fmt: skip
    assert clock.state(run)["type"] == "RUNNING"
    (line,) = looked(clock, root, execute=True)
    assert line.words == "no sign of life for 30 min, closed: lost-one"
    assert clock.state(run)["type"] == "CRASHED"
    assert looked(clock, root, execute=True) == []

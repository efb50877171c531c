"""One capability that hangs, lies or breaks is one line of the page; the others are asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded
from autopack.health.parts import Part
from autopack.report import Report
from tasks import status, status_prefect
from tasks.engine import flow, plain
from tasks.status import Looking, Question
from tests.support.loopback import Quiet, listening


@flow(name="hanging")
def hanging(workspace: str = ".", max_seconds: float = 60.0) -> Report:
    """Never answer.

    Args:
        workspace: The checkout.
        max_seconds: A deadline that it does not keep.
    """
    time.sleep(600)
    return Report("hanging")


@flow(name="honest")
def honest(workspace: str = ".", max_seconds: float = 60.0) -> Report:
    """Answer that it ran out of time.

    Args:
        workspace: The checkout.
        max_seconds: Its deadline.
    """
    raise DeadlineExceeded("--max-seconds 0.2 ran out")


def good(_report: Report) -> Part:
    return Part("it", "good", "fine")


def broken(report: Report) -> Part:
    return Part("it", "good", str(report.counts["no such count"]))


@flow(name="quick")
def quick(workspace: str = ".", max_seconds: float = 60.0) -> Report:
    """Answer at once.

    Args:
        workspace: The checkout.
        max_seconds: Its deadline.
    """
    return Report("quick")


@pytest.fixture
def looking(make_workspace) -> Looking:
    return Looking(str(make_workspace()), Deadline.after(600))


def asked(looking: Looking, fn: Callable[..., Report], read: Callable[[Report], Part]) -> Part:
    plain(status.ask)(looking, Question("it", fn, {}, read))
    return looking.parts[-1]


@pytest.mark.parametrize("fn", [hanging, honest])
def test_a_capability_that_takes_too_long_is_one_line(fn, looking, monkeypatch) -> None:
    monkeypatch.setattr(status, "LEAST_S", 0.2)
    monkeypatch.setattr(status, "SHARE", 0.0)
    part = asked(looking, fn, good)
    assert part.state == "unknown"
    assert "it has not answered in 0.2 s" in part.words
    assert "--max-seconds" in part.words
    assert asked(looking, quick, good).state == "good"


def test_only_the_look_s_own_deadline_ends_it(looking) -> None:
    looking.deadline = Deadline.after(0.01)
    time.sleep(0.02)
    with pytest.raises(DeadlineExceeded):
        asked(looking, honest, good)


def test_a_report_that_cannot_be_read_is_one_line(looking) -> None:
    part = asked(looking, quick, broken)
    assert part.state == "unknown"
    assert "no such count" in part.words


@contextmanager
def server(answers: dict[str, Any], status: int = 200) -> Iterator[str]:
    """Serve these answers by path, or what they make of a question; the rest is "lies"."""

    class Handler(Quiet):
        def _answer(self) -> None:
            asked = self.body()
            path = self.path.removeprefix("/api")
            answer = answers.get(path, "lies")
            data = json.dumps(answer(json.loads(asked)) if callable(answer) else answer).encode()
            self.send_response(200 if path == "/health" else status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer

    with listening(Handler) as at:
        yield f"http://{at}/api"


ALIVE = {"/health": True, "/admin/version": "3.4.0"}
FLOWS = {"/flows/filter": [{"id": "f", "name": "tidy"}]}


def schedules(looking: Looking, url: str, monkeypatch) -> Part:
    monkeypatch.setenv("PREFECT_API_URL", url)
    # Another test of this process may have pointed Prefect's own settings elsewhere.
    monkeypatch.setattr("tasks.server.api_url", lambda: url)
    plain(status_prefect.ask_prefect)(looking)
    return looking.parts[-1]


@pytest.mark.parametrize("runs", [
    "lies", {"detail": "x"}, [1], [{"id": "r", "flow_id": "f"}],
    [{"flow_id": "f", "state_type": "COMPLETED", "total_run_time": "long"}],
    [{"flow_id": "f", "state_type": "COMPLETED", "end_time": 7}],
])  # fmt: skip
def test_a_server_whose_answers_are_not_prefect_s_is_one_line(runs, looking, monkeypatch) -> None:
    with server({**ALIVE, **FLOWS, "/flow_runs/filter": runs, "/deployments/filter": []}) as url:
        part = schedules(looking, url, monkeypatch)
    assert part.state == "unknown"
    assert "Prefect" in part.words
    assert looking.runs == looking.due == []
    assert looking.prefect is None, "it is asked for nothing more"


def test_a_server_that_wants_a_password_is_not_one_that_is_absent(looking, monkeypatch) -> None:
    with server(ALIVE, status=401) as url:
        part = schedules(looking, url, monkeypatch)
    assert part.state == "unknown"
    assert "refuses our password" in part.words
    assert "PREFECT_API_AUTH_STRING" in part.words
    assert part.command != "make serve"


def test_runs_that_no_worker_takes_are_not_in_order(looking, monkeypatch) -> None:
    late = {"flow_id": "f", "deployment_id": "d", "state_type": "SCHEDULED", "state_name": "Late",
            "expected_start_time": "2026-01-31T12:00:00Z"}  # fmt: skip
    answers = {**ALIVE, **FLOWS, "/flow_runs/filter": [late],
               "/deployments/filter": [{"id": "d", "name": "nightly", "flow_id": "f"}]}  # fmt: skip
    with server(answers) as url:
        part = schedules(looking, url, monkeypatch)
    assert part.state == "look"
    assert "nobody takes the runs of tidy/nightly" in part.words
    assert part.command == "make serve"


def test_the_last_run_of_a_flow_that_runs_seldom_is_known(looking, monkeypatch) -> None:
    often = [{"flow_id": "f", "state_type": "COMPLETED"}] * 500
    runs = [*often, {"flow_id": "w", "state_type": "FAILED", "end_time": "2020-01-31T12:00:00Z"}]

    def newest(asked: dict[str, Any]) -> list[dict[str, Any]]:
        wanted = asked.get("flows", {}).get("id", {}).get("any_", ["f", "w"])
        ended = "COMPLETED" in asked["flow_runs"]["state"]["type"]["any_"]
        return [run for run in runs if ended and run["flow_id"] in wanted][: asked["limit"]]

    flows = [
        {"id": "f", "name": "sot-sync"},
        {"id": "w", "name": "weekly"},
        {"id": "n", "name": "new"},
    ]
    served = [{"id": "d", "name": "sunday", "flow_id": "w"}]
    answers = {**ALIVE, "/flows/filter": flows, "/flow_runs/filter": newest,
               "/deployments/filter": served}  # fmt: skip
    with server(answers) as url:
        part = schedules(looking, url, monkeypatch)
    assert part.state == "look"
    assert "the last run of weekly failed" in part.words
    assert [flow for flow, *_ in looking.runs] == ["sot-sync", "weekly"]


@pytest.mark.parametrize(("days_ago", "told"), [(6, True), (8, False)])
def test_a_failure_of_what_is_not_deployed_is_told_for_a_week(
    days_ago: int, told: bool, looking, monkeypatch
) -> None:
    at = (looking.now - timedelta(days=days_ago)).isoformat()
    run = {"flow_id": "f", "state_type": "FAILED", "end_time": at}
    answers = {**ALIVE, **FLOWS, "/flow_runs/filter": [run], "/deployments/filter": []}
    with server(answers) as url:
        part = schedules(looking, url, monkeypatch)
    assert ("the last run of tidy failed" in part.words) is told
    assert [flow for flow, *_ in looking.runs] == ["tidy"]


def test_a_step_of_the_look_with_a_bug_is_one_line(looking) -> None:
    with status.as_a_line(looking, "storage"):
        raise OverflowError("timestamp out of range")
    part = looking.parts[-1]
    assert (part.name, part.state) == ("storage", "unknown")
    assert "timestamp out of range" in part.words
    with pytest.raises(DeadlineExceeded), status.as_a_line(looking, "storage"):
        raise DeadlineExceeded("over")

"""A slot is waited for while Prefect's own database is busy, and no request of it is given up."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from autopack.errors import Unreachable
from tasks import api, slots
from tasks.slots import Slots, limit_of
from tests.support.loopback import Quiet, listening

LIMIT = {"active": True, "limit": 1, "active_slots": 0, "slot_decay_per_second": 0}
Answer = tuple[int, Any]


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[str], Answer]], str]]:
    """A peer that answers each path as it is told."""
    peers = ExitStack()

    def serve(answer: Callable[[str], Answer]) -> str:
        class Peer(Quiet):
            def do_GET(self) -> None:
                self.body()
                status, body = answer(self.path)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            do_POST = do_GET

        return f"http://{peers.enter_context(listening(Peer))}"

    with peers:
        yield serve


def test_a_limit_is_missing_only_where_the_server_says_so(serving) -> None:
    answers = [(503, {}), (503, {}), (200, LIMIT)]
    busy = serving(lambda _: answers.pop(0))
    assert limit_of(busy, "docs", time.monotonic() + 20) == LIMIT
    assert limit_of(serving(lambda _: (404, {})), "docs", time.monotonic() + 20) is None
    for status in (401, 503):
        url = serving(lambda _, status=status: (status, {}))
        with pytest.raises(Unreachable, match=f"what the limit 'docs' is: HTTP {status}"):
            limit_of(url, "docs", time.monotonic() + 0.6)


def test_a_slot_that_comes_late_is_no_slot_that_is_lost(
    serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "ASK_S", 0.3)

    def answer(path: str) -> Answer:
        if path.endswith("increment-with-lease"):
            time.sleep(1.0)
            return 200, {"lease_id": "late"}
        return 200, LIMIT

    taking = Slots(serving(answer), ["docs"], None)
    assert taking.take(time.monotonic() + 30, lambda _: None, lambda: False) == "late"
    taking.release()


def test_a_server_that_is_started_again_is_waited_for(
    serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = api.call
    turns = iter([1, 0, 1, 1, 0])
    away: list[str] = []

    def call(url: str, path: str, *rest: Any) -> Answer:
        if next(turns, 0):
            away.append(path.rpartition("/")[2])
            url = "http://127.0.0.1:9"
        return answered(url, path, *rest)

    monkeypatch.setattr(api, "call", call)
    url = serving(lambda path: (200, {"lease_id": "it"} if path.endswith("lease") else LIMIT))
    taking = Slots(url, ["docs"], None)
    assert taking.take(time.monotonic() + 30, lambda _: None, lambda: False) == "it"
    taking.release()
    assert away == ["docs", "increment-with-lease", "increment-with-lease"]


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "AWAY_S", 1.0)
    slot = Slots("http://127.0.0.1:9", ["docs"], None)
    with pytest.raises(Unreachable, match=r"does not answer: .*refused"):
        slot.take(time.monotonic() + 300, lambda _: None, lambda: False)

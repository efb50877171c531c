"""The queue of pending moves: who is tried when, how often, and what ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autopack.errors import Refused
from autopack.tidy.moves import Identity, Move, ended
from autopack.tidy.queue import (
    JITTER,
    POLICIES,
    STATES,
    Caps,
    Queue,
    absorb,
    aged,
    begun,
    delay_s,
    gone,
    item_id,
    jitter_of,
)  # fmt: skip
from autopack.tidy.queue_json import Unreadable, of_json, of_old_json, to_json

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
WHO = Identity(1, 2, 3, 4, "digest")
RETRIED = [status for status, policy in POLICIES.items() if policy.attempts > 1]


def move(name: str = "a.md") -> Move:
    return Move(name, f"archive/{name}", WHO, "rule", "reason", "phase")


def after(*statuses: str, now: datetime = NOW) -> Queue:
    """Return a queue after attempts at one move, each as soon as it is due."""
    queue = Queue()
    for status in statuses:
        now = max([now, *(item.eligible_at for item in queue.items.values())])
        queue = absorb(queue, [ended(move(), status, "why")], now).queue
    return queue


def only(queue: Queue):
    (item,) = queue.items.values()
    return item


@pytest.mark.parametrize("status", RETRIED)
def test_a_reason_is_tried_as_often_as_its_policy_says(status) -> None:
    most = POLICIES[status].attempts
    assert only(after(*[status] * (most - 1))).state == "pending"
    assert only(after(*[status] * most)).state == "needs_manual"


@pytest.mark.parametrize("status", ["dest_exists", "identical", "needs_manual"])
def test_what_waiting_cannot_mend_needs_a_person_at_once(status) -> None:
    assert only(after(status)).state == "needs_manual"


def test_reasons_are_counted_apart_and_never_start_again() -> None:
    item = only(after("locked", "permission", "locked", "permission", "locked"))
    assert item.attempts == {"locked": 3, "permission": 2}
    assert item.state == "pending"
    assert only(after(*["locked", "permission"] * 3)).state == "needs_manual"


def test_a_vanished_source_is_gone_at_once_and_a_moved_one_done() -> None:
    assert only(after("locked", "gone")).state == "gone"
    assert only(after("locked", "moved")).state == "done"
    assert after("gone").items == {}
    assert after("moved").items == {}


def test_a_deferred_attempt_counts_for_nothing() -> None:
    assert after("deferred").items == {}
    queue = after("locked")
    assert absorb(queue, [ended(move(), "deferred")], NOW).queue == queue


def test_delays_double_up_to_the_cap_and_chance_only_shortens() -> None:
    policy = POLICIES["locked"]
    whole = [delay_s(policy, n, 0.0) for n in range(1, 11)]
    assert whole == [300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, 86400]
    assert delay_s(policy, 3, 1.0) == 1200 * (1 - JITTER)
    assert delay_s(policy, 10_000, 0.0) == policy.cap_s


def test_chance_is_the_same_for_the_same_attempt_and_spread_over_items() -> None:
    drawn = [jitter_of(item_id(f"{n}", "x"), 1) for n in range(1000)]
    assert drawn == [jitter_of(item_id(f"{n}", "x"), 1) for n in range(1000)]
    assert 0 <= min(drawn) < 0.01
    assert 0.99 < max(drawn) < 1
    assert 0.45 < sum(drawn) / 1000 < 0.55


def test_the_longest_due_comes_first_and_the_rest_waits() -> None:
    queue = Queue()
    for n in range(5):
        late = NOW - timedelta(hours=n)
        queue = absorb(queue, [ended(move(f"{n}"), "locked")], late).queue
    assert [item.source for item in queue.eligible(NOW, 2)] == ["4", "3"]
    assert queue.eligible(NOW, 9) == queue.eligible(NOW + timedelta(seconds=1), 4)
    assert len(queue.eligible(NOW + timedelta(days=1), 9)) == 5


def test_a_clock_set_back_does_not_starve_an_item() -> None:
    queue = after("locked", now=NOW + timedelta(days=30))
    assert only(queue).eligible(NOW)


def test_a_full_queue_refuses_and_says_so() -> None:
    change = absorb(
        Queue(), [ended(move(f"{n}"), "locked") for n in range(15)], NOW, Caps(items=10)
    )
    assert len(change.queue.items) == 10
    assert [outcome.move.source for outcome in change.refused] == [f"{n}" for n in range(10, 15)]
    again = absorb(change.queue, [ended(move("0"), "locked")], NOW, Caps(items=10))
    assert again.refused == ()
    assert again.queue.items[item_id("0", "archive/0")].attempts == {"locked": 2}


def test_what_waited_too_long_needs_a_person_and_what_is_settled_leaves() -> None:
    queue = absorb(after("locked"), [ended(move("b"), "locked")], NOW + timedelta(days=29)).queue
    change = aged(queue, NOW + timedelta(days=31))
    assert [item.source for item in change.late] == ["a.md"]
    assert [item.state for item in change.queue.items.values()] == ["needs_manual", "pending"]
    done = after("locked", "moved")
    assert only(aged(done, NOW + timedelta(days=1)).queue).state == "done"
    assert aged(done, NOW + timedelta(days=9)).queue.items == {}


def test_an_attempt_that_a_crash_ended_counts() -> None:
    queue = after("locked")
    item = only(queue)
    marked = only(begun(queue, [item], NOW))
    assert marked.attempts == {"locked": 1, "unknown": 1}
    assert marked.identity == item.identity
    assert not marked.eligible(NOW)


def test_needs_manual_ends_when_the_thing_is_moved_or_taken_away() -> None:
    queue = after("dest_exists")
    assert only(absorb(queue, [ended(move(), "locked")], NOW).queue).state == "needs_manual"
    assert only(absorb(queue, [ended(move(), "moved")], NOW).queue).state == "done"
    assert only(gone(queue, [only(queue).id], NOW)).state == "gone"


class Lives(RuleBasedStateMachine):
    """Any order of outcomes, times and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.now = NOW
        self.caps = Caps(items=3)

    @rule(
        name=st.sampled_from("abcde"),
        status=st.sampled_from([*POLICIES, "moved", "gone", "deferred"]),
    )
    def attempt(self, name, status) -> None:
        outcome = ended(move(name), status, "why")
        before, known = self.queue, item_id(name, f"archive/{name}")
        change = absorb(before, [outcome], self.now, self.caps)
        self.queue = change.queue
        if change.refused:
            assert before.items.get(known) is None or before.items[known].state != "pending"
            assert len(before.pending()) >= self.caps.items
        elif status not in ("moved", "gone", "deferred"):
            item = self.queue.items[known]
            assert item.reason == status
            assert item.state == "needs_manual" or item.eligible_at > self.now

    @rule(hours=st.integers(-800, 800))
    def wait(self, hours) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def retry(self) -> None:
        due = self.queue.eligible(self.now, 2)
        marked = begun(self.queue, due, self.now)
        assert marked.items.keys() == self.queue.items.keys()
        assert not {item.id for item in due} & {i.id for i in marked.eligible(self.now, 9)}
        ends = [ended(item.planned(WHO), "locked") for item in due]
        self.queue = absorb(self.queue, ends, self.now, self.caps).queue

    @rule()
    def age(self) -> None:
        late = aged(self.queue, self.now, self.caps)
        assert all(item.state == "pending" for item in late.queue.pending())
        self.queue = late.queue

    @rule()
    def restart(self) -> None:
        again, wrong = of_json(to_json(self.queue))
        assert wrong == []
        assert again == self.queue
        self.queue = again

    @invariant()
    def holds(self) -> None:
        assert len(self.queue.pending()) <= self.caps.items
        for key, item in self.queue.items.items():
            assert key == item.id
            assert item.state in STATES
            if item.state == "pending":
                for reason, tried in item.attempts.items():
                    assert tried < POLICIES[reason].attempts


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
test_any_life_of_a_queue_keeps_its_rules = Lives.TestCase


# --- JSON -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'{"items": []}', b"\xff", b'{"schema": "x", "items": []}', b"null"]
)
def test_what_is_not_a_queue_is_not_read(data) -> None:
    with pytest.raises(Unreadable):
        of_json(data)


def test_a_queue_of_a_later_version_is_refused_and_not_called_corrupt() -> None:
    with pytest.raises(Refused, match="version 2"):
        of_json(b'{"schema": "autopack.move-queue/2", "items": []}')


def test_a_bad_item_is_left_out_and_told_and_the_rest_kept() -> None:
    data = to_json(absorb(after("locked"), [ended(move("b"), "space")], NOW).queue)
    for old, new in ((b'"a.md"', b'"../a.md"'), (b'"locked"', b'"odd"'), (b'"pending"', b'"x"')):
        queue, wrong = of_json(data.replace(old, new, 1))
        assert [item.source for item in queue.items.values()] == ["b"]
        assert len(wrong) == 1
        assert wrong[0].startswith("item 1: ")


OLD = b"""{"schema_version": 1, "queue_id": "q", "workspace_root": "C:\\\\dev\\\\Project",
 "items": [
 {"id": "1", "src": "seed.db", "dest": "archive\\\\data\\\\seed.db", "action": "move",
  "status": "pending", "reason": "locked", "first_seen_at": "2026-01-02T14:00:00Z",
  "last_attempt_at": "2026-01-02T15:30:00Z", "attempt_count": 2,
  "next_eligible_at": "2026-01-02T15:40:00Z", "last_error": "[WinError 32] in use",
  "last_error_winerror": 32, "bytes_estimate": 1024, "tags": ["tidy_move"]},
 {"src": "C:\\\\dev\\\\project\\\\x.log", "dest": "archive/x.log", "status": "abandoned",
  "reason": "odd"},
 {"src": "done.log", "dest": "archive/done.log", "status": "succeeded"},
 {"src": "D:\\\\elsewhere\\\\x.log", "dest": "../x.log", "status": "pending"},
 {"src": "nothing"}
]}"""


def test_the_old_queue_is_taken_over_with_its_paths_counts_and_times() -> None:
    queue, wrong = of_old_json(OLD, NOW)
    first, second = queue.items.values()
    assert (first.source, first.destination) == ("seed.db", "archive/data/seed.db")
    assert (first.state, first.reason, first.attempts) == ("pending", "locked", {"locked": 2})
    assert first.eligible_at == datetime(2026, 1, 2, 15, 40, tzinfo=UTC)
    assert first.detail == "[WinError 32] in use"
    assert (second.source, second.state, second.reason) == ("x.log", "needs_manual", "unknown")
    assert [told.partition(":")[0] for told in wrong] == ["item 4", "item 5"]
    with pytest.raises(Unreadable):
        of_old_json(b'{"schema_version": 9, "items": []}', NOW)

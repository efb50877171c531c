"""The queue of moves that could not be made yet: what is tried again, when, and how often.

Time comes in as `now`, in UTC, and chance as a digest of item and attempt, so that every decision
can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from autopack.tidy.moves import Identity, Move, Outcome, Status, ended, next_step

State = Literal["pending", "gone", "needs_manual", "done"]
STATES: tuple[State, ...] = ("pending", "gone", "needs_manual", "done")


@dataclass(frozen=True, slots=True)
class Policy:
    """How often a reason is tried, and the delays between in seconds: doubled, up to the cap."""

    attempts: int
    base_s: float = 0.0
    cap_s: float = 0.0


POLICIES: dict[Status, Policy] = {
    "locked": Policy(10, 300, 86_400),
    "space": Policy(10, 600, 86_400),
    "changed": Policy(10, 300, 86_400),
    "permission": Policy(3, 60, 300),
    "unknown": Policy(5, 600, 7_200),
    "dest_exists": Policy(1),
    "identical": Policy(1),
    "needs_manual": Policy(1),
}
"""What is tried again; one attempt means that a person is needed at once."""
JITTER = 0.25
"""The part of a delay that chance may take away."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Where the queue ends: pending items, bytes of its file, and days in it."""

    items: int = 1_000
    file_bytes: int = 4 << 20
    days: float = 30.0
    settled_days: float = 7.0


CAPS = Caps()


@dataclass(frozen=True, slots=True)
class Pending:
    """A move that waits. `attempts` counts the tries that ended for each reason."""

    source: str
    destination: str
    rule: str
    why: str
    phase: str
    state: State
    reason: Status
    first_seen: datetime
    eligible_at: datetime
    last_attempt: datetime | None = None
    attempts: Mapping[str, int] = field(default_factory=dict)
    identity: Identity | None = None
    detail: str = ""

    @property
    def id(self) -> str:
        """The same for the same pair of paths, in every run."""
        return item_id(self.source, self.destination)

    @property
    def tries(self) -> int:
        """How often it was tried, whatever came of it."""
        return sum(self.attempts.values())

    def eligible(self, now: datetime) -> bool:
        """Return whether it may be tried; also when the clock was set back since the last try."""
        set_back = self.last_attempt is not None and now < self.last_attempt
        return self.state == "pending" and (now >= self.eligible_at or set_back)

    def planned(self, identity: Identity) -> Move:
        """Return the move, of the thing as it is now."""
        return Move(self.source, self.destination, identity, self.rule, self.why, self.phase)


@dataclass(frozen=True, slots=True)
class Queue:
    """Every item by its id, the oldest first."""

    items: Mapping[str, Pending] = field(default_factory=dict)

    def pending(self) -> list[Pending]:
        """Return what waits."""
        return [item for item in self.items.values() if item.state == "pending"]

    def eligible(self, now: datetime, most: int) -> list[Pending]:
        """Return at most so many items that may be tried now, the longest due first."""
        due = [item for item in self.pending() if item.eligible(now)]
        return sorted(due, key=lambda item: (item.eligible_at, item.id))[:most]

    def with_items(self, items: Iterable[Pending]) -> Queue:
        """Return the queue with these items put in, or in place of their former selves."""
        return Queue({**self.items, **{item.id: item for item in items}})

    def without(self, ids: Iterable[str]) -> Queue:
        """Return the queue without some items."""
        dropped = set(ids)
        return Queue({key: item for key, item in self.items.items() if key not in dropped})


@dataclass(frozen=True, slots=True)
class Change:
    """A queue after something happened; `refused` found no place in it, `late` went over its age.

    Both must be told: what is refused stays where it is, and is planned again by the next run.
    """

    queue: Queue
    refused: tuple[Outcome, ...] = ()
    late: tuple[Pending, ...] = ()


def item_id(source: str, destination: str) -> str:
    """Return the id of a pair of paths: 16 hexadecimal digits."""
    return sha256(f"{source}\0{destination}".encode("utf-8", "surrogateescape")).hexdigest()[:16]


def jitter_of(item: str, attempt: int) -> float:
    """Return a number from 0 up to 1, the same for the same item and attempt."""
    return int.from_bytes(sha256(f"{item}/{attempt}".encode()).digest()[:7], "big") / 2**56


def delay_s(policy: Policy, attempt: int, jitter: float) -> float:
    """Return how long to wait after the attempt with this number, from 1, in seconds."""
    whole = min(policy.cap_s, policy.base_s * 2.0 ** min(attempt - 1, 60))
    return whole * (1 - JITTER * jitter)


def absorb(queue: Queue, outcomes: Iterable[Outcome], now: datetime, caps: Caps = CAPS) -> Change:
    """Take over how moves ended: what failed waits, what is settled is marked.

    A move that is not in the queue gets in only if it can be tried again or needs a person. One
    whose item was settled starts anew.
    """
    items, refused = dict(queue.items), []
    room = caps.items - len(queue.pending())
    for outcome in outcomes:
        known = items.get(item_id(outcome.move.source, outcome.move.destination))
        lives = known is not None and known.state not in ("done", "gone")
        item = _after(known if known and lives else _new(outcome.move, now), outcome, now)
        if item is None or (known is None and item.state in ("done", "gone")):
            continue
        more = (item.state == "pending") - (known is not None and known.state == "pending")
        if more > room:
            refused.append(outcome)
            continue
        room -= more
        items[item.id] = item
    return Change(Queue(items), tuple(refused))


def _new(move: Move, now: datetime) -> Pending:
    return Pending(
        move.source, move.destination, move.rule, move.reason, move.phase, "pending", "unknown",
        first_seen=now, eligible_at=now, identity=move.identity,
    )  # fmt: skip


def _after(item: Pending, outcome: Outcome, now: datetime) -> Pending | None:
    """Return the item after an attempt; None where none was made."""
    status = outcome.status
    if status == "deferred":
        return None
    item = replace(item, detail=outcome.detail, last_attempt=now, identity=outcome.move.identity)
    if status in ("moved", "gone"):
        return replace(item, state="done" if status == "moved" else "gone", eligible_at=now)
    attempts = {**item.attempts, status: item.attempts.get(status, 0) + 1}
    item = replace(item, reason=status, attempts=attempts)
    policy, tried = POLICIES[status], attempts[status]
    if tried >= policy.attempts or item.state == "needs_manual":
        return replace(item, state="needs_manual", eligible_at=now)
    wait = delay_s(policy, tried, jitter_of(item.id, item.tries))
    return replace(item, state="pending", eligible_at=now + timedelta(seconds=wait))


def aged(queue: Queue, now: datetime, caps: Caps = CAPS) -> Change:
    """Hand what has waited too long to a person, and drop what was settled a while ago."""
    late = tuple(
        replace(item, state="needs_manual", detail=f"waited {caps.days:g} days: {item.detail}")
        for item in queue.pending()
        if now - item.first_seen > timedelta(days=caps.days)
    )
    over = [
        item.id
        for item in queue.items.values()
        if item.state in ("done", "gone")
        and now - (item.last_attempt or item.first_seen) > timedelta(days=caps.settled_days)
    ]
    return Change(queue.with_items(late).without(over), late=late)


def gone(queue: Queue, ids: Iterable[str], now: datetime) -> Queue:
    """Return the queue after the sources of some items have vanished."""
    return queue.with_items(
        replace(queue.items[key], state="gone", last_attempt=now, detail="the source vanished")
        for key in ids
    )


def begun(queue: Queue, items: Iterable[Pending], now: datetime) -> Queue:
    """Return the queue just before an attempt: a crash in the middle of it counts as one.

    The outcome of the attempt is to be absorbed into the queue as it was before.
    """
    marked = []
    for item in items:
        crashed = ended(item.planned(_NOBODY), "unknown", "the attempt did not end")
        after = _after(item, crashed, now)
        assert after
        marked.append(replace(after, identity=item.identity))
    return queue.with_items(marked)


_NOBODY = Identity(0, 0, 0, 0, "")


def advice(item: Pending) -> str:
    """Return the next step for an item that needs a person."""
    return next_step(item.reason)

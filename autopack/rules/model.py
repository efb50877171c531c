"""What failed, as values: one event, the incidents it belongs to, and the group of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

State = Literal["new", "active", "regressed", "resolved"]
EXAMPLES = 3
"""How many redacted messages a group shows."""


class Frame(NamedTuple):
    """One frame of a traceback; no line number, because edits move it."""

    file: str
    function: str


@dataclass(frozen=True)
class Event:
    """One failure, redacted, as it was found in an artefact.

    `event_id` is the SHA-256 of what failed, not of the file that tells it: a copy of an artefact
    is the same event. `type` and `message` are those of the root cause, `chain` names the types of
    all exceptions from the root to the one that was reported. `at` is aware and in UTC, or None.
    `family` is what the alias table says at the moment; it is no part of the event's identity.
    """

    event_id: str
    source: str
    run: str
    phase: str | None
    at: datetime | None
    type: str
    message: str
    component: str
    operation: str
    frames: tuple[Frame, ...]
    chain: tuple[str, ...]
    signature: str
    template: str
    origin: str
    family: str = ""
    line: int | None = None

    @property
    def incident(self) -> tuple[str, str | None, str]:
        """What the event is counted under: its run, its phase and its signature."""
        return (self.run, self.phase, self.signature)


@dataclass(frozen=True)
class Incident:
    """One kind of failure in one phase of one run, however often it was tried again."""

    run: str
    phase: str | None
    signature: str
    events: int
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True)
class Group:
    """All incidents of a family: what a rule would be about.

    `signature` is the one of most incidents in the family, `signatures` has them all. `runs` had
    the failure, `exposure` counts every run of the window, `rate` is incidents per such run.
    `trend` compares the later half of the exposed runs with the earlier one: (later - earlier) /
    (later + earlier), from -1 to 1.
    """

    signature: str
    family: str
    template: str
    type: str
    incidents: int
    events: int
    runs: int
    first_seen: datetime | None
    last_seen: datetime | None
    exposure: int
    rate: float
    trend: float
    examples: tuple[str, ...]
    state: State
    origin: str = ""
    component: str = ""
    operation: str = ""
    signatures: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()

"""What the later steps take from the miner: events, and every run with its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tasks import policy
from tasks.engine import task
from tasks.rules_ruling import Ruling

if TYPE_CHECKING:
    from autopack.rules.model import Event


@dataclass(frozen=True)
class Mined:
    """Events of a window, all runs in it (also those in which nothing failed), and its start."""

    events: Sequence[Event]
    runs: Mapping[str, datetime]
    since: datetime | None = None

    @property
    def exposure(self) -> int:
        """The number of runs."""
        return len(self.runs)


@task(**policy.READ)
def collect(ruling: Ruling, since_days: float | None, database_url: str | None) -> Mined:
    """Return the workspace's failures and runs."""
    raise NotImplementedError

"""What the later steps take from the miner: events, and every run with its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from autopack.report import Report
from tasks import failures
from tasks.failures_session import Mining
from tasks.rules_ruling import Ruling

if TYPE_CHECKING:
    from autopack.rules.model import Event


class Mined:
    """Events of a window, all runs in it (also those in which nothing failed), and its start.

    `known` are the events of all times: what else failed is what a rule is told from. A plain
    class, because Prefect walks others.
    """

    def __init__(
        self,
        events: Sequence[Event],
        runs: Mapping[str, datetime],
        known: Sequence[Event],
        since: datetime | None,
    ) -> None:
        self.events, self.runs = events, runs
        self.known, self.since = known, since

    @property
    def exposure(self) -> int:
        """The number of runs."""
        return len(self.runs)


def collect(
    report: Report, ruling: Ruling, since_days: float | None, database_url: str | None
) -> Mined:
    """Mine the workspace as `mine` does, and return the failures and runs of the last days.

    What could not be read is told in the report.
    """
    mining = Mining(str(ruling.root), since_days, database_url, ruling.deadline)
    report.targets = {"database": mining.target.named}
    failures.recall(mining)
    failures.collect(mining)
    failures.collect_telemetry(mining)
    failures.group(mining)
    report.findings += mining.findings
    since = None if since_days is None else ruling.now - timedelta(days=since_days)
    times = run_times(mining.runs, mining.events)
    runs = {run: at for run, at in times.items() if since is None or at >= since}
    events = [event for event in mining.events if event.run in runs]
    return Mined(events, runs, mining.events, since)


def run_times(
    folders: Mapping[str, datetime | None], events: Sequence[Event]
) -> dict[str, datetime]:
    """Return when each run was: its first dated failure, else when its folder last changed.

    A folder's time is that of its last copy or checkout, so a failure knows better. A run of which
    neither is known is left out.
    """
    dated: dict[str, datetime] = {}
    for event in events:
        if event.at is not None:
            dated[event.run] = min(event.at, dated.get(event.run, event.at))
    return {**{run: at for run, at in folders.items() if at}, **dated}

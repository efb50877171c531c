"""The rehearsal of many machines; its figures go to `docs/operations.md`."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.figures import record
from tests.support.machines import REDIS, Fleet, fleet
from tests.support.session import REPOSITORY
from tests.support.witness_flow import overlaps

DAY_S = 960
"""How long a day of schedules takes here: an hour is 40 seconds."""
DONE = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(REDIS is None, reason="no redis-server on PATH"),
    pytest.mark.skipif(
        not os.environ.get("AUTOPACK_SOAK"), reason="minutes of eight processes: make soak"
    ),
]


def ledger(entries: int) -> str:
    rows = "\n".join(f"## BUILD-{n:03}: number {n}\n\nText of it.\n" for n in range(1, entries + 1))
    return f"# Build History\n\n{rows}"


@contextmanager
def meanwhile(every_s: float, work: Callable[[int], None]) -> Iterator[None]:
    """Do a work again and again during the body, told how often it was done before."""
    over, broke = threading.Event(), []

    def again() -> None:
        times = 0
        while not over.wait(every_s):
            try:
                work(times)
            except Exception as error:  # shown at the end of the body
                broke.append(error)
                return
            times += 1

    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()
    assert not broke, broke


def growing(root: Path) -> AbstractContextManager[None]:
    """Add an entry every second, so that every run finds something to write."""

    def grow(times: int) -> None:
        draft = root / "docs/.draft"
        draft.write_text(ledger(4 + times))
        draft.replace(root / "docs/BUILD_HISTORY.md")

    return meanwhile(1.0, grow)


def at(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def latencies(runs: list[dict[str, Any]]) -> list[float]:
    return [at(run["start_time"]) - at(run["expected_start_time"]) for run in runs]


@pytest.fixture
def machines(tmp_path: Path, postgres_server, make_workspace) -> Iterator[Fleet]:
    root = make_workspace({"docs/BUILD_HISTORY.md": ledger(3)})
    folder = tmp_path / "machines"
    folder.mkdir()
    with fleet(folder, postgres_server, root) as made:
        yield made


def finished(machines: Fleet, ids: list[str]) -> list[dict[str, Any]]:
    runs = machines.runs(ids)
    return runs if len(runs) == len(ids) and {r["state_type"] for r in runs} <= DONE else []


def started(machines: Fleet) -> str:
    """Start the workers, wait until one run is through, and return the deployment."""
    deployment = machines.deploy()
    for name in machines.worker_names():
        machines.start(name)
    first = machines.request(deployment, 1)
    machines.until(lambda: finished(machines, first), "the first run")
    return deployment


def test_fifty_syncs_at_once(machines: Fleet) -> None:
    deployment = started(machines)

    # Alone on idle workers: how long from request to start.
    single = []
    for _ in range(3):
        one = machines.request(deployment, 1)
        single += machines.until(lambda one=one: finished(machines, one), "a run")

    began = time.monotonic()
    with growing(machines.workspace):
        fifty = machines.request(deployment, 50)
        runs = machines.until(lambda: finished(machines, fifty), "fifty runs", 1500)
    took = time.monotonic() - began
    states = {run["state"]["name"] for run in runs}
    writes = sum('"begin"' in line for line in machines.witness.read_text().splitlines())
    record(
        "fifty", seconds=round(took, 1), states=sorted(states), writing_steps=writes,
        overlaps=overlaps(machines.witness),
        start_latency_idle_s=[round(x, 1) for x in sorted(latencies(single))],
        start_latency_queue_median_s=round(statistics.median(latencies(runs)), 1),
    )  # fmt: skip
    assert states == {"Completed"}
    assert overlaps(machines.witness) == []


def test_a_power_cut_for_a_worker_a_server_and_redis(machines: Fleet) -> None:
    deployment = started(machines)
    with growing(machines.workspace):
        ids = machines.request(deployment, 15, pause_seconds=2.0)
        killed = []
        for name in ("worker-0", "server-1", "redis"):
            before = machines.witness.read_text().count('"begin"')
            machines.until(
                lambda before=before: machines.witness.read_text().count('"begin"') > before,
                "another writing step",
            )
            killed += machines.kill(name)
            time.sleep(5)
            machines.start(name)
            time.sleep(5)
        # The health page's schedule, every minute: heartbeats come six times as often here.
        with meanwhile(60.0, lambda _times: machines.look()):
            runs = machines.until(lambda: finished(machines, ids), "the runs", 1500)
    names = [run["state"]["name"] for run in runs]
    record(
        "killed",
        states={name: names.count(name) for name in sorted(set(names))},
        messages=[r["state"]["message"] for r in runs if r["state"]["name"] != "Completed"],
        overlaps=overlaps(machines.witness, killed),
    )
    assert overlaps(machines.witness, killed) == []
    assert set(names) <= {"Completed", "Crashed"}
    # One run of the worker that was killed, one that began while its only server was away.
    assert names.count("Crashed") <= 2


def period_s(cron: str) -> int:
    """Return how often a schedule of `prefect.yaml` is due; what is weekly is due in every day."""
    minute, hour = cron.split()[:2]
    if minute.startswith("*/"):
        return 60 * int(minute.removeprefix("*/"))
    return 3600 if hour == "*" else 86400


def first_s(cron: str) -> int:
    """Return when in a day it is due first, in seconds."""
    minute, hour = (int(field) if field.isdigit() else 0 for field in cron.split()[:2])
    return 3600 * hour + 60 * minute


def shortened(begin: datetime) -> tuple[str, int]:
    """Return `prefect.yaml` with a day in `DAY_S`, and how many runs that is."""
    given = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())
    runs = 0
    for deployment in given["deployments"]:
        deployment.pop("triggers", None)  # what starts by an event is no schedule
        if "schedules" in deployment:
            [cron] = [one["cron"] for one in deployment["schedules"]]
            part = DAY_S / 86400
            deployment["schedules"] = [
                {
                    "interval": period_s(cron) * part,
                    "anchor_date": (begin + timedelta(seconds=first_s(cron) * part)).isoformat(),
                }
            ]
            runs += 86400 // period_s(cron)
    return yaml.safe_dump(given), runs


def test_a_day_of_schedules_leaves_memory_flat(machines: Fleet) -> None:
    """Every schedule of `prefect.yaml`, as often as in a day, with the pauses left out."""
    for name in machines.worker_names():
        machines.start(name)
    text, day = shortened(datetime.now(UTC) + timedelta(seconds=30))
    machines.deploy(text)

    def ended(*states: str) -> int:
        wanted = {"flow_runs": {"state": {"type": {"any_": sorted(states)}}}}
        return int(machines.ask("/flow_runs/count", wanted))

    machines.until(lambda: ended(*DONE) >= day // 5, "the first runs", DAY_S)
    before = machines.memory()
    machines.until(lambda: ended(*DONE) >= day, "a day of runs", 2 * DAY_S)
    after = machines.memory()
    growth = {name: round(100 * (after[name] / before[name] - 1), 1) for name in before}
    record(
        "day", runs=day, states={state: ended(state) for state in sorted(DONE)},
        memory_mb={name: round(mb) for name, mb in after.items()}, growth_percent=growth,
    )  # fmt: skip
    assert ended("FAILED", "CRASHED") == 0
    assert max(growth.values()) <= 10

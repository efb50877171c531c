"""Events, incidents and groups: what counts once, and what the figures of a group are."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from autopack.rules.artefacts import event_of
from autopack.rules.grouping import QUIET_RUNS, aliases, group, incidents, unique
from autopack.rules.model import EXAMPLES
from autopack.rules.stored import event_lines, read_lines

START = datetime(2031, 1, 1, tzinfo=UTC)


def failed(
    run: str, day: int, message="no such table: parts", phase="p", *, second=0, type_="DbError"
):
    at = (START + timedelta(days=day, seconds=second)).isoformat()
    fields = {"error_type": type_, "error_message": message, "phase_id": phase, "timestamp": at}
    event = event_of({**fields, "run_id": run}, f"{run}/errors/{second}.json", "", 1)
    assert event is not None
    return event


def runs(count: int) -> dict[str, datetime | None]:
    return {f"r{n:02}": START + timedelta(days=n) for n in range(count)}


def test_a_storm_of_retries_is_one_incident():
    storm = [failed("r00", 0, second=n) for n in range(500)]
    (one,) = incidents(unique(storm))
    assert one.events == 500
    (found,) = group(storm, runs(4))
    assert (found.incidents, found.events, found.runs, found.exposure) == (1, 500, 1, 4)
    assert found.rate == 0.25


def test_a_copy_of_an_artefact_is_the_same_event():
    event = failed("r00", 0)
    copy = event_of(
        {"type": "DbError", "message": "no such table: parts ", "phase": "p", "run": "r00",
         "time": "2031-01-01T01:00:00+01:00"}, "elsewhere.json", "", 1,
    )  # fmt: skip
    assert copy is not None
    assert copy.event_id == event.event_id
    assert len(unique([event, copy])) == 1


def test_phases_runs_and_kinds_are_incidents_of_their_own():
    events = [failed("r00", 0), failed("r00", 0, phase="q"), failed("r01", 1)]
    events.append(failed("r00", 0, "no such column: parts"))
    assert len(incidents(events)) == 4
    assert [found.incidents for found in group(events, {})] == [3, 1]


def test_kinds_that_differ_in_many_names_are_one_group():
    names = ["ann", "bea", "cat", "dot", "eve", "fay"]
    events = [failed("r00", 0, f"the worker {name} went away") for name in names]
    (found,) = group(events, {})
    assert len(found.signatures) == 6
    assert len(found.examples) == EXAMPLES


def test_types_are_never_one_group():
    events = [failed("r00", 0, type_=name) for name in ("DbError", "OsError")]
    assert len(group(events, {})) == 2


@pytest.mark.parametrize(
    ("hit", "state"),
    [
        ([19], "new"), ([17], "new"), ([16], "active"), ([0, 19], "regressed"),
        ([5, 10, 18], "active"), ([0, 9], "resolved"),
    ],
)  # fmt: skip
def test_the_state_is_judged_by_runs(hit, state):
    assert QUIET_RUNS == 10
    (found,) = group([failed(f"r{n:02}", n) for n in hit], runs(20))
    assert found.state == state


@pytest.mark.parametrize(
    ("hit", "trend"), [([0, 1], -1.0), ([18, 19], 1.0), ([0, 19], 0.0), ([0, 17, 18, 19], 0.5)]
)
def test_the_trend_compares_the_halves_of_the_exposure(hit, trend):
    (found,) = group([failed(f"r{n:02}", n) for n in hit], runs(20))
    assert found.trend == trend


def test_order_changes_neither_groups_nor_families_nor_the_stored_file():
    events = [
        failed(f"r{n % 7:02}", n % 7, f"cannot open {n} of step{n % 5}", second=n)
        for n in range(60)
    ]
    expected, kept, named = group(events, runs(9)), event_lines(events), aliases(events)
    chance = random.Random(3)
    for _ in range(20):
        chance.shuffle(events)
        assert (group(events, runs(9)), event_lines(events), aliases(events)) == (
            expected, kept, named,
        )  # fmt: skip


def test_what_is_stored_reads_back_the_same():
    events = [failed("r00", 0), failed("r01", 1, "ünïcode “quoted”", phase="")]
    back, findings = read_lines(event_lines(events))
    assert set(back) == set(events)
    assert findings == []


def test_a_broken_line_of_the_store_is_a_finding():
    kept = event_lines([failed("r00", 0)])
    back, findings = read_lines(b'{"torn": \n[]\n' + kept)
    assert len(back) == 1
    assert [finding.line for finding in findings] == [1, 2]

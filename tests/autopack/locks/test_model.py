"""Every order of the protocol's steps, and mutants that the search must catch."""

from __future__ import annotations

import pytest

from autopack.locks.model import Rules, Setting, explore
from autopack.locks.ordering import arbitrary, canonical, survey

BOTH = ("exclusive", "shared")


@pytest.mark.parametrize(
    ("processes", "setting", "least"),
    [
        (2, Setting(epochs=5), 3500),
        (3, Setting(epochs=4), 12500),
        (3, Setting(epochs=2, modes=BOTH), 8000),
    ],
)
def test_no_order_of_steps_crashes_and_breaks_breaks_a_rule(processes, setting, least) -> None:
    explored = explore(processes, setting)
    assert explored.fault == "", explored.trace
    assert explored.states >= least


@pytest.mark.soak
def test_no_order_of_steps_of_many_shared_holders_breaks_a_rule(soak_rounds) -> None:
    explored = explore(3, Setting(epochs=soak_rounds(1, 4), modes=BOTH))
    assert explored.fault == "", explored.trace


@pytest.mark.parametrize(
    ("rules", "fault", "steps"),
    [
        (Rules(check_generation=False), "a fenced holder wrote", 6),
        (Rules(check_under_guard=False), "a fenced holder wrote", 6),
        (Rules(check_inode=False), "a grant fenced a holder that nobody broke", 7),
        (Rules(shared_excludes_exclusive=False), "an exclusive holder is not alone", 6),
    ],
)
def test_the_search_catches_every_check_that_is_left_out(rules, fault, steps) -> None:
    explored = explore(2, Setting(rules, BOTH))
    assert explored.fault == fault
    assert len(explored.trace) == steps


def test_the_trace_is_the_shortest_way_to_the_fault() -> None:
    trace = explore(2, Setting(Rules(check_generation=False))).trace
    assert trace == (
        "0 open exclusive", "0 flock", "0 enter", "BREAK", "0 check", "0 commit",
    )  # fmt: skip


def test_canonical_order_cannot_deadlock() -> None:
    every = survey(3, canonical(5))
    assert (every.plans, every.states) == (5456, 281_900)
    assert every.deadlocks == ()


def test_any_order_can_deadlock() -> None:
    some = survey(3, arbitrary(4, 2))
    assert (some.plans, len(some.deadlocks)) == (816, 104)
    assert any(set(plans) == {(0, 1), (1, 0)} for plans in some.deadlocks)

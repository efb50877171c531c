"""Whether programs that take several locks can wait for each other for ever."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, permutations

Plan = tuple[int, ...]
"""The ranks of the locks that one program takes, in the order in which it takes them."""


@dataclass(frozen=True)
class Survey:
    """How many sets of plans were tried, the states they have, and those that can deadlock."""

    plans: int
    states: int
    deadlocks: tuple[tuple[Plan, ...], ...]


def canonical(locks: int) -> list[Plan]:
    """Return every set of locks, taken in rank order."""
    return [plan for size in range(1, locks + 1) for plan in combinations(range(locks), size)]


def arbitrary(locks: int, most: int) -> list[Plan]:
    """Return every way of taking up to `most` locks, in any order."""
    return [plan for size in range(1, most + 1) for plan in permutations(range(locks), size)]


def survey(processes: int, plans: list[Plan]) -> Survey:
    """Run every combination of plans in every order of steps."""
    tried, states, stuck = 0, 0, []
    for chosen in combinations_with_replacement(plans, processes):
        seen, deadlock = _run(chosen)
        tried, states = tried + 1, states + seen
        if deadlock:
            stuck.append(chosen)
    return Survey(tried, states, tuple(stuck))


def _run(plans: tuple[Plan, ...]) -> tuple[int, bool]:
    """Return the number of states, and whether one of them has no way on before all have ended.

    A state says how many locks each program has; one more than its plan has means that it ended.
    """
    first = (0,) * len(plans)
    done = tuple(len(plan) + 1 for plan in plans)
    seen, queue, deadlock = {first}, deque([first]), False
    while queue:
        state = queue.popleft()
        after = _after(plans, state)
        deadlock = deadlock or (not after and state != done)
        fresh = [reached for reached in after if reached not in seen]
        seen.update(fresh)
        queue.extend(fresh)
    return len(seen), deadlock


def _after(plans: tuple[Plan, ...], state: Plan) -> list[Plan]:
    taken: set[int] = set()
    for plan, have in zip(plans, state, strict=True):
        if have <= len(plan):
            taken.update(plan[:have])
    return [
        (*state[:who], have + 1, *state[who + 1 :])
        for who, (plan, have) in enumerate(zip(plans, state, strict=True))
        if have == len(plan) or (have < len(plan) and plan[have] not in taken)
    ]

"""The queue of moves that wait: tried again when they are due, and fed with what did not go."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.report import Finding, NextStep
from autopack.tidy.moves import Move, Outcome
from autopack.tidy.queue import Pending, absorb, advice
from autopack.tidy.runs import OLD_RUNS
from tasks import policy
from tasks.engine import task
from tasks.tidy_session import Phase, Tidying

if TYPE_CHECKING:
    from autopack.io.move_queue import QueueFile

MOST = 200
QUICK_S = 2.0
"""How many items one run tries again, and how long a quick one does."""


def opened(tidying: Tidying) -> QueueFile:
    """Return the queue, read once a run; a run folder in it waits for the phase of runs.

    Raises:
        Refused: A later version of this program wrote it.
        Unreachable: It cannot be read.
    """
    from autopack.io.move_queue import read_queue

    if tidying.queue_file is None:
        file = tidying.queue_file = read_queue(tidying.root, tidying.now)
        runs = [key for key, item in file.queue.items.items() if item.rule == OLD_RUNS]
        file.queue = file.queue.without(runs)
    return tidying.queue_file


def retry(tidying: Tidying, phase: Phase, written: list[str]) -> None:
    """Try again what is due, or show what would be tried."""
    from autopack.io.move_queue import due_items

    file = opened(tidying)
    every = due_items(file, tidying.now, 1_000_000)
    due = every[:MOST]
    more = len(every) - len(due)
    phase.planned = len(due)
    if tidying.wish.execute:
        outcomes = _try_again(tidying, written)
        phase.done = sum(outcome.status == "moved" for outcome in outcomes)
        tidying.outcomes += [o for o in outcomes if o.status != "deferred"]
        more += len(due) - len(outcomes)
    else:
        moves = [move for item in due if (move := _shown(tidying, item)) is not None]
        tidying.plan += moves
        phase.status = "planned" if due else "done"
    phase.left = more
    if more and tidying.wish.execute:
        phase.status, phase.why = "partial", f"{more} queued moves are due and were not tried"


def _shown(tidying: Tidying, item: Pending) -> Move | None:
    """Return the move that would be tried again; None where its source is gone."""
    from autopack.io.moves import identify

    try:
        return item.planned(identify(tidying.root, item.source))
    except OSError:  # gone, or still closed to us: the attempt says which
        return None


@task(**policy.IDEMPOTENT_WRITE)
def _try_again(tidying: Tidying, written: list[str]) -> list[Outcome]:
    from autopack.io.move_queue import retry as try_items

    held, file = tidying.held, opened(tidying)
    assert held
    left = tidying.budget.remaining()
    limit = Deadline.after(min(QUICK_S, left) if tidying.wish.mode == "quick" else left)
    outcomes = []
    for outcome in try_items(
        file, tidying.run, lambda: datetime.now(UTC), most=MOST, deadline=limit,
        check=held.check, fence=lambda: held.guarded("queue"),
    ):  # fmt: skip
        outcomes.append(outcome)
        if outcome.status == "moved":
            written.append(outcome.move.destination)
    return outcomes


def waiting(tidying: Tidying) -> dict[str, Pending]:
    """Return the queued moves that are not settled, by their sources."""
    items = opened(tidying).queue.items.values()
    return {item.source: item for item in items if item.state in ("pending", "needs_manual")}


def keep_waiting(tidying: Tidying, outcomes: list[Outcome]) -> None:
    """Queue the moves that did not go, on disk before the phase ends; run folders never."""
    silent = ("moved", "gone", "changed", "deferred")
    stopped = [o for o in outcomes if o.status not in silent and o.move.rule != OLD_RUNS]
    held = tidying.held
    if stopped and held is not None:
        file = opened(tidying)
        file.take(absorb(file.queue, stopped, datetime.now(UTC)))
        file.save(lambda: held.guarded("queue"))


def describe(tidying: Tidying) -> None:
    """Say what waits, until when, and what needs a person."""
    file = tidying.queue_file
    if file is None:
        return
    items = list(file.queue.items.values())
    tidying.queue_counts = dict(Counter(item.state for item in items))
    tidying.findings += file.findings
    for item in items:
        if item.state == "needs_manual":
            words = f"waits for a person: {item.detail or item.reason} (to {item.destination})"
            found = Finding("move_needs_manual", "warning", item.source, None, words, advice(item))
            tidying.findings.append(found)
    pending = file.queue.pending()
    now = datetime.now(UTC)
    later = [item for item in pending if not item.eligible(now)]
    if later:
        due = min(item.eligible_at for item in later)
        reasons = ", ".join(f"{n} {name}" for name, n in Counter(i.reason for i in later).items())
        why = f"tries {len(later)} queued moves again ({reasons}), from {due:%Y-%m-%d %H:%M} UTC on"
        command = f"python -m flows.tidy --{tidying.wish.mode} --execute"
        tidying.next_steps.append(NextStep(why, command))

"""Moves of a tidy: planned with who each file is, shown in a dry run, made under the locks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from autopack.report import Finding
from autopack.tidy.moves import Move, Outcome, Status
from autopack.tidy.routing import Decision, free_place
from autopack.tidy.runs import OLD_RUNS
from tasks import policy
from tasks.engine import task
from tasks.tidy_queue import keep_waiting, opened, waiting
from tasks.tidy_session import Phase, Tidying

if TYPE_CHECKING:
    from autopack.io.moves import Recovered
    from autopack.tidy.runs import RunFolder

FENCE = "archive"
"""Every phase that moves holds this lock, and each change of a name is made under its guard."""


LARGE = 128 << 20
"""Bytes beyond which a file is left to a full run: its digest alone takes too long."""


@task(**policy.READ)
def plan_moves(tidying: Tidying, phase: str, decisions: list[Decision]) -> list[Move]:
    """Return the moves of what is routed; a taken destination gets a name of its own."""
    planned, queued = [], waiting(tidying)
    for decision in decisions:
        if tidying.out_of_time():
            break
        if decision.item.path in queued:
            continue
        if tidying.wish.mode == "quick" and decision.item.size > LARGE:
            tidying.large.append(decision.item.path)
            continue
        move = _planned(tidying, phase, decision)
        if move is not None:
            planned.append(move)
            tidying.taken.add(move.destination)
    return planned


def _planned(tidying: Tidying, phase: str, decision: Decision) -> Move | None:
    from autopack.io.listing import exists
    from autopack.io.moves import identify

    path, to = decision.item.path, decision.destination
    try:
        identity = identify(tidying.root, tidying.now_at(path))
    except FileNotFoundError:  # it went away since it was looked at
        return None
    except OSError as error:
        words = f"it cannot be read: {error.strerror or error}"
        step = "make it readable, or move it by hand, then run again"
        tidying.findings.append(Finding("not_movable", "warning", path, None, words, step))
        return None
    to = free_place(
        to, identity.digest, lambda name: name in tidying.taken or exists(tidying.root, name)
    )
    return Move(path, to, identity, decision.rule, decision.reason, phase)


@task(**policy.READ)
def plan_runs(tidying: Tidying, runs: list[RunFolder]) -> list[Move]:
    """Return the moves of old run folders; in a dry run nothing inside them is read."""
    from autopack.io.listing import identity_of_folder
    from autopack.io.moves import identify

    planned = []
    for run in runs:
        if tidying.out_of_time():
            break
        look = identify if tidying.wish.execute else identity_of_folder
        try:
            identity = look(tidying.root, run.path)
        except OSError:  # it went away, or nobody may look into it: the next run says so again
            continue
        reason = f"older than the {tidying.config.runs.keep} newest of its project"
        planned.append(Move(run.path, run.destination, identity, OLD_RUNS, reason, "runs"))
    return planned


@task(**policy.READ)
def foresee(tidying: Tidying, moves: list[Move]) -> list[Outcome]:
    """Return what would become of the moves now; nothing is written."""
    from autopack.io.moves import preview

    return list(preview(tidying.root, moves))


@task(**policy.IDEMPOTENT_WRITE)
def make_moves(tidying: Tidying, moves: list[Move], written: list[str]) -> list[Outcome]:
    """Make the moves; a move that was made before is not made again."""
    from autopack.io.moves import apply

    held = tidying.held
    assert held
    done: list[Outcome] = []
    for outcome in apply(
        tidying.root, tidying.run, moves, deadline=tidying.budget, check=held.check,
        fence=lambda: held.guarded(FENCE),
    ):  # fmt: skip
        done.append(outcome)
        tidying.outcomes.append(outcome)
        if outcome.status == "moved":
            written.append(outcome.move.destination)
    return done


def carry_out(tidying: Tidying, phase: Phase, moves: list[Move], written: list[str]) -> None:
    """Show the moves of a phase, or make them and queue what did not go."""
    tidying.plan += moves
    phase.planned += len(moves)
    if not tidying.wish.execute:
        real = [move for move in moves if move.source not in tidying.shown_at]
        tidying.outcomes += [o for o in foresee(tidying, real) if o.status != "moved"]
        tidying.shown_at |= {move.destination: move.source for move in moves}
        phase.status = "planned" if moves else phase.status
        return
    opened(tidying)  # before anything moves: what does not go must have its place
    outcomes = make_moves(tidying, moves, written)
    count(phase, outcomes)
    keep_waiting(tidying, outcomes)


def count(
    phase: Phase,
    outcomes: Iterable[Outcome],
    again: tuple[Status, ...] = ("changed", "deferred"),
    settled: tuple[Status, ...] = ("gone",),
) -> None:
    """Say in a phase how its moves went; `again` is left to a next run, `settled` needs nothing."""
    ended = [outcome.status for outcome in outcomes]
    phase.done += ended.count("moved")
    phase.left += sum(status in again for status in ended)
    queued = sum(status not in ("moved", *again, *settled) for status in ended)
    if phase.left or queued:
        phase.status = "partial"
        what = [f"{phase.left} are left"] if phase.left else []
        what += [f"{queued} could not be moved"] if queued else []
        phase.why = phase.why or ", ".join(what)


@task(**policy.READ)
def unfinished(tidying: Tidying) -> list[str]:
    """Return the runs whose moves did not all end, as far as their journals say."""
    from autopack.io.move_journal import unfinished as find

    return find(tidying.root)


@task(**policy.IDEMPOTENT_WRITE)
def recover(tidying: Tidying) -> list[Recovered]:
    """Settle the moves that killed runs left open; a second time nothing is open."""
    from autopack.io import moves

    held = tidying.held
    assert held
    return moves.recover(tidying.root, check=held.check, fence=lambda: held.guarded(FENCE))


def put_back(tidying: Tidying, phase: Phase, run: str, written: list[str]) -> None:
    """Put back what a run has moved, or show what would be."""
    if not tidying.wish.execute:
        _show_undo(tidying, foresee_undo(tidying, run))
        phase.planned = len(tidying.plan)
        phase.status = "planned" if tidying.plan else "done"
        return
    outcomes = undo_moves(tidying, run)
    tidying.plan += [outcome.move for outcome in outcomes]
    phase.planned = len(outcomes)
    tidying.outcomes += outcomes
    written += [o.move.destination for o in outcomes if o.status == "moved"]
    count(phase, outcomes, again=("deferred",), settled=())


def _show_undo(tidying: Tidying, outcomes: list[Outcome]) -> None:
    """Plan what would go back; a file that the run moved twice goes back in two steps."""
    back: set[str] = set()
    for outcome in outcomes:
        if outcome.status == "moved" or outcome.move.source in back:
            back.add(outcome.move.destination)
            tidying.plan.append(outcome.move)
        else:
            tidying.outcomes.append(outcome)


@task(**policy.READ)
def foresee_undo(tidying: Tidying, run: str) -> list[Outcome]:
    """Return what would be put back."""
    from autopack.io.moves import preview_undo

    return list(preview_undo(tidying.root, run))


@task(**policy.IDEMPOTENT_WRITE)
def undo_moves(tidying: Tidying, run: str) -> list[Outcome]:
    """Put back what a run has moved; what is back is not moved again."""
    from autopack.io.moves import undo

    held = tidying.held
    assert held
    return list(
        undo(
            tidying.root, run, tidying.run, deadline=tidying.budget, check=held.check,
            fence=lambda: held.guarded(FENCE),
        )
    )  # fmt: skip

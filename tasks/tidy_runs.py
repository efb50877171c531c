"""Old run folders go to the archive, each under its own lock; a run that is at work stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autopack.errors import Busy, UsageError
from autopack.locks.names import parse
from autopack.report import Finding
from autopack.tidy.runs import RunFolder
from tasks import policy, tidy_moves
from tasks.engine import task
from tasks.tidy_session import Phase, Tidying

TOGETHER = 25
"""Runs whose locks are held at once."""


def move_runs(tidying: Tidying, phase: Phase, runs: list[RunFolder], written: list[str]) -> None:
    """Move old runs, those that nobody works in."""
    at_work = runs_at_work(tidying, runs)
    free = [run for run in runs if run.path not in at_work]
    for run in runs:
        if run.path in at_work:
            _stays(tidying, phase, run, at_work[run.path])
    for first in range(0, len(free), TOGETHER):
        if tidying.out_of_time():
            phase.left += len(free) - first
            phase.status, phase.why = "partial", "the time ran out"
            return
        _move(tidying, phase, free[first : first + TOGETHER], written)


def _move(tidying: Tidying, phase: Phase, runs: list[RunFolder], written: list[str]) -> None:
    names = [name for run in runs if (name := _lock(run)) is not None]
    try:
        with locked(tidying, ("queue", "runs", *names, "archive")):
            moves = tidy_moves.plan_runs(tidying, runs)
            tidy_moves.carry_out(tidying, phase, moves, written)
    except Busy as error:
        if len(runs) == 1 or not _about_a_run(error):
            for run in runs:
                _stays(tidying, phase, run, error.message)
            return
        for run in runs:  # somebody began to work in one of them meanwhile
            _move(tidying, phase, [run], written)


def _about_a_run(error: Busy) -> bool:
    return "lock 'run:" in error.message


def _stays(tidying: Tidying, phase: Phase, run: RunFolder, why: str) -> None:
    phase.left += 1
    words = f"this run stays: {why}"
    command = f"python -m flows.locks status run:{run.ident}"
    tidying.findings.append(Finding("run_at_work", "warning", run.path, None, words, command))


def _lock(run: RunFolder) -> str | None:
    """Return the name of a run's lock; a name that no lock can have is nobody's."""
    try:
        return parse(f"run:{run.ident}").text
    except UsageError:
        return None


@task(**policy.READ)
def runs_at_work(tidying: Tidying, runs: list[RunFolder]) -> dict[str, str]:
    """Return the runs whose lock is held, and by whom."""
    from autopack.io.locks import inspect

    held = {seen.name: seen.line for seen in inspect(tidying.root) if seen.kernel != "free"}
    return {run.path: held[name] for run in runs if (name := f"run:{run.ident}") in held}


@contextmanager
def locked(tidying: Tidying, locks: tuple[str, ...]) -> Iterator[None]:
    """Hold a set of locks if something is to be written."""
    if not tidying.wish.execute:
        yield
        return
    with tidying.locked(*locks):
        yield

"""Who holds which lock of a workspace, what is stuck, and how to run a command under a lock."""

from __future__ import annotations

from typing import Annotated

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.report import Report
from autopack.settings import workspace_root
from flows.cli import main
from tasks import lock_break, lock_run, lock_status
from tasks.engine import Between, CommandLineOnly, Positional, Remainder, draft, flow
from tasks.locking import holding


@flow(name="locks-status")
def locks_status(
    name: Annotated[str | None, Positional()] = None,
    workspace: str = ".",
    all: bool = False,
    watch: Annotated[bool, CommandLineOnly()] = False,
    strict: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 86400.0,
) -> Report:
    """Show who holds each lock, whether it lives and moves, and how to break it.

    Looking disturbs nobody and creates nothing.

    Args:
        name: Only this lock, for instance docs or run:2026-01-31-a.
        workspace: The checkout whose .autonomous_runs/.locks/ is looked at.
        all: Also the free locks of runs and maintenance jobs.
        watch: Look again every second, until Ctrl-C.
        strict: Warnings and infos make the exit code 1.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400; it ends --watch too.

    Examples:
        python -m flows.locks status
        python -m flows.locks status docs --watch
    """
    report = draft(Report("locks-status"))
    root, deadline = workspace_root(workspace), Deadline.after(max_seconds)
    with report.step("look"):
        seen = lock_status.look(root, name, all, deadline)
    if watch:
        with report.step("watch"):
            seen = lock_status.watch(root, name, all, deadline, seen)
    lock_status.describe(report, seen)
    return report.settle(strict)


@flow(name="locks-break")
def locks_break(
    name: Annotated[str | None, Positional()] = None,
    workspace: str = ".",
    generation: int | None = None,
    stale: bool = False,
    all: bool = False,
    kill: bool = False,
    execute: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 60.0,
) -> Report:
    """Take a lock away from a holder that is stuck; its next write is then refused.

    A dead holder's lock is free already. A holder that makes progress keeps its lock.

    Args:
        name: The lock to break.
        workspace: The checkout whose lock it is.
        generation: The generation that status showed: what was seen is what is broken.
        stale: Clear what dead holders left, and give back their Prefect slots. What lives, stopped
            or not, keeps its lock.
        all: With --stale, every lock of the workspace.
        kill: End the holder's process (SIGKILL), where it stopped inside a write.
        execute: Do it. Without it the run says what would be done.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.locks break docs --generation 87 --execute
        python -m flows.locks break --stale --all --execute
    """
    report = draft(Report("locks-break", execute=execute))
    wish = lock_break.Wish.of(name, generation, stale, all, kill)
    root, deadline = workspace_root(workspace), Deadline.after(max_seconds)
    with report.step("break"):
        done = lock_break.carry_out(root, wish, execute, deadline)
    lock_break.describe(report, done)
    return report.settle()


@flow(name="locks-run")
def locks_run(
    name: list[str],
    workspace: str = ".",
    shared: list[str] | None = None,
    release_orphan_slots: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
    command: Annotated[tuple[str, ...], Remainder(), CommandLineOnly()] = (),
) -> Report:
    """Run a command while locks are held; the rest of the command line after -- is the command.

    The command inherits the locks: they stay held until it and whatever it left behind have ended,
    also if this process is killed. It is ended when a lock is broken or the run is cancelled. It
    finds the generations in AUTOPACK_LOCKS, as name=generation pairs.

    Args:
        name: A lock to hold alone: db, queue, runs, archive, docs, index, storage, tidy, run:ID
            or maintenance:NAME. May be given several times.
        workspace: The checkout whose locks they are.
        shared: Locks to hold together with other readers.
        release_orphan_slots: Give back the Prefect slot of a last holder that is proven dead,
            rather than wait until its lease ends.
        max_seconds: One deadline for waiting and for the command in seconds, 1 to 86400; the
            command is then ended.
        command: The command and its arguments, after --.

    Examples:
        python -m flows.locks run --name db -- alembic upgrade head
        python -m flows.locks run --name run:2026-01-31-a --shared docs -- ./executor --resume
    """
    report = draft(Report("locks-run"))
    if not command:
        raise UsageError(
            "there is no command to run",
            next_step="python -m flows.locks run --name db -- COMMAND ...",
        )
    if both := sorted({*name} & {*(shared or ())}):
        raise UsageError(
            f"{both[0]} is wanted alone and shared", next_step="name it once, in one of the two"
        )
    root, deadline = workspace_root(workspace), Deadline.after(max_seconds)
    with (
        holding(*name, shared=tuple(shared or ()), root=root, deadline=deadline,
                release_orphan_slots=release_orphan_slots) as held,
        report.step("command"),
    ):  # fmt: skip
        code = lock_run.run(command, held, deadline)
        lock_run.left_behind(report, held)
    lock_run.describe(report, command, code)
    return report.settle()


if __name__ == "__main__":
    main(locks_status, locks_break, locks_run)

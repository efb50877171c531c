"""Run a phase's command and its validation: confined, in time, and nothing left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, Unreachable
from autopack.report import Report
from autopack.settings import mask_command
from tasks import lock_run
from tasks.phase_runs_session import PhaseRun

if TYPE_CHECKING:
    from autopack.io.confine import Confinement, Sandbox
    from autopack.phases.codes import Code
    from autopack.phases.confinement import Grants

MARK = "AUTOPACK_PHASE"
"""Names the run in the environment of its command, and of all that this starts."""
KIND = 0.7
"""The part of the time to end in which nothing is killed yet; the rest is for the killing."""


def sandbox_for(run: PhaseRun, require: bool) -> Sandbox:
    """Return the best sandbox there is; none at all is a warning.

    Raises:
        Unreachable: `require`, and there is none.
    """
    from autopack.io.confine import best

    sandbox = best()
    if sandbox == "none":
        words = "this machine has neither Landlock (Linux 6.2) nor bubblewrap"
        if require:
            raise Unreachable(
                f"--require-sandbox: {words}", next_step="install bubblewrap", permanent=True
            )
        _add(run, "PS731", f"sandbox: none, {words}")
    return sandbox


@contextmanager
def confined(
    run: PhaseRun, report: Report, sandbox: Sandbox, writable: Sequence[str]
) -> Iterator[Confinement]:
    """Give the sandbox, and say in the report what it enforces."""
    from autopack.io.confine import confinement, outside

    with confinement(sandbox, run.root, _granted(run), outside(run.root, writable)) as made:
        _tell(report, made)
        yield made


def foretell(run: PhaseRun, report: Report, sandbox: Sandbox, writable: Sequence[str]) -> None:
    """Say what the sandbox would enforce; nothing is made."""
    from autopack.io.confine import Confinement, outside

    elsewhere = tuple(outside(run.root, writable))
    _tell(report, Confinement(sandbox, run.root, _granted(run), elsewhere, ""))
    report.findings += run.findings


def describe(
    report: Report, run: PhaseRun, command: Sequence[str], code: int | None, proof: int | None
) -> None:
    """Say how the command and the validation ended; None means that their time ran out."""
    report.extra["command"] = {"line": mask_command(command), "exit_code": code}
    line = mask_command(run.proof.argv)
    report.extra["validation"] = {"line": line, "exit_code": proof}


def _granted(run: PhaseRun) -> Grants:
    from autopack.phases.confinement import grants

    return grants(run.scope, run.snapshot.census.items)


def _tell(report: Report, made: Confinement) -> None:
    """Put what the sandbox enforces into the report, as values and in words."""
    told = report.extra["sandbox"] = _described(made)
    rows = [("sandbox", [told["kind"]]), ("may write", told["may_write"]),
            ("checked afterwards", told["checked_afterwards"])]  # fmt: skip
    words = (f"{name}: {', '.join(map(str, values)) or 'nothing'}" for name, values in rows)
    report.body = "\n".join(words)


def _described(made: Confinement) -> dict[str, Any]:
    granted = made.grants
    if made.sandbox == "none":
        return {"kind": "none", "may_write": ["everything"], "checked_afterwards": ["everything"]}
    folders = (*granted.folders, *granted.missing_folders)
    loose = [f"which names match {glob}" for glob in granted.looser]
    return {
        "kind": made.sandbox,
        "may_write": [
            *(f"{path}/" for path in folders), *granted.files, *granted.missing_files,
            *made.elsewhere,
        ],
        "checked_afterwards": [*loose, "modes and owners", "budgets of files and lines"],
        "no_new_names_in": [path or "." for path in granted.closed],
    }  # fmt: skip


def work(run: PhaseRun, made: Confinement, command: Sequence[str]) -> int | None:
    """Run the command within the budget's seconds; return its exit code, None if they ran out."""
    code = _bounded(run, made, command, run.budget.seconds, {})
    if code is None:
        _add(run, "PS722", f"the command was ended after {run.budget.seconds} s")
    elif code:
        _add(run, "PS723", f"{command[0]} {_how(code)}")
    return code


def validate(run: PhaseRun, made: Confinement) -> int | None:
    """Run the spec's own command within its timeout; return its exit code, None if it ran out."""
    proof = run.proof
    made.take_away()  # else it would hold with an empty file that is not there afterwards
    # What a test run leaves beside the code would count as the phase's own.
    quiet = {"PYTHONDONTWRITEBYTECODE": "1"}
    code = _bounded(run, made, proof.argv, proof.timeout_seconds, quiet)
    if code is None:
        _add(run, "PS724", f"{mask_command(proof.argv)} was ended after {proof.timeout_seconds} s")
    elif code:
        _add(run, "PS724", f"{mask_command(proof.argv)} {_how(code)}")
    return code


def _bounded(
    run: PhaseRun, made: Confinement, command: Sequence[str], seconds: float, more: dict[str, str]
) -> int | None:
    """Run a command for so long at most, end what it left, and return its exit code.

    Raises:
        DeadlineExceeded: The whole run's time was over before the command's own.
        Unreachable: There is no such command.
    """
    from autopack.io.confine import launcher

    told = {MARK: run.snapshot.run, **made.environment, **more}
    most = max(seconds / 0.9, seconds) if seconds < 45 else seconds + lock_run.ENDS_WITHIN_S
    own = Deadline.after(min(most, run.deadline.remaining()))
    left: list[int] = []
    try:
        with launcher(made, command, KIND * lock_run.margin_s(own)) as launch:
            left = launch.left
            start = lock_run.Start(run.root, told, launch.descriptors, alone=True)
            return lock_run.run(launch.words, run.held, own, start)
    except DeadlineExceeded:
        if own.max_seconds < most:
            raise
        return None
    finally:
        _tell_left(run, command, left)


def _tell_left(run: PhaseRun, command: Sequence[str], left: list[int]) -> None:
    """Say what outlived a command; what bears the run's mark is ended where no warden did."""
    wait_s = min(lock_run.ENDS_WITHIN_S, run.deadline.remaining() / 4)
    mark = f"{MARK}={run.snapshot.run}".encode()
    if pids := sorted({*left, *lock_run.end_heirs(run.held, mark, wait_s)}):
        words = ", ".join(map(str, pids))
        _add(run, "PS725", f"pid {words} outlived {command[0]} and was ended")


def _how(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _add(run: PhaseRun, code: Code, words: str) -> None:
    from autopack.phases.violations import Violation

    run.findings.append(Violation(code, "", words).finding(run.scope.phase))

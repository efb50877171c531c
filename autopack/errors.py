"""Exit codes and the exceptions that mean "I could not do the job".

A finding (drift, a broken link) is a value in the report; an exception ends the run.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a run's exit code means; the one table for every flow."""

    CLEAN = 0
    FINDINGS = 1
    USAGE = 2
    DEADLINE = 3
    UNREACHABLE = 4
    BUSY = 5
    REFUSED = 6
    BUG = 70
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.CLEAN: "clean: nothing to report, or everything that was asked for is done",
    ExitCode.FINDINGS: "findings: drift, broken links, violations, or a partial result",
    ExitCode.USAGE: "usage: an unknown flag, a bad value, a contradiction, or no workspace",
    ExitCode.DEADLINE: "deadline: `--max-seconds` ran out; nothing is half-written",
    ExitCode.UNREACHABLE: "a target or a needed tool is unreachable, missing or not configured",
    ExitCode.BUSY: "a lock is busy: another writer is at work",
    ExitCode.REFUSED: "refused by a safety gate; the previous state stays",
    ExitCode.BUG: "a bug: the line names the file that holds the traceback",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.TERMINATED: "terminated (SIGTERM, a closed terminal)",
}

STATUS: dict[ExitCode, str] = {
    ExitCode.CLEAN: "clean",
    ExitCode.FINDINGS: "findings",
    ExitCode.DEADLINE: "deadline",
    ExitCode.BUSY: "busy",
    ExitCode.REFUSED: "refused",
}


def exit_code_table() -> str:
    """Return the exit codes as a Markdown table, as the docs print it."""
    rows = [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    return "\n".join(["| exit code | meaning |", "|---|---|", *rows])


class AutopackError(Exception):
    """The job could not be done: what, where, and the next command."""

    code = ExitCode.BUG

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message}. Next: {self.next_step}" if self.next_step else self.message


class UsageError(AutopackError):
    """A flag, a value or the workspace is wrong."""

    code = ExitCode.USAGE


class DeadlineExceeded(AutopackError):
    """The run's one deadline passed."""

    code = ExitCode.DEADLINE


class Unreachable(AutopackError):
    """A database, a vector engine, a server or a tool is missing or does not answer.

    `permanent` says that another try in the same run cannot help: a wrong password, say.
    """

    code = ExitCode.UNREACHABLE

    def __init__(self, message: str, next_step: str = "", *, permanent: bool = False) -> None:
        super().__init__(message, next_step)
        self.permanent = permanent


class Busy(AutopackError):
    """Another writer holds what this run needs."""

    code = ExitCode.BUSY


class Refused(AutopackError):
    """A safety gate said no; nothing was changed."""

    code = ExitCode.REFUSED

"""Run a command under locks that it inherits, and end it when the time is over."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, Unreachable
from autopack.report import Finding, Report
from tasks.locking import Held

ENDS_WITHIN_S = 5.0
"""Longest time a command gets to end after SIGTERM, before SIGKILL and the deadline."""


def run(command: Sequence[str], held: Held, deadline: Deadline) -> int:
    """Run a command to its end and return its exit code, negative for a signal.

    The lock files are open in the command too, so they stay locked until it has ended, even if
    this process is killed.

    Raises:
        Unreachable: There is no such command.
        DeadlineExceeded: The time was over; the command was ended.
    """
    told = ",".join(f"{name}={number}" for name, number in held.generations.items())
    try:
        child = subprocess.Popen(  # noqa: S603 - the user's own command
            list(command), env={**os.environ, "AUTOPACK_LOCKS": told}, pass_fds=held.descriptors()
        )
    except OSError as error:
        raise Unreachable(
            f"{command[0]}: {error.strerror}", next_step="check the command after --"
        ) from None
    margin = min(ENDS_WITHIN_S, deadline.max_seconds / 10)
    try:
        return child.wait(max(0.0, deadline.remaining() - margin))
    except subprocess.TimeoutExpired:
        raise DeadlineExceeded(
            f"--max-seconds {deadline.max_seconds:g} ran out; {command[0]} was ended",
            next_step="run again with a larger --max-seconds",
        ) from None
    finally:
        _end(child, margin)


def _end(child: subprocess.Popen[bytes], wait_s: float) -> None:
    """End a command that still runs: politely first."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(wait_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def describe(report: Report, command: Sequence[str], code: int) -> None:
    """Say how the command ended; anything but 0 is a finding."""
    report.extra["command"] = {"words": list(command), "exit_code": code}
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        words = f"{command[0]} {how}"
        report.findings.append(Finding("command_failed", "error", "", None, words))

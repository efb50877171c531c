"""Run a command under locks that it inherits, and end it when the time is over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, Unreachable
from autopack.io.lock_processes import bearers, openers
from autopack.report import Finding, Report
from autopack.settings import mask_command
from tasks.locking import Held

LOOKS_EVERY_S = 1.0
ENDS_WITHIN_S = 5.0
"""Longest time a command gets to end after SIGTERM, before SIGKILL and the deadline."""


@dataclass(frozen=True)
class Start:
    """How a command starts: where, what it is told, and whether in a process group of its own."""

    cwd: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    descriptors: tuple[int, ...] = ()
    alone: bool = False


def run(
    command: Sequence[str],
    held: Held,
    deadline: Deadline,
    start: Start = Start(),
) -> int:
    """Run a command to its end and return its exit code, negative for a signal.

    The lock files are open in the command too, so they stay locked until it and whatever inherited
    them from it have ended, even if this process is killed.

    Raises:
        Unreachable: There is no such command.
        DeadlineExceeded: The time was over; the command was ended.
        Fenced: A lock was broken, or the run cancelled; the command was ended.
    """
    told = ",".join(f"{name}={number}" for name, number in held.generations.items())
    try:
        child = subprocess.Popen(  # noqa: S603 - the user's own command
            list(command), cwd=start.cwd, env={**os.environ, **start.env, "AUTOPACK_LOCKS": told},
            pass_fds=(*held.descriptors(), *start.descriptors), start_new_session=start.alone,
        )  # fmt: skip
    except OSError as error:
        raise Unreachable(
            f"{command[0]}: {error.strerror}", next_step="check the command after --"
        ) from None
    margin = margin_s(deadline)
    try:
        return _watch(child, held, deadline, margin)
    except BaseException:
        _end(child, held, margin, start.alone)
        raise


def margin_s(deadline: Deadline) -> float:
    """Return how many seconds before its deadline a command is told to end."""
    return min(ENDS_WITHIN_S, deadline.max_seconds / 10)


def _watch(child: subprocess.Popen[bytes], held: Held, deadline: Deadline, margin: float) -> int:
    """Wait for the end, and look every second whether the locks are still ours."""
    while deadline.remaining() > margin:
        try:
            code = child.wait(min(LOOKS_EVERY_S, max(0.0, deadline.remaining() - margin)))
        except subprocess.TimeoutExpired:
            held.check()
        else:
            held.check()
            return code
    raise DeadlineExceeded(
        f"--max-seconds {deadline.max_seconds:g} ran out; the command was ended",
        next_step="run again with a larger --max-seconds",
    )


def _end(child: subprocess.Popen[bytes], held: Held, wait_s: float, alone: bool) -> None:
    """End the command and every process that inherited the locks from it: politely first."""
    _signal(child, held, signal.SIGTERM, alone)
    until = time.monotonic() + wait_s
    while time.monotonic() < until and (child.poll() is None or openers(held.files)):
        time.sleep(0.05)
    _signal(child, held, signal.SIGKILL, alone)
    child.wait()


def _signal(child: subprocess.Popen[bytes], held: Held, how: int, alone: bool) -> None:
    heirs = openers(held.files)
    if child.poll() is None:
        heirs.append(child.pid)
        if alone:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, how)
    for pid in dict.fromkeys(heirs):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def end_heirs(held: Held, bears: bytes, wait_s: float = ENDS_WITHIN_S) -> list[int]:
    """End what outlived a command: what inherited the locks, or bears a mark; return the pids."""
    left = {*openers(held.files), *bearers(bears)}
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in {*openers(held.files), *bearers(bears)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        until = time.monotonic() + wait_s
        while time.monotonic() < until and (openers(held.files) or bearers(bears)):
            time.sleep(0.05)
    return sorted(left)


def left_behind(report: Report, held: Held) -> None:
    """Warn of processes that the command left behind: they keep the locks until they end."""
    if heirs := openers(held.files):
        words = f"still at work under the locks, and keeps them: pid {', '.join(map(str, heirs))}"
        report.findings.append(Finding("left_behind", "warning", "", None, words))


def describe(report: Report, command: Sequence[str], code: int) -> None:
    """Say how the command ended; anything but 0 is a finding."""
    report.extra["command"] = {"line": mask_command(command), "exit_code": code}
    if code:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        words = f"{command[0]} {how}"
        report.findings.append(Finding("command_failed", "error", "", None, words))

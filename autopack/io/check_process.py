"""Run the commands of checks: in a session of their own, in time, their output bounded."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autopack.settings import redact

FIRST_LINES, LAST_LINES, LONGEST_LINE = 2000, 400, 4000
"""How much of a command's output is kept; a longer line is cut."""
GRACE_S, LAST_GRACE_S = 1.0, 0.3
"""How long a command that is ended has between SIGTERM and SIGKILL; less when the run itself ends:
it must be over at most a second after its deadline."""
DRAIN_S = 1.0
"""How long the rest of the output is waited for when the command itself has ended."""


@dataclass(frozen=True)
class Start:
    """What is started: a command, where, in which environment, what it reads, its longest line."""

    command: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdin: bytes = b""
    longest_line: int = LONGEST_LINE


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative for a signal), None at its timeout."""

    code: int | None
    lines: tuple[str, ...]
    seconds: float


class Output:
    """The first and the last lines of a stream."""

    def __init__(self, told: Callable[[str], None] | None) -> None:
        self.told = told
        self.first: list[str] = []
        self.last: deque[str] = deque(maxlen=LAST_LINES)
        self.count = 0

    def add(self, line: bytes) -> None:
        """Keep one line, and tell whoever listens."""
        # Now, because who shows a line may cut it, and half a secret is not found any more.
        words = redact(line.decode("utf-8", "replace").rstrip("\r\n"))
        (self.first if self.count < FIRST_LINES else self.last).append(words)
        self.count += 1
        if self.told:
            self.told(words)

    def lines(self) -> tuple[str, ...]:
        """Return what was kept; a line says how many are left out."""
        lost = self.count - len(self.first) - len(self.last)
        return (*self.first, *([f"... {lost} lines left out ..."] if lost else []), *self.last)


class Running:
    """The commands at work; `end_all` ends them with everything they started, and lets none in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def run(self, start: Start, seconds: float, told: Callable[[str], None] | None = None) -> Ended:
        """Run a command for so long at most; nothing of its group is left when this returns.

        Raises:
            OSError: It cannot be started.
        """
        began = time.monotonic()
        child = self._started(start)
        output = Output(told)
        words = (child, output, start.longest_line)
        reader = threading.Thread(target=_read, args=words, daemon=True)
        reader.start()
        try:
            _feed(child, start.stdin)
            code: int | None = child.wait(max(0.0, seconds - (time.monotonic() - began)))
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end([child], GRACE_S)
            reader.join(DRAIN_S)
            with self._lock:
                self._children.discard(child)
        return Ended(code, output.lines(), time.monotonic() - began)

    def _started(self, start: Start) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise InterruptedError("the run is being ended")
            child = subprocess.Popen(  # noqa: S603 - a manifest's own argument vector, no shell
                list(start.command), cwd=start.cwd, env=dict(start.env), stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            self._children.add(child)
        return child

    def end_all(self) -> None:
        """End every command that is at work; none starts afterwards.

        A thread does it, which no second signal and no alarm of the main thread interrupts, and
        which Python waits for at its own end. (A `join` that is interrupted would forget it.)
        """
        with self._lock:
            self._closed = True
            left = list(self._children)
        ended = threading.Event()

        def end() -> None:
            _end(left, LAST_GRACE_S)
            ended.set()

        threading.Thread(target=end, name="ending").start()
        ended.wait()


def _feed(child: subprocess.Popen[bytes], stdin: bytes) -> None:
    assert child.stdin
    with contextlib.suppress(BrokenPipeError), child.stdin:
        child.stdin.write(stdin)


def _read(child: subprocess.Popen[bytes], output: Output, longest_line: int) -> None:
    assert child.stdout
    with contextlib.suppress(OSError, ValueError), child.stdout:
        while line := child.stdout.readline(longest_line):
            output.add(line)


def _end(children: Sequence[subprocess.Popen[bytes]], grace_s: float) -> None:
    """End these commands and what is left of their groups: politely first."""
    at_work = [child for child in children if child.poll() is None]
    for child in at_work:
        _signal(child, signal.SIGTERM)
    until = time.monotonic() + grace_s
    for child in at_work:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, until - time.monotonic()))
    for child in children:
        _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))
        child.wait()


def _signal(child: subprocess.Popen[bytes], how: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, how)  # a group outlives its leader, and keeps its number
        elif child.poll() is None:
            child.send_signal(how)

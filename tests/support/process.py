"""Child processes that always end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finished:
    """How a command ended; `raw` is its stdout byte for byte."""

    returncode: int
    raw: bytes
    stderr: str
    seconds: float

    @property
    def stdout(self) -> str:
        """Stdout as text."""
        return self.raw.decode("utf-8", "surrogateescape")

    @property
    def report(self) -> dict[str, Any]:
        """The report that `--json` printed."""
        return json.loads(self.raw)


def run_bounded(
    command: Sequence[str],
    *,
    cwd: str | os.PathLike[str],
    env: Mapping[str, str],
    stdin: bytes = b"",
    seconds: float = 120.0,
) -> Finished:
    """Run a command in a process group of its own; the whole group is killed after `seconds`.

    Raises:
        AssertionError: The time ran out.
    """
    began = time.monotonic()
    child = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = child.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        out, err = _kill(child)
        said = f"{out.decode(errors='replace')}\n{err.decode(errors='replace')}"
        raise AssertionError(f"not over after {seconds:g} s: {command}\n{said}") from None
    except BaseException:
        _kill(child)
        raise
    text = err.decode("utf-8", "replace")
    return Finished(child.returncode, out, text, time.monotonic() - began)


def _kill(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    try:
        return child.communicate(timeout=5)
    except subprocess.TimeoutExpired:  # a grandchild left the group and keeps the pipe open
        return b"", b"(output kept by a process outside the group)"


def stop(child: subprocess.Popen[Any], how: int = signal.SIGTERM, seconds: float = 10.0) -> None:
    """End a child: `how` first, SIGKILL when it is still there after `seconds`."""
    if child.poll() is None:
        child.send_signal(how)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

"""Append rules in forked children that kill themselves at a chosen line: the imports are paid once.

`python -m tests.support.append_worker`: a line `WORKSPACE NUMBER` on stdin runs one append there,
which dies by SIGKILL before it executes line NUMBER of what changes files (0: it lives). The answer
is the exit code, or minus the signal, and how many such lines there were.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

from flows.failure_rules import failure_rules_append
from tasks.engine import plain
from tasks.run import Run, perform

WATCHED = (
    "tasks/rules_append.py", "tasks/page_writer.py", "tasks/publish.py", "autopack/io/replace.py",
    "autopack/io/audit.py", "autopack/io/lock_hold.py",
)  # fmt: skip


def run(workspace: str, kill_at: int, told: int) -> None:
    """Run one append and say how it ended; the trace counts lines of this thread alone."""
    seen = 0

    def line(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal seen
        if event == "line":
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    def call(frame: FrameType, _event: str, _arg: Any) -> Any:
        return line if frame.f_code.co_filename.endswith(WATCHED) else None

    given = {"workspace": workspace, "execute": True, "max_seconds": 60.0}
    sys.settrace(call)
    report = perform(plain(failure_rules_append), Run("failure-rules-append", given))
    sys.settrace(None)
    os.write(told, f"{seen}".encode())
    os._exit(report.exit_code)


def main() -> None:
    """Fork one child for each line."""
    import autopack.io.locks
    import autopack.io.rule_files
    import autopack.rules.gate  # noqa: F401

    for words in iter(sys.stdin.readline, ""):
        workspace, number = words.rsplit(" ", 1)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            run(workspace, int(number), write)
        os.close(write)
        _, status = os.waitpid(pid, 0)
        seen = os.read(read, 100).decode() or "0"
        os.close(read)
        print(os.waitstatus_to_exitcode(status), seen, flush=True)


if __name__ == "__main__":
    main()

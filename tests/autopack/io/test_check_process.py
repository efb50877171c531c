"""Commands of checks end in time, with all they started, and what they say is bounded."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from autopack.io.check_process import FIRST_LINES, LAST_LINES, Ended, Running, Start
from tests.support.preflight import all_gone


@pytest.fixture
def run(tmp_path: Path):
    """Return `run(code, seconds)`: how some Python ended as a check's command."""

    def started(code: str, seconds: float = 120, **more) -> Ended:
        start = Start([sys.executable, "-c", code], tmp_path, dict(os.environ), **more)
        return Running().run(start, seconds)

    return started


def test_both_streams_are_kept_in_order(run) -> None:
    ended = run("import sys; print('a', flush=True); print('b', file=sys.stderr); sys.exit(3)")
    assert (ended.code, ended.lines) == (3, ("a", "b"))


def test_very_long_output_is_cut_in_the_middle(run) -> None:
    lines = run("for n in range(100_000): print(n)").lines
    assert lines[0] == "0"
    assert lines[-1] == "99999"
    assert len(lines) == FIRST_LINES + 1 + LAST_LINES
    assert lines[FIRST_LINES] == f"... {100_000 - FIRST_LINES - LAST_LINES} lines left out ..."


def test_a_line_without_an_end_is_cut(run) -> None:
    assert max(map(len, run("print('x' * 1_000_000)").lines)) <= 4000


def test_bytes_that_are_no_text_are_shown(run) -> None:
    (line,) = run(r"import sys; sys.stdout.buffer.write(b'\xff\n')").lines
    assert line == "\ufffd"


def test_stdin_is_given_and_a_command_that_reads_none_is_not_waited_for(run) -> None:
    assert run("print(input())", stdin=b"hello\n").lines == ("hello",)
    assert run("pass", stdin=b"x" * 1_000_000).code == 0


def test_what_a_command_leaves_behind_is_ended(run) -> None:
    code = "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    ended = run(code)
    assert ended.code == 0
    assert all_gone([int(ended.lines[0])])


def test_a_command_that_is_late_has_no_exit_code(run) -> None:
    ended = run("import time; print('here', flush=True); time.sleep(600)", 2)
    assert (ended.code, ended.lines) == (None, ("here",))


def test_when_all_is_ended_nothing_starts_again(tmp_path) -> None:
    running, ends = Running(), []
    start = Start(
        [sys.executable, "-c", "import time; time.sleep(600)"], tmp_path, dict(os.environ)
    )
    thread = threading.Thread(target=lambda: ends.append(running.run(start, 600).code))
    thread.start()
    while not running._children:
        time.sleep(0.01)
    running.end_all()
    thread.join(60)
    assert ends
    assert ends[0] < 0
    with pytest.raises(InterruptedError):
        running.run(start, 600)

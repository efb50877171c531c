"""What the system says of processes and of lock files."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from autopack.io import lock_processes
from autopack.io.lock_processes import Flock, command, file_id, flocks, look, me
from autopack.locks.verdict import Life, alive

GONE = 2**22 + 1  # above the kernel's highest pid


def test_this_process_is_alive_and_known_by_more_than_its_pid() -> None:
    mine = me()
    life = look(os.getpid())
    assert (mine.pid, mine.start) == (os.getpid(), life.start)
    assert mine.start > 0
    assert len(mine.boot_id) == 36
    assert mine.namespace > 0
    assert alive(mine, mine, life) == "yes"


def test_a_forked_child_is_another_process() -> None:
    parent = me()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, repr(me()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert f"pid={pid}, " in os.read(read, 4096).decode()
    assert me() == parent


def test_a_process_may_have_any_name(tmp_path: Path) -> None:
    odd = tmp_path / "a) T 1 (b"
    shutil.copy(shutil.which("sleep"), odd)
    child = subprocess.Popen([odd, "60"])
    try:
        life = look(child.pid)
        assert life.there
        assert life.state in "RSD"
        assert life.start >= look(os.getpid()).start
    finally:
        child.kill()
        child.wait()


def test_a_dead_child_that_nobody_waited_for_is_dead() -> None:
    child = subprocess.Popen(["sleep", "60"])
    process = lock_processes._process.__wrapped__(child.pid)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert look(child.pid).state == "Z"
    assert alive(process, me(), look(child.pid)) == "no"
    child.wait()
    assert look(child.pid) == Life(False)


@pytest.mark.parametrize(
    ("error", "there"),
    [(PermissionError(), True), (ProcessLookupError(), False), (OverflowError(), None)],
)
def test_where_proc_is_silent_the_kernel_is_asked(monkeypatch, error, there) -> None:
    def kill(_pid: int, number: int) -> None:
        assert number == 0
        raise error

    monkeypatch.setattr(lock_processes.os, "kill", kill)
    assert look(GONE) == Life(there)


def test_the_kernels_table_names_holders_by_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    key = file_id(path.stat())
    with path.open() as one, path.open() as other:
        assert key not in flocks()
        fcntl.flock(one, fcntl.LOCK_SH)
        fcntl.flock(other, fcntl.LOCK_SH)
        assert flocks()[key] == [Flock(True, os.getpid())] * 2
        other.close()
        fcntl.flock(one, fcntl.LOCK_EX)
        assert flocks()[key] == [Flock(False, os.getpid())]


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("--database-url=postgresql://me:pw@db/x", "--database-url=postgresql://me:***@db/x"),
        ("postgresql://me:pw@db/x", "postgresql://me:***@db/x"),
        ("https://q/?api_key=abc", "https://q/?api_key=***"),
        ("--workspace=/x", "--workspace=/x"),
    ],
)
def test_a_command_is_shown_without_secrets(monkeypatch, argument: str, shown: str) -> None:
    monkeypatch.setattr("sys.argv", ["/x/run.py", argument])
    assert command() == f"run.py {shown}"

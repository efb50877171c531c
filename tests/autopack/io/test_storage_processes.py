"""The two processes of a scan: gone when it ends, however it ends, and not missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded
from autopack.io.storage_scan import scan
from tests.support.session import REPOSITORY
from tests.support.storage_trees import HOUR_NS, again, full, judged, rows


def test_a_passed_deadline_ends_the_scan(nasty_tree) -> None:
    with pytest.raises(DeadlineExceeded):
        scan(nasty_tree, "full", {}, None, Deadline.after(0))


@pytest.mark.parametrize("end", ["exit", "stop answering"])
def test_what_a_broken_process_was_asked_for_is_done_here(
    nasty_tree, two_processes, monkeypatch, end
):
    """One that stops in the middle of an answer is no different from one that was killed."""
    from autopack.io import storage_workers

    torn = {
        "exit": "import os; os._exit(9)",
        "stop answering": "import os; os.read(0, 9); os.write(1, bytes(4)); os._exit(0)",
    }
    monkeypatch.setattr(storage_workers, "_CODE", torn[end])
    last = full(nasty_tree, now_ns=time.time_ns() + HOUR_NS)
    assert rows(last) == judged(nasty_tree)
    assert again(nasty_tree, "exact", last).sha256 == last.sha256


def children() -> set[str]:
    """Return this process's children."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


class Passing(Deadline):
    """A deadline that passes once it was asked some times."""

    def check(self, doing: str = "") -> None:
        object.__setattr__(self, "max_seconds", self.max_seconds - 1)
        if self.max_seconds < 0:
            raise DeadlineExceeded(f"ran out while {doing}")


def test_a_deadline_that_passes_on_the_way_leaves_no_process(nasty_tree, two_processes) -> None:
    before = children()
    ended = 0
    for asked in range(8):
        try:
            scan(nasty_tree, "full", {}, None, Passing(asked, 0.0, lambda: -60.0))
        except DeadlineExceeded:
            ended += 1
        assert children() == before
    assert ended > 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_scan_ends_its_processes_end(tmp_path, how) -> None:
    """Nothing tells them but that nobody speaks to them any more."""
    code = (
        "import sys, time; from pathlib import Path;"
        "from autopack.io.storage_workers import Crew; import os;"
        "root = os.open(sys.argv[1], os.O_RDONLY);"
        "crew = Crew(root, 'stat', os.fstat(root).st_dev, frozenset());"
        "print(*(w.process.pid for w in crew.workers), flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.send_signal(how)
    for pid in workers:
        assert gone(pid)


def gone(pid: int) -> bool:
    """Wait until a process has ended."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False

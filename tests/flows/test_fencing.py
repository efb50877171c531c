"""A run that is paused before its write, broken and overtaken, writes nothing when it wakes up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.autopack.sot.counted import true_files
from tests.support import session
from tests.support.redirects import with_moved_page

PAUSES = """
import os, signal, sys
from importlib import import_module
module, owner, name, flow, *words = sys.argv[1:]
owner = getattr(import_module(module), owner) if owner else import_module(module)
real = getattr(owner, name)
def paused(*args):
    os.kill(os.getpid(), signal.SIGSTOP)
    return real(*args)
setattr(owner, name, paused)
from flows.cli import main
sys.argv[1:] = words
main(getattr(import_module(f"flows.{flow}"), flow))
"""
RUNS = {
    "sot_counts": (("tasks.counts_session", "Counting", "fence"), "docs", ["--execute"]),
    "sot_sync": (("autopack.io.publish", "", "publish"), "index", ["--db-only", "--execute"]),
    "doc_redirects": (("tasks.redirects_session", "Redirecting", "fence"), "docs", ["--execute"]),
}
"""Where a run is stopped, the lock it then holds, and its flags."""


def paused(root: Path, flow: str, flags: list[str]) -> subprocess.Popen[str]:
    """Start a run that stops itself in front of its first commit."""
    words = [*flags, "--engine", "direct", "--workspace", str(root)]
    child = subprocess.Popen(
        [sys.executable, "-c", PAUSES, *RUNS[flow][0], flow, *words],
        cwd=session.REPOSITORY, env=session.clean_environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    while Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)
    return child


def written(root: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".autonomous_runs" not in path.parts
    }


@pytest.mark.parametrize("flow", RUNS)
def test_an_overtaken_run_is_refused(flow: str, make_workspace, run_flow) -> None:
    _, lock, flags = RUNS[flow]
    files = true_files()
    files["README.md"] = files["README.md"].replace(b"entries**: 3", b"entries**: 4")
    root = with_moved_page(make_workspace(files))
    child = paused(root, flow, flags)
    try:
        where = ("--engine", "direct", "--workspace", root)
        assert run_flow(flow, *flags, "--max-seconds", "4", *where).returncode == 5
        broken = run_flow("locks", "break", lock, "--generation", "1", "--execute", *where)
        assert broken.returncode == 0, broken.stderr
        assert run_flow(flow, *flags, *where).returncode == 0, "the next one goes on"
        after = written(root)
        child.send_signal(signal.SIGCONT)
        _, said = child.communicate(timeout=60)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    assert child.returncode == 6
    assert f"lock '{lock}' of generation 1 is lost" in said
    assert written(root) == after

"""A small workspace for tidy, ways to look at it, and filesystems that fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from tests.autopack.sot.counted import true_files
from tests.support.process import Finished

STATE = (".autonomous_runs/.locks", ".autonomous_runs/audit.jsonl", ".autonomous_runs/tidy")


def untidy_files() -> dict[str, bytes | str]:
    """Return a workspace with something for every rule, its counts true."""
    return {
        **true_files(),
        "docs/FUTURE_PLAN.md": "# Future plan\n",
        "docs/PROJECT_INDEX.json": "{}\n",
        "docs/LEARNED_RULES.json": '{"rules": []}\n',
        "docs/CONFIG_GUIDE.md": "# Config\n",
        "docs/PHASE4_PLAN.md": "# Phase 4\n",
        "docs/OLD_NAME.md": "---\nredirect_to: CONFIG_GUIDE.md\n---\n# Moved\n",
        "docs/server.log": "started\n",
        "executor.log": "done\n",
        "FIX_PLAN.md": "# Fix\n",
        "data.csv": "1,2\n",
        "archive/superseded/.gitkeep": "",
    }


def shape(root: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """Return everything there is and when it changed last: equal means nothing was written."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode, path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else None,
        )
        for path in (root, *sorted(root.rglob("*")))
    }  # fmt: skip


def texts(root: Path) -> dict[str, bytes]:
    """Return every file's bytes but those of the run's own state."""
    return {
        name: path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not (name := str(path.relative_to(root))).startswith(STATE)
    }


@contextmanager
def small_filesystem(folder: Path, options: str = "size=8m") -> Iterator[None]:
    """Mount a filesystem of its own on a folder, or skip where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no filesystem can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def without_root_rights() -> list[str]:
    """Return what to put before a command so that permissions hold for root as well, or skip."""
    if os.geteuid() != 0:
        return []
    tool = shutil.which("setpriv")
    if tool is None:
        pytest.skip("root may do everything here, and there is no setpriv")
    return [tool, "--bounding-set=-dac_override,-dac_read_search"]


Tidy = Callable[..., Finished]


def runner(run_flow: Callable[..., Finished], workspace: Path) -> Tidy:
    """Return what runs the flow on a workspace; no run may end in a traceback."""

    def run(*args: str, root: Path = workspace, **kwargs: object) -> Finished:
        flags = ("--engine", "direct", "--json", "--max-seconds", "60", "--workspace", root)
        done = run_flow("tidy", *flags, *args, **kwargs)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def planned(done: Finished) -> dict[str, str]:
    return {move["source"]: move["destination"] for move in done.report["plan"]}


def codes(done: Finished) -> set[str]:
    return {finding["code"] for finding in done.report["findings"]}


def commands(done: Finished) -> str:
    return "\n".join(step["command"] for step in done.report["next_steps"])


class Clock:
    """A clock that goes on by a second each time somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def deadline(seconds: float) -> Deadline:
    """Return a deadline after so many looks at its clock."""
    return Deadline(seconds, seconds, Clock())

"""A workspace whose phase passes its validation, and a way to run a program as its command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autopack.io.lock_processes import look
from tests.support.phase_runs import lay_out
from tests.support.phase_specs import spoiled
from tests.support.process import Finished
from tests.support.session import REPOSITORY, clean_environment

POLICY = "commands: [{argv: [python, tests/test_app.py], paths: true}]\n"
"""A test that needs no test runner."""


def passing(*changes: tuple[str, Any]) -> dict[str, Any]:
    """Return a spec whose validation passes here."""
    return spoiled(("validation.argv", ["python", "tests/test_app.py"]), *changes)


def lay_out_passing(root: Path) -> Path:
    """Make a repository with a policy and a spec that passes."""
    lay_out(root, passing())
    (root / "config/phase_policy.yaml").write_text(POLICY)
    return root


def runner(run_flow: Callable[..., Finished], root: Path) -> Callable[..., Finished]:
    """Return `run("code", ...)`: a Python program as the phase's command."""

    def start(code, *words, form="--json", execute=True, **options):
        where = ("--workspace", root, "--engine", "direct", *([form] if form else []))
        flags = (*words, *(["--execute"] if execute else []))
        command = code if isinstance(code, list) else [sys.executable, "-c", code]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return run_flow(
            "phase_check", "run", root.parent / "plan.json", *where, *flags, "--", *command,
            env={"PATH": path, **options.pop("env", {})}, **options,
        )  # fmt: skip

    return start


UNDER = """
import runpy, sys
from autopack.io import confine
best = sys.argv.pop(1)
confine.best = lambda: best
runpy.run_module("flows.phase_check", run_name="__main__", alter_sys=True)
"""


def run_under(
    sandbox: str, root: Path, *words: str, code: str | list[str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a Python program, or other words, as a phase's command under one sandbox."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = code if isinstance(code, list) else [sys.executable, "-c", code]
    return subprocess.run(
        [sys.executable, "-c", UNDER, sandbox, "run", str(root.parent / "plan.json"),
         "--workspace", str(root), "--engine", "direct", "--json", "--execute", *words, "--",
         *command],
        cwd=REPOSITORY, env=clean_environment(PATH=path), capture_output=True, check=False,
    )  # fmt: skip


def ended(pid: int) -> bool:
    """Return whether a process is gone, or waits for nothing but to be reaped."""
    life = look(pid)
    return not life.there or life.state == "Z"


def codes(done: Finished) -> list[str]:
    """Return the codes of a run's findings, sorted."""
    return sorted(f["code"] for f in done.report["findings"])

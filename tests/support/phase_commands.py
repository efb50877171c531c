"""A workspace whose phase passes its validation, and a way to run a program as its command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autopack.io.lock_processes import look
from tests.support.phase_runs import lay_out
from tests.support.phase_specs import spoiled
from tests.support.process import Finished

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


def ended(pid: int) -> bool:
    """Return whether a process is gone, or waits for nothing but to be reaped."""
    life = look(pid)
    return not life.there or life.state == "Z"


def codes(done: Finished) -> list[str]:
    """Return the codes of a run's findings, sorted."""
    return sorted(f["code"] for f in done.report["findings"])

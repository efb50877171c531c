"""A Python that has none of our packages: every flow says so in one line, and none falls over."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.autopack.sot.counted import true_files
from tests.support.process import Finished, run_bounded
from tests.support.session import REPOSITORY, clean_environment

COMMANDS = {
    "audit": ["verify"],
    "doc_links": [],
    "doc_redirects": [],
    "failure_rules": ["lint"],
    "locks": ["status"],
    "phase_check": ["validate", "plan.json"],
    "preflight": [],
    "sot_counts": ["--index"],
    "sot_search": ["words"],
    "sot_sync": [],
    "status": [],
    "storage_apply": ["audit", "verify"],
    "storage_scan": [],
    "tidy": ["--quick"],
}
"""A command of each flow that looks at a workspace."""


@pytest.fixture
def bare(tmp_path: Path, make_workspace):
    """Return `bare(flow, *words)`: a command run by this Python without its site packages."""
    root = make_workspace(true_files())

    def run(flow: str, *words: str) -> Finished:
        command = [sys.executable, "-S", "-m", f"flows.{flow}", *words]
        where = ["--workspace", str(root), "--engine", "direct"]
        return run_bounded([*command, *where], cwd=tmp_path, env=clean_environment())

    return run


def test_every_flow_is_among_the_commands() -> None:
    flows = (REPOSITORY / "flows").glob("*.py")
    assert set(COMMANDS) == {path.stem for path in flows if "\n    main(" in path.read_text()}


@pytest.mark.parametrize("flow", COMMANDS)
def test_a_flow_ends_in_a_report_or_in_one_line_with_the_next_command(flow, bare) -> None:
    done = bare(flow, *COMMANDS[flow])
    assert done.returncode in (0, 1, 4), done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    told = [line for line in done.stderr.splitlines() if ". Next: " in line]
    assert len(told) == (done.returncode == 4), done.stderr


@pytest.mark.parametrize("flow", COMMANDS)
def test_every_flow_shows_its_help(flow, bare) -> None:
    done = bare(flow, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


def test_a_page_that_cannot_be_drawn_is_one_line(bare) -> None:
    done = bare("locks", "status", "--html")
    assert (done.returncode, done.stdout) == (4, "")
    (line,) = done.stderr.splitlines()
    assert "has no module 'jinja2'" in line

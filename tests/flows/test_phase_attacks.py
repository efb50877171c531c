"""Ways to hide from a phase's end, or to keep it from ending, that somebody has tried."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.support.phase_runs import lay_out


@pytest.fixture
def root(tmp_path):
    return lay_out(tmp_path / "ws")


@pytest.fixture
def phase(run_flow, root):
    """Return `phase("begin", ...)`: run a subcommand on the spec beside the workspace."""

    def run(what, *words, **options):
        where = ("--workspace", root, "--engine", "direct", "--json")
        return run_flow("phase_check", what, root.parent / "plan.json", *words, *where, **options)

    return run


@pytest.fixture
def begun(phase):
    done = phase("begin")
    assert done.returncode == 0, done.stderr
    return done.report


def told(report):
    return {(f["path"], f["code"]) for f in report["findings"]}


def test_a_crowd_of_warnings_hides_no_violation(phase, root, begun):
    """A tool's cache of some hundred files is the usual case; its names sort before others."""
    (root / ".mypy_cache").mkdir()
    for number in range(300):
        (root / f".mypy_cache/{number}").write_text("x")
    (root / "src/other/lib.py").write_text("sly\n")
    done = phase("end")
    assert done.returncode == 1, done.stdout
    assert ("src/other/lib.py", "PS701") in told(done.report)


def test_read_only_context_that_is_gone_is_a_violation(phase, root, begun):
    (root / "README.md").unlink()
    done = phase("end", "--execute")
    assert done.returncode == 1, done.stdout
    assert ("README.md", "PS709") in told(done.report)


def test_a_scope_that_became_a_link_is_a_violation(phase, root, begun):
    shutil.move(root / "src/app", root.parent / "elsewhere")
    (root / "src/app").symlink_to(root.parent / "elsewhere")
    done = phase("end", "--execute")
    assert done.returncode == 1, done.stdout
    assert ("src/app", "PS705") in told(done.report)


def test_a_branch_that_became_a_link_is_a_violation(phase, root, begun):
    ref = root / ".git/refs/heads/side"
    (root / "src/app/ref").write_bytes(ref.read_bytes())
    ref.unlink()
    ref.symlink_to("../../../src/app/ref")
    done = phase("end")
    assert (".git/refs/heads/side", "PS712") in told(done.report), done.stdout


@pytest.mark.parametrize("name", [".git/refs/heads/pipe", ".git/packed-refs", ".git/HEAD"])
def test_a_pipe_among_gits_branches_keeps_nobody_waiting(phase, root, begun, name):
    (root / name).unlink(missing_ok=True)
    os.mkfifo(root / name)
    done = phase("end", "--max-seconds", "30")
    assert done.returncode == 1, done.stdout

"""Runs that the system refuses something, in part or as a whole: what they say and end with."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process import Finished
from tests.support.session import REPOSITORY, clean_environment
from tests.support.storage_flow import (
    REPORT,
    approved,
    cleanup_root,
    kept,
    statuses,
    storage,
    with_report,
)

REFUSALS = ("EACCES", "EPERM", "EROFS", "EBUSY", "ESTALE")
REFUSING = """
import runpy
from autopack.io import storage_quarantine
numbers, rename = {numbers}, storage_quarantine.in_one_call
def refuse(old, new):
    if old[1] in numbers:
        raise OSError(numbers[old[1]], "nein", old[1])
    return rename(old, new)
storage_quarantine.in_one_call = refuse
runpy.run_module("flows.storage_apply", run_name="__main__")
"""
WITHOUT = """
import os, runpy
for name in ("O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK"):
    delattr(os, name)
os.supports_dir_fd = frozenset()
runpy.run_module("flows.{module}", run_name="__main__")
"""


@pytest.fixture
def root(make_workspace) -> Path:
    return cleanup_root(make_workspace)


@pytest.fixture
def apply(run_flow, root: Path):
    return storage(run_flow, root)


def run(code: str, root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of a changed program."""
    told = ["--workspace", str(root), "--engine", "direct"]
    return subprocess.run(
        [sys.executable, "-c", code, *words, *told],
        cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_what_the_system_refuses_is_a_finding_each_and_the_rest_goes(root: Path, apply) -> None:
    for name in REFUSALS:
        (root / "logs" / name).write_text(name)
    with_report(root, "logs/a.log", "logs/old", *(f"logs/{name}" for name in REFUSALS))
    approval = approved(apply)
    code = REFUSING.format(numbers={name: getattr(errno, name) for name in REFUSALS})
    done = run(code, root, "execute", REPORT, approval, "--execute", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    ended = {item["path"]: item["status"] for item in report["items"]}
    assert ended == {"logs/a.log": "moved", "logs/old": "moved"} | {
        f"logs/{name}": "DENIED" for name in REFUSALS
    }
    told = {finding["path"]: finding for finding in report["findings"]}
    for name in REFUSALS:
        assert told[f"logs/{name}"]["code"] == "DENIED"
        assert name in told[f"logs/{name}"]["message"]
        assert (root / "logs" / name).read_text() == name
    assert len(told) == len(REFUSALS)
    assert not (root / "logs/a.log").exists()


def test_an_approval_of_another_report_is_refused(root: Path, apply) -> None:
    approval = approved(apply)
    (root / "logs/more.log").write_text("more")
    with_report(root, "logs/a.log", "logs/more.log")
    before = kept(root)
    done: Finished = apply("execute", REPORT, approval, "--execute")
    assert (done.returncode, "another report" in done.report["message"]) == (6, True)
    assert kept(root) == before
    assert statuses(apply("execute", REPORT, approved(apply), "--execute")) == {
        "logs/a.log": "moved", "logs/more.log": "moved",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("storage_scan", []),
        ("storage_apply", ["approve", REPORT, "--by", "Ada Lovelace"]),
        ("storage_apply", ["execute", REPORT, "approval.json"]),
        ("storage_apply", ["undo", "a-run"]),
        ("storage_apply", ["purge", "a-run", "approval.json"]),
    ],
)
def test_a_system_that_cannot_open_safely_is_told_so_in_a_line(
    root: Path, module: str, words: list[str]
) -> None:
    before = kept(root)
    done = run(WITHOUT.format(module=module), root, *words)
    assert done.returncode == 6, done.stderr
    assert "cannot open a folder without following links" in done.stderr
    assert "Next: run on Linux or macOS" in done.stderr
    assert "Traceback" not in done.stderr
    assert kept(root) == before

"""Commands that were killed in the middle: what they say, and how they go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autopack.state_files import STORAGE
from tests.support.moves import files
from tests.support.session import REPOSITORY, clean_environment
from tests.support.storage_flow import (
    REPORT,
    approved,
    cleanup_root,
    kept,
    statuses,
    storage,
    with_cleanup,
    with_report,
)


@pytest.fixture
def root(make_workspace) -> Path:
    return cleanup_root(make_workspace)


@pytest.fixture
def apply(run_flow, root: Path):
    return storage(run_flow, root)


KILLED = """
import os, runpy, signal, sys
from autopack.io.storage_journal import JournalWriter
at, wrote = int(sys.argv.pop(1)), JournalWriter.write
def write(self, event, **record):
    global at
    at -= 1
    if at == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    wrote(self, event, **record)
JournalWriter.write = write
runpy.run_module("flows.storage_apply", run_name="__main__")
"""


def kill_at(root: Path, record: int, *words: str) -> None:
    """Run a command that is killed before its n-th journal record."""
    told = ["--workspace", str(root), "--engine", "direct"]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(record), words[0], *told, *words[1:]],
        cwd=REPOSITORY, env=clean_environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_dry_run_of_a_killed_run_tells_what_is_done(root: Path, apply) -> None:
    approval = approved(apply)
    kill_at(root, 4, "execute", REPORT, approval, "--execute")  # one item has moved
    dry = apply("execute", REPORT, approval)
    assert (dry.returncode, set(statuses(dry).values())) == (0, {"moved"}), dry.stderr


@pytest.mark.parametrize("name", [".autonomous_runs/storage", ".autonomous_runs"])
def test_a_journal_is_never_kept_behind_a_link(root: Path, apply, tmp_path: Path, name) -> None:
    approval, outside = approved(apply), tmp_path / "outside"
    outside.mkdir()
    if (root / name).exists():
        os.rename(root / name, outside)
    (root / name).symlink_to(outside)
    before = files(outside)
    done = apply("execute", REPORT, approval, "--execute")
    assert (done.returncode, (root / "logs/a.log").exists()) == (6, True), done.stderr
    assert not [path for path in files(outside) if path not in before and "journal" in path]


def test_a_run_that_was_killed_goes_on_with_the_same_approval(root: Path, apply) -> None:
    approval = approved(apply)
    before = kept(root)
    kill_at(root, 3, "execute", REPORT, approval, "--execute")  # moved, and not written down
    assert not (root / "logs/a.log").exists()
    done = apply("execute", REPORT, approval, "--execute")
    assert (done.returncode, set(statuses(done).values())) == (0, {"moved"}), done.stderr
    assert apply("undo", done.report["run"], "--execute").returncode == 0
    assert kept(root) == before


def test_a_run_that_was_killed_before_its_first_record_can_still_go_on(root: Path, apply) -> None:
    approval = approved(apply)
    kill_at(root, 1, "execute", REPORT, approval, "--execute")
    [run] = os.listdir(root / STORAGE)
    for words in (["undo", run], ["undo", run, "--execute"]):
        none = apply(*words)
        assert (none.returncode, "has moved nothing" in none.report["message"]) == (2, True)
    done = apply("execute", REPORT, approval, "--execute")
    assert (done.returncode, set(statuses(done).values())) == (0, {"moved"}), done.stderr


@pytest.mark.parametrize("lost", ["its root", "its report"])
def test_a_killed_run_that_nobody_can_settle_stops_no_other(
    root: Path, apply, tmp_path: Path, lost: str
) -> None:
    from tests.support.storage import report_of
    from tests.support.storage_flow import policy_of

    other = tmp_path / "other"
    (other / "logs").mkdir(parents=True)
    (other / "logs/x.log").write_text("x")
    (root / REPORT).write_bytes(report_of(other, "logs/x.log", policy=policy_of(root)).data())
    kill_at(root, 3, "execute", REPORT, approved(apply), "--execute")
    [run] = os.listdir(root / STORAGE)
    taken = other if lost == "its root" else root / STORAGE / run / "report.json"
    os.rename(taken, tmp_path / "taken")
    with_report(root, "logs/a.log")
    done = apply("execute", REPORT, approved(apply), "--execute")
    assert (done.returncode, statuses(done)) == (1, {"logs/a.log": "moved"}), done.stderr
    [finding] = done.report["findings"]
    assert (finding["severity"], finding["path"]) == ("error", run)
    os.rename(tmp_path / "taken", taken)
    assert statuses(apply("undo", run, "--execute")) == {"logs/x.log": "undone"}
    assert (other / "logs/x.log").read_text() == "x"


def test_the_next_command_settles_what_another_run_left(root: Path, apply) -> None:
    first = approved(apply, REPORT, "--items", "all")
    kill_at(root, 3, "execute", REPORT, first, "--execute")
    [run] = os.listdir(root / STORAGE)
    (root / "logs/more.log").write_text("more")
    with_report(root, "logs/more.log")
    second = approved(apply)
    dry = apply("execute", REPORT, second)
    assert [f["code"] for f in dry.report["findings"]] == ["run_unfinished"]
    done = apply("execute", REPORT, second, "--execute")
    assert [f["code"] for f in done.report["findings"]] == ["run_settled"], done.stderr
    back = apply("undo", run, "--execute")
    assert statuses(back) == {"logs/a.log": "undone"}
    assert (root / "logs/a.log").read_text() == "one"


def test_a_journal_that_was_changed_is_told_and_its_run_left_alone(root: Path, apply) -> None:
    run = apply("execute", REPORT, approved(apply), "--execute").report["run"]
    journal = root / STORAGE / run / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"logs/a.log", b"logs/b.log", 1))
    assert apply("undo", run, "--execute").returncode == 6
    (root / "logs/more.log").write_text("more")
    with_report(root, "logs/more.log")
    done = apply("execute", REPORT, approved(apply), "--execute")
    assert (done.returncode, statuses(done)) == (1, {"logs/more.log": "moved"})
    assert [f["code"] for f in done.report["findings"]] == ["run_changed"]


def test_a_purge_that_was_cut_off_can_be_approved_again(root: Path, run_flow) -> None:
    apply = storage(run_flow, root)
    with_cleanup(root, grace_days=0)
    run = apply("execute", REPORT, approved(apply), "--execute").report["run"]
    kill_at(root, 3, "purge", run, approved(apply, "--purge", run), "--execute")
    done = apply("purge", run, approved(apply, "--purge", run), "--execute")
    assert (done.returncode, len(statuses(done))) == (0, 2), done.stderr
    assert set(statuses(done).values()) == {"purged"}
    assert not (root / ".autopack-quarantine").exists()

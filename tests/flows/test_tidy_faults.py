"""Twelve faults: each ends in a report whose next steps are commands, with nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autopack.deadline import Deadline
from autopack.io.locks import MultiLock, Owner
from autopack.report import Report as Report_
from tasks import tidy_phases
from tasks.tidy_report import describe, judge
from tasks.tidy_session import Tidying, Wish
from tests.support.process import run_bounded
from tests.support.session import REPOSITORY, clean_environment
from tests.support.tidy import (
    deadline,
    small_filesystem,
    texts,
    untidy_files,
    without_root_rights,
)

Report = dict[str, Any]


@pytest.fixture
def workspace(make_workspace) -> Iterator[Path]:
    """Give a workspace; whatever a test does to it, no file of a person's is lost or doubled."""
    root = make_workspace(untidy_files())
    before = contents(root)
    yield root
    assert contents(root) == before


def contents(root: Path) -> Counter[bytes]:
    """Return how often each content stands in the files that are people's."""
    ours = (".autonomous_runs/", "archive/INDEX.md")
    return Counter(data for name, data in texts(root).items() if not name.startswith(ours))


def command(root: Path, *flags: str) -> list[str]:
    where = ("--engine", "direct", "--json", "--workspace", str(root))
    return [sys.executable, "-m", "flows.tidy", *where, *flags]


def tidy(root: Path, *flags: str, before: tuple[str, ...] = (), **env: str) -> Report:
    done = run_bounded(
        [*before, *command(root, *flags)], cwd=REPOSITORY, env=clean_environment(**env)
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == done.report["exit_code"], done.stderr
    return done.report


QUICK = ("--quick", "--execute", "--max-seconds", "60")


def advised(report: Report) -> str:
    """Return the next steps, which there must be, each with a command or an advice."""
    assert report["next_steps"] or "Next: " in report["message"], report
    assert all(step["command"] and step["why"] for step in report["next_steps"])
    return "\n".join(f"{step['why']}: {step['command']}" for step in report["next_steps"])


def phases(report: Report) -> dict[str, str]:
    return {step["name"]: step["status"] for step in report["steps"]}


def codes(report: Report) -> set[str]:
    return {finding["code"] for finding in report["findings"]}


def test_a_phase_whose_lock_is_held_is_skipped_with_its_holder(workspace: Path) -> None:
    with held_by_another("docs", workspace):
        report = tidy(workspace, *QUICK)
    assert (report["exit_code"], report["status"]) == (0, "followups")
    found = phases(report)
    assert {found[name] for name in ("docs", "retry-queue", "readme")} == {"skipped"}
    assert found["root"] == "done"
    assert report["counts"]["moved"] == 2
    why = next(p["why"] for p in report["phases"] if p["name"] == "docs")
    assert "lock 'docs' is busy" in why
    assert "editor" in why, "the holder is named"
    assert "python -m flows.locks status" in advised(report)


def test_a_run_that_can_do_nothing_is_busy(workspace: Path) -> None:
    with held_by_another("tidy", workspace):
        report = tidy(workspace, "--quick", "--execute", "--max-seconds", "3")
    assert (report["exit_code"], report["status"]) == (5, "busy")
    assert "lock 'tidy' is busy" in report["message"]


def held_by_another(name: str, root: Path) -> MultiLock:
    """Return a lock that is held without the umbrella, as a foreign program may."""
    return MultiLock(root, {name: "exclusive"}, Owner("editor"), Deadline.after(60))


def test_a_database_that_is_down_is_not_asked(workspace: Path, dead_port: int) -> None:
    report = tidy(workspace, *QUICK, DATABASE_URL=f"postgresql://u@127.0.0.1:{dead_port}/x")
    assert report["exit_code"] == 0
    assert report["counts"]["moved"] == 3
    assert advised(report)


def test_a_full_disk_queues_what_does_not_fit(workspace: Path) -> None:
    with small_filesystem(workspace / "archive", "size=256k"):
        (workspace / "big.log").write_bytes(os.urandom(1 << 20))
        before = contents(workspace)
        report = tidy(workspace, *QUICK)
        assert contents(workspace) == before - Counter([b""])
        assert "move_space" in codes(report)
        assert report["counts"]["moved"] == 3
        assert report["queue"]["pending"] == 1
        assert "tries 1 queued moves again (1 space)" in advised(report)
        waiting = tidy(workspace, *QUICK)
        assert waiting["counts"]["moved"] == 0, "it is not due"
        tidy(workspace, "--undo", report["run"], "--execute")
    (workspace / "big.log").unlink()


def test_a_move_across_devices_is_made_by_copying(workspace: Path) -> None:
    before = contents(workspace)
    with small_filesystem(workspace / "archive"):
        report = tidy(workspace, *QUICK)
        assert report["counts"]["moved"] == 3
        assert contents(workspace) == before - Counter([b""])
        assert advised(report)
        tidy(workspace, "--undo", report["run"], "--execute")


def test_a_read_only_archive_keeps_the_files_where_they_are(workspace: Path) -> None:
    before = contents(workspace)
    with small_filesystem(workspace / "archive", "size=8m,ro"):
        report = tidy(workspace, *QUICK)
        assert report["exit_code"] == 0
        assert "move_permission" in codes(report)
        assert report["counts"]["moved"] == 0
        assert report["queue"]["pending"] == 3
        assert contents(workspace) == before - Counter([b""])
        assert advised(report)


def test_a_folder_without_permission_keeps_its_files(workspace: Path) -> None:
    (workspace / "docs").chmod(0o555)
    try:
        report = tidy(workspace, *QUICK, before=tuple(without_root_rights()))
    finally:
        (workspace / "docs").chmod(0o755)
    assert report["exit_code"] == 0
    assert "move_permission" in codes(report)
    assert (workspace / "docs/server.log").is_file()
    assert report["counts"]["moved"] == 2
    assert advised(report)


def test_a_corrupt_queue_is_put_aside_and_the_run_goes_on(workspace: Path) -> None:
    queue = workspace / ".autonomous_runs/tidy/queue.json"
    queue.parent.mkdir(parents=True)
    queue.write_text('{"schema": "autopack.move-queue/1", "items": [{"id"')
    report = tidy(workspace, *QUICK)
    assert report["exit_code"] == 0
    assert "queue_corrupt" in codes(report)
    assert report["counts"]["moved"] == 3
    assert [p.read_text() for p in queue.parent.glob("queue.json.corrupt*")] == [
        '{"schema": "autopack.move-queue/1", "items": [{"id"'
    ]
    assert advised(report)


def test_a_divergent_ledger_does_not_stop_the_rest(workspace: Path) -> None:
    (workspace / "DEBUG_LOG.md").write_text("# Mine\n")
    report = tidy(workspace, *QUICK)
    (workspace / "DEBUG_LOG.md").unlink()
    assert (report["exit_code"], report["status"]) == (0, "followups")
    assert "ledger_divergent" in codes(report)
    assert report["counts"]["moved"] == 3
    assert "diff " in advised(report)


def test_a_source_that_vanished_is_settled_at_once(workspace: Path) -> None:
    with held_by_another("docs", workspace):
        pass
    queue = workspace / ".autonomous_runs/tidy/queue.json"
    queue.parent.mkdir(parents=True)
    item = {
        "id": "0", "source": "gone.log", "destination": "archive/gone.log", "rule": "logs",
        "why": "x", "phase": "root", "state": "pending", "reason": "locked",
        "first_seen": "2026-01-01T00:00:00+00:00", "eligible_at": "2026-01-01T00:00:00+00:00",
        "last_attempt": None, "attempts": {"locked": 1}, "identity": None, "detail": "",
    }  # fmt: skip
    queue.write_text(json.dumps({"schema": "autopack.move-queue/1", "items": [item]}))
    report = tidy(workspace, *QUICK)
    assert report["exit_code"] == 0, report
    assert report["queue"].get("pending", 0) == 0
    assert report["queue"]["gone"] == 1
    assert advised(report)


def test_a_deadline_leaves_the_rest_to_the_next_run(workspace: Path) -> None:
    for seconds in range(4, 40, 3):
        tidying = Tidying(str(workspace), Wish("quick", execute=True), deadline(seconds))
        report = Report_("tidy", execute=True)
        with tidying.holding():
            tidy_phases.root(report, tidying)
            tidy_phases.docs(report, tidying)
        describe(report, tidying)
        judge(report, tidying)
        done = sum(phase.done for phase in tidying.phases)
        stopped = any(phase.left or phase.status == "skipped" for phase in tidying.phases)
        assert stopped == any(
            "flows.tidy --quick --execute" in s.command for s in report.next_steps
        )
        assert (report.exit_code == 3) == all(p.status == "skipped" for p in tidying.phases)
        assert done <= 3
    assert not (workspace / "executor.log").exists()
    assert not (workspace / "docs/server.log").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_a_run_that_is_cut_short_says_so_and_the_next_one_finishes(
    workspace: Path, number: int, code: int
) -> None:
    with held_by_another("queue", workspace):  # it waits for this lock when the signal comes
        child = subprocess.Popen(
            command(workspace, "--full", "--execute"), cwd=REPOSITORY, env=clean_environment(),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, text=True,
        )  # fmt: skip
        assert child.stderr
        for line in child.stderr:
            if line.startswith("waiting: "):
                break
        child.send_signal(number)
        out, _ = child.communicate(timeout=60)
    report = json.loads(out)
    assert child.returncode == report["exit_code"] == code
    assert report["steps"], "what was done until then is told"
    assert "run it again" in report["message"]
    again = tidy(workspace, *QUICK)
    assert again["counts"]["moved"] == 3
    assert phases(again)["recover"] == "done"


def test_a_killed_run_is_settled_by_the_next(workspace: Path, tmp_path: Path) -> None:
    for n in range(60):
        (workspace / f"run{n}.log").write_text(f"{n}\n")
    before = contents(workspace)
    child = subprocess.Popen(
        command(workspace, *QUICK), cwd=REPOSITORY, env=clean_environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 60
    logs = workspace / "archive/diagnostics/logs"
    while child.poll() is None and time.monotonic() < until:
        if logs.is_dir() and any(logs.iterdir()):
            child.kill()
    child.wait()
    report = tidy(workspace, *QUICK)
    assert report["exit_code"] == 0
    assert contents(workspace) == before
    assert not list(workspace.glob("*.log"))
    for path in logs.glob("run*.log"):
        path.unlink()
    for path in workspace.glob("run*.log"):
        path.unlink()


def test_a_journal_that_cannot_be_read_stops_neither_the_rest_nor_is_it_a_bug(
    workspace: Path,
) -> None:
    (workspace / ".autonomous_runs/tidy/journal/old run.jsonl").mkdir(parents=True)
    report = tidy(workspace, "--quick", "--execute")
    assert report["exit_code"] == 1
    words = "recover was not done: journal old run.jsonl: Is a directory; nothing was moved"
    assert words in [finding["message"] for finding in report["findings"]]
    assert report["counts"]["moved"] > 0
    assert tidy(workspace, "--undo", "old run")["exit_code"] == 2
    (workspace / ".autonomous_runs/tidy/journal/old.jsonl").mkdir()
    assert tidy(workspace, "--undo", "old")["exit_code"] == 1


def test_what_waits_for_a_person_is_told_once(workspace: Path) -> None:
    in_the_way = workspace / "archive/diagnostics/logs"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.write_text("no folder\n")
    for _ in range(2):
        found = tidy(workspace, *QUICK)["findings"]
        told = [f["path"] for f in found if f["code"].startswith("move_")]
        assert "executor.log" in told
        assert len(told) == len(set(told))
    in_the_way.unlink()


def test_the_same_file_can_come_again_and_again(workspace: Path) -> None:
    data = (workspace / "executor.log").read_bytes()
    names = ("executor.log", "executor.*.log", "executor.*-2.log", "executor.*-3.log")
    logs = workspace / "archive/diagnostics/logs"
    for name in names:
        (workspace / "executor.log").write_bytes(data)
        report = tidy(workspace, *QUICK)
        assert [c for c in codes(report) if c.startswith("move_")] == []
        assert data in [path.read_bytes() for path in logs.glob(name)]
    for extra in [*logs.glob("executor.*.log")]:  # the workspace had it once
        extra.unlink()

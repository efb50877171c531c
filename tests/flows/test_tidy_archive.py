"""Tidy in the archive and among runs: entries, superseded pages, old runs, projects."""

from __future__ import annotations

import json
import os
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.io.locks import MultiLock, Owner
from autopack.io.move_queue import read_queue
from autopack.io.moves import identify
from autopack.report import Report
from autopack.tidy.moves import Move, ended
from autopack.tidy.queue import absorb
from tasks import tidy_phases
from tasks.tidy_session import Tidying, Wish
from tests.support.process import Finished
from tests.support.tidy import Tidy, codes, commands, deadline, runner, texts, untidy_files


@pytest.fixture
def workspace(make_workspace) -> Path:
    return make_workspace(untidy_files())


@pytest.fixture
def tidy(run_flow, workspace: Path) -> Tidy:
    return runner(run_flow, workspace)


@pytest.fixture
def inbox(workspace: Path) -> Path:
    pages = {
        "reports/BUILD-9_DONE.md": "# Nine\n",
        "reports/BUILD-777_X.md": "# Unknown\n",
        "reports/STORAGE_COMPLETION.md": "# Storage is done\n\nIt works.\n",
        "diagnostics/DB_ROOT_CAUSE.md": "# The pool leaked\n\nA connection was kept.\n",
        "prompts/kickoff.md": "Go.\n",
        "plans/IDEA.md": "# Idea\n",
        "logs/a.log": "x\n",
    }
    for name, text in pages.items():
        path = workspace / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (workspace / "archive/empty/deeper").mkdir(parents=True)
    return workspace


def test_a_full_run_consolidates_the_archive(tidy: Tidy, inbox: Path) -> None:
    before = {path.name: path.read_bytes() for path in (inbox / "archive").rglob("*.md")}
    done = tidy("--execute")
    assert done.returncode == 0, done.stderr
    superseded = inbox / "archive/superseded"
    for name in ("reports/BUILD-9_DONE.md", "reports/STORAGE_COMPLETION.md", "prompts/kickoff.md",
                 "diagnostics/DB_ROOT_CAUSE.md"):  # fmt: skip
        assert (superseded / name).read_bytes() == before[name.rpartition("/")[2]]
    assert (inbox / "archive/plans/IDEA.md").is_file()
    undecided = {f["path"]: f["reason"] for f in done.report["pages"] if f["kind"] == "undecided"}
    assert undecided.keys() == {
        "archive/plans/IDEA.md", "archive/reports/BUILD-777_X.md", "archive/plans/FIX_PLAN.md"
    }  # fmt: skip
    history = (inbox / "docs/BUILD_HISTORY.md").read_text()
    assert "### BUILD-171 |" in history
    assert "Storage is done" in history
    assert "archive/superseded/reports/STORAGE_COMPLETION.md" in history
    assert "The pool leaked" in (inbox / "docs/DEBUG_LOG.md").read_text()
    assert not (inbox / "archive/empty").exists()
    assert "[IDEA.md](plans/IDEA.md)" in (inbox / "archive/INDEX.md").read_text()
    assert "flows.sot_sync" in commands(done)


def test_a_dry_run_shows_what_is_then_done(tidy: Tidy, inbox: Path) -> None:
    page = inbox / "PHASE9_COMPLETION.md"  # routed to the archive, and taken over in the same run
    page.write_text("# Phase 9\n\nDone.\n")
    flags = ("--full", "--docs-reduce-to-sot")
    shown, done = tidy(*flags), tidy(*flags, "--execute")
    hops = [[(m["source"], m["destination"]) for m in r.report["plan"]] for r in (shown, done)]
    assert hops[0] == hops[1]
    assert len([hop for hop in hops[0] if "PHASE9" in hop[0]]) == 2
    assert shown.report["entries"] == done.report["entries"]
    assert shown.report["pages"] == done.report["pages"]
    assert diff(shown) == diff(done)
    assert shown.report["removed"] == done.report["removed"]
    back = tidy("--undo", done.report["run"])
    assert back.report["not_moved"] == []
    assert [(m["destination"], m["source"]) for m in back.report["plan"]] == hops[1][::-1]
    assert tidy("--undo", done.report["run"], "--execute").report["not_moved"] == []
    assert page.read_text() == "# Phase 9\n\nDone.\n"


def diff(done: Finished) -> list[str]:
    return [line for line in done.report["readme"] if "Last Updated" not in line][1:]


def test_an_entry_names_the_place_that_its_page_really_has(tidy: Tidy, inbox: Path) -> None:
    taken = inbox / "archive/superseded/reports/STORAGE_COMPLETION.md"
    taken.parent.mkdir(parents=True)
    taken.write_text("another\n")
    tidy("--execute")
    history = (inbox / "docs/BUILD_HISTORY.md").read_text()
    named = re.findall(r"Taken over from `(.*)` \(sha", history)
    assert [(inbox / path).read_text() for path in named] == ["# Storage is done\n\nIt works.\n"]
    assert taken.read_text() == "another\n"


def test_ledgers_without_a_new_entry_keep_every_byte(tidy: Tidy, inbox: Path) -> None:
    (inbox / "archive/diagnostics/DB_ROOT_CAUSE.md").unlink()
    names = ("DEBUG_LOG.md", "ARCHITECTURE_DECISIONS.md", "FUTURE_PLAN.md", "LEARNED_RULES.json")
    before = {name: (inbox / "docs" / name).read_bytes() for name in names}
    tidy("--execute")
    assert {name: (inbox / "docs" / name).read_bytes() for name in names} == before


def test_an_entry_is_made_once_although_its_page_comes_back(tidy: Tidy, inbox: Path) -> None:
    page = inbox / "archive/reports/STORAGE_COMPLETION.md"
    text = page.read_text()
    tidy("--execute")
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)
    history = (inbox / "docs/BUILD_HISTORY.md").read_bytes()
    done = tidy("--execute")
    assert (inbox / "docs/BUILD_HISTORY.md").read_bytes() == history
    assert not page.exists()
    assert done.report["counts"]["moved"] == 1


def test_a_page_that_no_ledger_takes_is_left_and_named(tidy: Tidy, inbox: Path) -> None:
    (inbox / "docs/DEBUG_LOG.md").write_text("# No index here\n")
    done = tidy("--execute")
    assert done.returncode == 0
    assert "item_failed" in codes(done)
    assert (inbox / "archive/diagnostics/DB_ROOT_CAUSE.md").is_file()
    assert (inbox / "archive/superseded/reports/STORAGE_COMPLETION.md").is_file()


# --- runs -------------------------------------------------------------------------------------


def test_a_run_goes_on_behind_the_page_it_came_to(inbox: Path) -> None:
    for n in range(40):
        (inbox / f"archive/plans/IDEA{n:02}.md").write_text("# Idea\n")
    cursor = inbox / ".autonomous_runs/tidy/cursor.json"
    began: list[str] = []
    for _ in range(30):
        tidying = Tidying(str(inbox), Wish("full", execute=True), deadline(25))
        report = Report("tidy", execute=True)
        with tidying.holding():
            tidy_phases.consolidate(report, tidying)
        if not tidying.seen.fates:
            continue
        began.append(tidying.seen.fates[0].path)
        if tidying.phases[0].status == "partial":
            assert json.loads(cursor.read_text())["."] == tidying.seen.fates[-1].path
    assert len(set(began)) > 2, "it does not look at the same pages for ever"


def make_runs(root: Path, count: int) -> None:
    for n in range(count):
        folder = root / ".autonomous_runs" / f"run-{n:03}"
        folder.mkdir(parents=True)
        (folder / "executor.log").write_text(f"{n}\n")
        os.utime(folder, (1_700_000_000 + n, 1_700_000_000 + n))


RUNS = "--quick-include-autonomous-runs-cleanup"


def test_runs_stay_without_their_flag(tidy: Tidy, workspace: Path) -> None:
    make_runs(workspace, 12)
    assert tidy("--quick").report["counts"]["planned_moves"] == 3
    assert tidy("--full").report["counts"]["planned_moves"] == 3


def test_the_oldest_runs_go_and_a_run_at_work_stays(tidy: Tidy, workspace: Path) -> None:
    make_runs(workspace, 14)
    runs = workspace / ".autonomous_runs"
    (runs / "notes").mkdir()
    (runs / "app/docs").mkdir(parents=True)
    (runs / "app/executor.log").write_text("a project is no run\n")
    (runs / "left.log").write_text("x\n")
    want = {"run:run-001": "exclusive"}
    with MultiLock(workspace, want, Owner("executor"), Deadline.after(60)):
        done = tidy("--quick", RUNS, "--execute")
    assert done.returncode == 0, done.stderr
    gone = {path.name for path in (workspace / "archive/runs").iterdir()}
    assert gone == {"run-000", "run-002", "run-003"}
    assert (workspace / "archive/runs/run-002/executor.log").read_text() == "2\n"
    assert "run_at_work" in codes(done)
    at_work = next(f for f in done.report["findings"] if f["code"] == "run_at_work")
    assert at_work["fix"].startswith("python -m flows.locks status")
    assert at_work["fix"].endswith("run:run-001")
    assert (runs / "notes").is_dir()
    assert (runs / "app/executor.log").is_file()
    assert (workspace / "archive/diagnostics/logs/left.log").is_file()


def test_a_run_whose_place_is_taken_is_told_each_time_and_nothing_is_written(
    tidy: Tidy, workspace: Path
) -> None:
    make_runs(workspace, 11)
    taken = workspace / "archive/runs/run-000"
    taken.mkdir(parents=True)
    (taken / "executor.log").write_text("another\n")
    tidy("--quick", RUNS, "--execute")
    before = texts(workspace / ".autonomous_runs/tidy")
    done = tidy("--quick", RUNS, "--execute")
    about = [f["code"] for f in done.report["findings"] if f["path"].endswith("run-000")]
    assert about == ["move_dest_exists"]
    assert texts(workspace / ".autonomous_runs/tidy") == before
    taken.rename(workspace / "archive/runs/other")
    tidy("--quick", RUNS, "--execute")
    assert (taken / "executor.log").read_text() == "0\n"


def test_a_run_at_work_that_waits_in_a_queue_of_old_stays(tidy: Tidy, workspace: Path) -> None:
    make_runs(workspace, 11)
    run = ".autonomous_runs/run-000"
    now = datetime.now(UTC) - timedelta(days=1)
    move = Move(run, "archive/runs/run-000", identify(workspace, run), "old-runs", "old", "runs")
    file = read_queue(workspace, now)
    file.take(absorb(file.queue, [ended(move, "locked")], now))
    file.save(nullcontext)
    with MultiLock(workspace, {"run:run-000": "exclusive"}, Owner("e"), Deadline.after(60)):
        tidy("--quick", "--execute")
        tidy("--quick", RUNS, "--execute")
    assert (workspace / run / "executor.log").is_file()
    tidy("--quick", RUNS, "--execute")
    assert (workspace / "archive/runs/run-000/executor.log").is_file()


def test_a_run_is_limited_to_200_folders(tidy: Tidy, workspace: Path) -> None:
    make_runs(workspace, 215)
    done = tidy("--quick", RUNS)
    assert sum(move["phase"] == "runs" for move in done.report["plan"]) == 200
    assert any("5 more old runs" in step["why"] for step in done.report["next_steps"])


def test_a_project_is_tidied_in_its_own_folder(tidy: Tidy, workspace: Path) -> None:
    project = workspace / ".autonomous_runs/app"
    (project / "docs").mkdir(parents=True)
    (project / "x.log").write_text("x\n")
    done = tidy("--quick", "--project", "app", "--execute")
    assert done.returncode == 0, done.stderr
    assert (project / "archive/diagnostics/logs/x.log").is_file()
    assert (workspace / "executor.log").is_file()


def test_next_steps_of_a_project_are_about_the_project(tidy: Tidy, workspace: Path) -> None:
    project = workspace / ".autonomous_runs/my app"
    (project / "docs").mkdir(parents=True)
    (project / "docs/CACHE_PLAN.md").write_text("# Plan\n")
    (project / "FIX_PLAN.md").write_text("# Fix\n")
    done = tidy("--project", "my app", "--execute")
    flows = [s["command"] for s in done.report["next_steps"] if "--undo" not in s["command"]]
    assert any("--docs-reduce-to-sot --project 'my app'" in command for command in flows)
    assert any("flows.doc_links --workspace" in command for command in flows)
    assert all("my app'" in command for command in flows), flows


def test_the_cursors_of_two_places_are_kept_beside_each_other(workspace: Path) -> None:
    from tasks.tidy_archive import keep_cursor, read_cursor

    (workspace / ".autonomous_runs/app/docs").mkdir(parents=True)
    for project, page in ((None, "archive/a.md"), ("app", "b.md")):
        session = Tidying(str(workspace), Wish(execute=True, project=project), Deadline.after(60))
        with session.holding(), session.locked("archive"):
            keep_cursor(session, "", page, [])
    session = Tidying(str(workspace), Wish(), Deadline.after(60))
    assert read_cursor(session) == "archive/a.md"

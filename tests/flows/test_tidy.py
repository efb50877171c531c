"""Tidy as its users run it: dry and executed, quick and full, again, and back."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from flows.command import parse
from flows.tidy import tidy as flow
from tasks.engine import options_of
from tests.support.tidy import Tidy, codes, commands, planned, runner, shape, texts, untidy_files


@pytest.fixture
def workspace(make_workspace) -> Path:
    return make_workspace(untidy_files())


@pytest.fixture
def tidy(run_flow, workspace: Path) -> Tidy:
    return runner(run_flow, workspace)


NAMES = ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL")
QUICK = {
    "executor.log": "archive/diagnostics/logs/executor.log",
    "FIX_PLAN.md": "archive/plans/FIX_PLAN.md",
    "docs/server.log": "archive/diagnostics/logs/server.log",
}


def git(root: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(root), *args], check=True, capture_output=True)


@pytest.mark.parametrize(
    "flags", [["--quick"], [], ["--full", "--docs-reduce-to-sot", "--repair"],
              ["--quick", "--quick-include-autonomous-runs-cleanup"]]
)  # fmt: skip
def test_a_dry_run_writes_nothing_at_all(tidy: Tidy, workspace: Path, flags: list[str]) -> None:
    before = shape(workspace)
    done = tidy(*flags)
    assert done.returncode == 0, done.stderr
    assert done.report["status"] == "followups"
    assert shape(workspace) == before
    assert done.report["writes"]["files"] == []


def test_a_dry_run_has_the_whole_plan_as_data(tidy: Tidy, workspace: Path) -> None:
    done = tidy("--quick")
    assert planned(done) == QUICK
    log = next(m for m in done.report["plan"] if m["source"] == "executor.log")
    seen = (workspace / "executor.log").stat()
    identity = log["identity"]
    assert (identity["ino"], identity["size"]) == (seen.st_ino, seen.st_size)
    assert len(identity["digest"]) == 64
    assert (log["rule"], log["phase"]) == ("logs", "root")
    assert log["reason"]
    assert "--quick --execute" in commands(done)


def test_quick_moves_what_a_rule_knows_and_leaves_the_rest(tidy: Tidy, workspace: Path) -> None:
    before = texts(workspace)
    done = tidy("--quick", "--execute")
    assert done.returncode == 0, done.stderr
    after = texts(workspace)
    assert {QUICK.get(name, name): data for name, data in before.items()} == after
    assert sorted(done.report["writes"]["files"]) == sorted(QUICK.values())
    assert codes(done) == {"undecided", "docs_stray"}
    assert [d["path"] for d in done.report["undecided"]] == ["data.csv"]
    assert [d["path"] for d in done.report["held_back"]] == ["docs/PHASE4_PLAN.md"]
    assert done.report["counts"]["moved"] == 3


@pytest.mark.parametrize("flags", [["--quick"], ["--full", "--docs-reduce-to-sot"]])
def test_a_second_run_changes_nothing(tidy: Tidy, workspace: Path, flags: list[str]) -> None:
    tidy(*flags, "--execute")
    before = texts(workspace)
    again = tidy(*flags, "--execute")
    assert again.returncode == 0
    assert again.report["writes"]["files"] == []
    assert again.report["counts"]["planned_moves"] == 0
    assert texts(workspace) == before


def test_undo_puts_every_move_back(tidy: Tidy, workspace: Path) -> None:
    before = texts(workspace)
    run = tidy("--quick", "--execute").report["run"]
    shown = tidy("--undo", run)
    assert set(planned(shown).values()) == set(QUICK)
    assert "--execute" in commands(shown)
    done = tidy("--undo", run, "--execute")
    assert done.returncode == 0, done.stderr
    assert texts(workspace) == before
    assert tidy("--undo", run, "--execute").report["writes"]["files"] == []


def test_undo_names_what_it_could_not_put_back_and_asks_for_no_run_that_cannot_help(
    tidy: Tidy, workspace: Path
) -> None:
    run = tidy("--quick", "--execute").report["run"]
    (workspace / "archive/plans/FIX_PLAN.md").write_text("# Edited\n")
    (workspace / "archive/diagnostics/logs/executor.log").unlink()
    done = tidy("--undo", run, "--execute")
    told = {f["path"]: f["code"] for f in done.report["findings"]}
    assert told["archive/plans/FIX_PLAN.md"] == "move_changed"
    assert told["archive/diagnostics/logs/executor.log"] == "move_gone"
    assert done.report["counts"] == {"planned_moves": 3, "moved": 1}
    assert done.report["next_steps"] == []
    assert [f["fix"] for f in done.report["findings"] if "run again" in f["fix"]] == []


def test_a_run_after_which_a_person_has_to_decide_is_not_clean(tidy: Tidy, workspace: Path) -> None:
    (workspace / "docs/PHASE4_PLAN.md").unlink()
    tidy("--quick", "--execute")
    done = tidy("--quick", "--execute")
    assert codes(done) == {"undecided"}
    assert done.report["status"] == "followups"
    assert "--quick --json" in commands(done)
    (workspace / "data.csv").unlink()
    assert tidy("--quick", "--execute").report["status"] == "clean"


def test_strange_names_keep_their_line_and_can_be_printed(run_flow, workspace: Path) -> None:
    (workspace / "a\nb.log").write_text("x")
    (workspace / os.fsdecode(b"bad\xff.log")).write_text("x")
    where = ("--quick", "--engine", "direct", "--workspace", workspace)
    for form in ("text", "markdown"):
        done = run_flow("tidy", *where, "--format", form)
        assert done.returncode == 0, done.stderr
        assert "a b.log" in done.stdout
        assert r"bad\udcff.log" in done.stdout


def test_a_file_that_a_link_leads_to_is_for_a_person(tidy: Tidy, workspace: Path) -> None:
    (workspace / "latest.log").symlink_to("executor.log")
    (workspace / "plan").symlink_to("docs/server.log")
    done = tidy("--quick", "--execute")
    assert (workspace / "latest.log").read_text() == "done\n"
    assert (workspace / "plan").read_text() == "started\n"
    reasons = {d["path"]: d["reason"] for d in done.report["undecided"]}
    assert reasons["executor.log"] == "the link latest.log leads to it"
    assert reasons["docs/server.log"] == "the link plan leads to it"


def test_a_large_file_is_left_to_a_full_run(tidy: Tidy, workspace: Path) -> None:
    with (workspace / "huge.log").open("wb") as file:
        file.truncate(200 << 20)  # a hole: it takes no room
    done = tidy("--quick", "--execute")
    assert "large_file" in codes(done)
    assert done.report["counts"]["moved"] == 3
    assert "flows.tidy" in commands(done)
    assert (workspace / "huge.log").exists()
    assert "huge.log" in planned(tidy("--full"))


def test_an_unfinished_run_is_told_in_a_dry_run(tidy: Tidy, workspace: Path) -> None:
    journal = workspace / ".autonomous_runs/tidy/journal/20260101T000000-abcd.jsonl"
    journal.parent.mkdir(parents=True)
    journal.write_text('{"event":"run","schema":"autopack.moves/1"}\n')
    assert "unfinished" in codes(tidy("--quick"))


def test_the_deadline_depends_on_the_mode() -> None:
    for words, seconds in (
        (["--quick"], 5), ([], 900), (["--full"], 900), (["--undo", "x"], 900),
        (["--quick", "--max-seconds", "7"], 7),
    ):  # fmt: skip
        assert parse((flow,), words).values["max_seconds"] == seconds


def test_a_quick_run_starts_no_server_of_its_own() -> None:
    assert options_of(flow).direct_when({"mode": "quick"})
    assert not options_of(flow).direct_when({"mode": "full"})


def test_undo_of_an_unknown_run_says_where_the_runs_are(tidy: Tidy) -> None:
    done = tidy("--undo", "20260101T000000-0000")
    assert done.returncode == 2
    assert "Next: " in done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--quick", "--full"], "contradicts"),
        (["--quick", "--docs-reduce-to-sot"], "--quick contradicts --docs-reduce-to-sot"),
        (["--undo", "x", "--repair"], "--undo"),
        (["--undo", ""], "--undo: '' is not the name of a run"),
        (["--undo", "", "--execute"], "--undo: '' is not the name of a run"),
        (["--project", "nobody"], "--project"),
        (["--project", "../x"], "--project"),
    ],
)
def test_contradictions_are_one_line(tidy: Tidy, flags: list[str], words: str) -> None:
    done = tidy(*flags)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_bad_rules_are_one_line_with_their_place(tidy: Tidy, workspace: Path) -> None:
    (workspace / "config").mkdir()
    (workspace / "config/tidy.yaml").write_text("version: 1\nroot:\n  rule: []\n")
    before = shape(workspace)
    done = tidy("--quick", "--execute")
    assert done.returncode == 2
    assert "config/tidy.yaml:3: root: " in done.stderr
    assert done.stderr.count("\n") == 1
    moved = {name: was for name, was in before.items() if name != "."}
    assert moved == {name: now for name, now in shape(workspace).items() if name in moved}


def test_own_rules_decide_first(tidy: Tidy, workspace: Path) -> None:
    (workspace / "config").mkdir()
    (workspace / "config/tidy.yaml").write_text(
        "version: 1\nroot:\n  allow: [FIX_PLAN.md]\n  rules:\n"
        "    - {name: data, globs: ['*.csv'], to: archive/data, reason: measured}\n"
    )
    done = tidy("--quick")
    assert planned(done)["data.csv"] == "archive/data/data.csv"
    assert "FIX_PLAN.md" not in planned(done)


def test_reducing_docs_moves_what_is_not_allowed(tidy: Tidy, workspace: Path) -> None:
    done = tidy("--docs-reduce-to-sot", "--execute")
    assert done.returncode == 0
    assert (workspace / "archive/plans/PHASE4_PLAN.md").is_file()
    assert (workspace / "docs/OLD_NAME.md").is_file(), "a redirect stub stays"
    assert (workspace / "docs/CONFIG_GUIDE.md").is_file()
    assert "flows.doc_links" in commands(done)


def test_repair_creates_what_is_missing_and_nothing_else(tidy: Tidy, workspace: Path) -> None:
    for name in ("FUTURE_PLAN.md", "PROJECT_INDEX.json", "DEBUG_LOG.md"):
        (workspace / "docs" / name).unlink()
    before = texts(workspace)
    done = tidy("--quick")
    assert "structure_missing" in codes(done)
    assert "--repair --execute" in commands(done)
    done = tidy("--quick", "--repair", "--execute")
    assert done.returncode == 0
    after = texts(workspace)
    assert {name for name in before if "README" not in name} - QUICK.keys() <= after.keys()
    assert all(after[n] == before[n] for n in after.keys() & before.keys() if n != "README.md")
    assert json.loads(after["docs/PROJECT_INDEX.json"]) == {}
    assert b"## INDEX" in after["docs/DEBUG_LOG.md"]
    assert "structure_missing" not in codes(done)
    assert b"**Summary**: 0 debug entries" in after["docs/DEBUG_LOG.md"]


# --- ledgers ----------------------------------------------------------------------------------


def test_an_identical_twin_of_a_ledger_is_superseded(tidy: Tidy, workspace: Path) -> None:
    data = (workspace / "docs/BUILD_HISTORY.md").read_bytes()
    (workspace / "BUILD_HISTORY.md").write_bytes(data)
    done = tidy("--quick", "--execute")
    assert done.returncode == 0
    kept = workspace / "archive/superseded/root_ledgers/BUILD_HISTORY.md"
    assert kept.read_bytes() == data == (workspace / "docs/BUILD_HISTORY.md").read_bytes()
    assert not (workspace / "BUILD_HISTORY.md").exists()


def test_a_divergent_twin_is_for_a_person_and_the_rest_goes_on(tidy: Tidy, workspace: Path) -> None:
    (workspace / "DEBUG_LOG.md").write_text("# Another\n")
    done = tidy("--quick", "--execute")
    assert done.returncode == 0
    assert done.report["status"] == "followups"
    assert "ledger_divergent" in codes(done)
    assert (workspace / "DEBUG_LOG.md").read_text() == "# Another\n"
    assert (
        "+# Another" in (workspace / ".autonomous_runs/reports/tidy-DEBUG_LOG.md.diff").read_text()
    )
    assert "+# Another" in done.report["ledger_duplicates"][0]["diff"]
    assert "diff " in commands(done)
    assert done.report["counts"]["moved"] == 3
    assert tidy("--quick", "--execute").report["writes"]["files"] == []


def test_the_only_copy_of_a_ledger_is_not_archived(tidy: Tidy, workspace: Path) -> None:
    os.rename(workspace / "docs/FUTURE_PLAN.md", workspace / "FUTURE_PLAN.md")
    done = tidy("--quick", "--execute")
    assert "ledger_only" in codes(done)
    assert (workspace / "FUTURE_PLAN.md").is_file()
    assert "mv -n" in commands(done)
    told = next(f for f in done.report["findings"] if f["code"] == "ledger_only")
    assert told["fix"] in commands(done)


def test_repair_puts_no_empty_ledger_in_the_way_of_the_only_one(
    tidy: Tidy, workspace: Path
) -> None:
    os.rename(workspace / "docs/FUTURE_PLAN.md", workspace / "FUTURE_PLAN.md")
    done = tidy("--quick", "--repair", "--execute")
    assert not (workspace / "docs/FUTURE_PLAN.md").exists()
    assert "ledger_only" in codes(done)
    assert "structure_missing" not in codes(done)


def test_links_to_moved_pages_are_mended_by_the_commands_that_are_named(
    tidy: Tidy, workspace: Path, run_flow
) -> None:
    page = workspace / "docs/CONFIG_GUIDE.md"
    page.write_text("# Config\n\n[plan](../FIX_PLAN.md)\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    git(workspace, "init", "-q")
    git(workspace, "add", "-A")
    git(workspace, *who, "commit", "-qm", "before")
    done = tidy("--quick", "--execute")
    commit, links = (s["command"] for s in done.report["next_steps"] if "links" in s["why"])
    assert links.startswith("python -m flows.doc_links ")
    env = {**os.environ, "GIT_EDITOR": "echo Tidy >", **dict.fromkeys(NAMES, "a@example.org")}
    subprocess.run(commit, shell=True, check=True, env=env, capture_output=True)
    run_flow("doc_links", *shlex.split(links)[3:], "--execute", "--engine", "direct")
    assert "(../archive/plans/FIX_PLAN.md)" in page.read_text()


def test_the_command_that_commits_knows_where_rules_of_ones_own_moved_to(
    tidy: Tidy, workspace: Path
) -> None:
    (workspace / "config").mkdir(exist_ok=True)
    rule = "{name: own, globs: ['*_PLAN.md'], to: kept away/plans, reason: ours}"
    (workspace / "config/tidy.yaml").write_text(f"version: 1\nroot:\n  rules: [{rule}]\n")
    git(workspace, "init", "-q")
    git(workspace, "add", "-A")
    git(workspace, "-c", "user.name=a", "-c", "user.email=a@e.org", "commit", "-qm", "before")
    done = tidy("--quick", "--execute")
    (commit,) = (s["command"] for s in done.report["next_steps"] if "commits" in s["why"])
    env = {**os.environ, "GIT_EDITOR": "echo Tidy >", **dict.fromkeys(NAMES, "a@example.org")}
    subprocess.run(commit, shell=True, check=True, env=env, capture_output=True)
    asked = ["git", "-C", str(workspace), "ls-files", "kept away", "archive"]
    known = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split("\n")
    assert "kept away/plans/FIX_PLAN.md" in known
    assert any(name.startswith("archive/") for name in known)


def test_without_git_the_broken_links_are_shown(tidy: Tidy) -> None:
    named = commands(tidy("--quick", "--execute"))
    assert "commit" not in named
    (shown,) = (line for line in named.splitlines() if "flows.doc_links" in line)
    assert "--deep" in shown


def test_the_readme_summary_is_shown_and_then_written(tidy: Tidy, workspace: Path) -> None:
    page = workspace / "README.md"
    true = page.read_bytes()
    page.write_bytes(true.replace(b"entries**: 3", b"entries**: 4"))
    before = page.read_bytes()
    shown = tidy("--quick")
    assert "readme_drift" in codes(shown)
    assert page.read_bytes() == before
    done = tidy("--quick", "--execute")
    assert "README.md" in done.report["writes"]["files"]
    assert b"entries**: 3" in page.read_bytes()


# --- the queue --------------------------------------------------------------------------------


def test_a_taken_name_gets_another_and_nothing_is_overwritten(tidy: Tidy, workspace: Path) -> None:
    there = workspace / "archive/diagnostics/logs/executor.log"
    there.parent.mkdir(parents=True)
    there.write_text("precious\n")
    tidy("--quick", "--execute")
    assert there.read_text() == "precious\n"
    assert [path.read_text() for path in there.parent.glob("executor.*.log")] == ["done\n"]


def test_what_an_older_tidy_left_waiting_is_taken_over(tidy: Tidy, workspace: Path) -> None:
    old = workspace / ".autonomous_runs/tidy_pending_moves.json"
    old.parent.mkdir()
    item = {
        "id": "0" * 16, "src": "data.csv", "dest": "archive/data/data.csv", "action": "move",
        "status": "pending", "reason": "locked", "first_seen": "2026-01-01T00:00:00+00:00",
        "last_attempt": "2026-01-01T00:00:00+00:00", "next_eligible": "2026-01-01T00:05:00+00:00",
        "attempt_count": 1,
    }  # fmt: skip
    old.write_text(json.dumps({"schema_version": 1, "items": [item]}))
    done = tidy("--quick", "--execute")
    assert done.returncode == 0, done.stderr
    kept = {path.name for path in (workspace / ".autonomous_runs").glob("tidy_pending*")}
    assert kept <= {"tidy_pending_moves.json.imported"}
    queue = json.loads((workspace / ".autonomous_runs/tidy/queue.json").read_text())
    assert [item["source"] for item in queue["items"]] == ["data.csv"]

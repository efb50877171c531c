"""An operator clicks: a dry run and its report, the same with execute, a decision, a held lock."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autopack.io import rule_files
from autopack.io.locks import inspect
from tests.autopack.sot.counted import true_files
from tests.support import rule_papers as papers
from tests.support.console import Console
from tests.support.process import stop
from tests.support.session import REPOSITORY, clean_environment
from tests.support.storage_tree import TOPS, people, real_tree


def test_a_sync_is_looked_at_and_then_executed(console: Console, make_workspace) -> None:
    root: Path = make_workspace(true_files())
    console.open_form("look", root, "form")
    run = console.submit()
    console.wait(run, "COMPLETED")
    said = console.artifact(run, "report")
    assert "Plan for the database" in said
    assert "dry run" in said
    assert not (root / "autopack.db").exists()

    console.open_form("look", root)
    console.switch("execute")
    run = console.submit()
    console.wait(run, "COMPLETED")
    console.open_run(run, "run")
    assert (root / "autopack.db").exists()


def test_a_paused_review_goes_on_with_what_a_person_typed(console: Console, make_workspace) -> None:
    root: Path = make_workspace()
    made = papers.proposal(root)
    (root / ".autonomous_runs/reports").mkdir(parents=True)
    (root / ".autonomous_runs/reports/proposal.json").write_bytes(made.data())
    console.open_form("rules-review", root)
    run = console.submit()
    console.wait(run, "PAUSED")
    assert made.changes[0].rule.id in console.artifact(run)
    console.resume(run, {"by": "Ada Lovelace", "approve": "all"}, "decision")
    console.wait(run, "COMPLETED")
    approval = rule_files.read_approval(str(root / ".autonomous_runs/reports/approval.json"))
    assert (approval.reviewed.by, approval.flow_run_id) == ("Ada Lovelace", run)


@contextmanager
def holding(root: Path, name: str) -> Iterator[None]:
    """Hold a lock of a workspace in another process."""
    child = subprocess.Popen(
        [sys.executable, "-m", "flows.locks", "run", "--name", name, "--workspace", str(root),
         "--engine", "direct", "--", "sleep", "600"],
        cwd=REPOSITORY, env=clean_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while all(seen.kernel == "free" for seen in inspect(root, [name])):
            assert child.poll() is None
            time.sleep(0.1)
        yield
    finally:
        stop(child)


def test_a_held_lock_is_seen(console: Console, make_workspace) -> None:
    root: Path = make_workspace(true_files())
    with holding(root, "docs"):
        console.open_form("locks", root)
        run = console.submit()
        console.wait(run, "COMPLETED")
        said = console.artifact(run)
    line = next(line for line in said.splitlines() if line.startswith("docs"))
    assert "locks-run" in line


def test_the_story_of_disk_space_is_clicked_through(console: Console, tmp_path: Path) -> None:
    root = real_tree(tmp_path / "tree")
    before = people(root)
    old = {name for name in before if name.startswith(TOPS)}

    report, approval = allowed(console, root, picture="storage-report")
    assert people(root) == before
    run = put_away(console, root, report, approval)
    assert before.keys() - people(root).keys() == old

    console.open_form("storage-undo", root)
    console.write("run", run)
    finished(console)
    assert people(root) == before

    run = put_away(console, root, *allowed(console, root))
    console.open_form("storage-approve", root)
    console.write("purge", run, optional=True)
    approve(console, "item:")
    [last] = (root / ".autonomous_runs/reports/storage").glob(f"{run}.purge-approval.json")
    console.open_form("storage-purge", root)
    console.write("run", run)
    console.write("approval", str(last))
    finished(console)
    assert before.keys() - people(root).keys() == old
    assert not [path for path in (root / ".autopack-quarantine").rglob("*") if path.is_file()]


def allowed(console: Console, root: Path, picture: str = "") -> tuple[Path, Path]:
    """Scan, approve everything in the paused run; return the report and its approval."""
    reports = root / ".autonomous_runs/reports/storage"
    known = set(reports.glob("*.json"))
    console.open_form("storage-nightly", root)
    console.wait(console.submit(), "COMPLETED")
    [report] = set(reports.glob("*.json")) - known
    console.open_form("storage-approve", root)
    console.write("report", str(report), optional=True)
    approve(console, "node_modules", picture)
    return report, report.with_suffix(".approval.json")


def approve(console: Console, shown: str, picture: str = "") -> None:
    """Submit the form of an approval, look at what the paused run shows, and approve all of it."""
    run = console.submit()
    console.wait(run, "PAUSED")
    assert shown in console.artifact(run, picture)
    console.resume(run, {"by": "Ada Lovelace", "items": "all"})
    console.wait(run, "COMPLETED")


def put_away(console: Console, root: Path, report: Path, approval: Path) -> str:
    """Put away what an approval allows, by the form; return the name of the run."""
    runs = root / ".autonomous_runs/storage"
    known = set(runs.glob("*"))
    console.open_form("storage-execute", root)
    console.write("report", str(report))
    console.write("approval", str(approval))
    finished(console)
    [run] = set(runs.glob("*")) - known
    return run.name


def finished(console: Console) -> None:
    """Tick `execute`, submit, and wait for the end."""
    console.switch("execute")
    console.wait(console.submit(), "COMPLETED")

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
from tests.support.storage_flow import REPORT, with_cleanup


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


def test_disk_space_is_approved_put_away_and_put_back(console: Console, make_workspace) -> None:
    root: Path = make_workspace(true_files())
    made = with_cleanup(root, grace_days=0)
    console.open_form("storage-approve", root)
    console.write("report", str(root / REPORT), optional=True)
    run = console.submit()
    console.wait(run, "PAUSED")
    assert "logs/a.log" in console.artifact(run, "storage-report")
    console.resume(run, {"by": "Ada Lovelace", "items": made.items[0].id}, "storage-approval")
    console.wait(run, "COMPLETED")
    [approval] = (root / ".autonomous_runs/reports/storage").glob("*approval.json")

    away = execute(console, root, approval)
    assert not (root / made.items[0].path).exists()
    assert (root / made.items[1].path).exists(), "only what was approved goes"
    assert away["state_type"] == "COMPLETED"

    [run_name] = [path.name for path in (root / ".autonomous_runs/storage").iterdir()]
    console.open_form("storage-undo", root)
    console.write("run", run_name)
    console.switch("execute")
    console.wait(console.submit(), "COMPLETED")
    assert (root / made.items[0].path).exists()


def execute(console: Console, root: Path, approval: Path) -> dict[str, object]:
    """Put away what an approval allows, by the form."""
    console.open_form("storage-execute", root)
    console.write("report", str(root / REPORT))
    console.write("approval", str(approval))
    console.switch("execute")
    return console.wait(console.submit(), "COMPLETED")

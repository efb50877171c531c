"""Workspaces in which things may be put away, and the commands that do it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autopack.storage.policy import Policy
from autopack.storage.schema import CleanupReport
from tests.support.moves import files
from tests.support.process import Finished
from tests.support.storage import report_of

REPORT = ".autonomous_runs/reports/storage/cleanup.json"
NAMES = ("logs/a.log", "logs/old")


def cleanup_root(make_workspace: Callable[..., Path]) -> Path:
    """Return a small workspace in which old logs may be put away."""
    root = make_workspace({"docs/A.md": "# A\n", "src/main.py": "print()\n"})
    with_cleanup(root)
    return root


def kept(root: Path) -> dict[str, bytes]:
    """Return the files that people would miss: no state of the flows, and no quarantine."""
    return {name: data for name, data in files(root).items() if not name.startswith((".", "autop"))}


def statuses(done: Finished) -> dict[str, str]:
    """Return how each item of a run ended, by path."""
    return {item["path"]: item["status"] for item in done.report["items"]}


def with_cleanup(root: Path, *paths: str, **policy: Any) -> CleanupReport:
    """Lay out old logs, a policy that lets them go, and a report of them."""
    for name, text in (("a.log", "one"), ("old/b.log", "two"), ("old/c.log", "three")):
        path = root / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    category = {"match": ["logs/**"], "older_than_days": 0, "action": "quarantine"}
    values = {"execution": "enabled", "categories": {"logs": category}, **policy}
    (root / "config").mkdir(exist_ok=True)
    (root / "config/storage.yaml").write_text(json.dumps(values))
    return with_report(root, *(paths or NAMES))


def policy_of(root: Path) -> Policy:
    """Return the workspace's policy, as the flows read it."""
    from autopack.io.storage_policy import read_policy

    return read_policy(root).policy


def with_report(root: Path, *paths: str) -> CleanupReport:
    """Write a report of these paths, and return it."""
    report = report_of(root, *paths, policy=policy_of(root))
    place = root / REPORT
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(report.data())
    return report


def storage(run_flow: Callable[..., Finished], root: Path) -> Callable[..., Finished]:
    """Return `apply(words)`: one command of storage_apply on a workspace, direct, as JSON."""

    def apply(*words: Any, **more: Any) -> Finished:
        told = ("--workspace", root, "--engine", "direct", "--json")
        return run_flow("storage_apply", words[0], *told, *words[1:], **more)

    return apply


def approved(apply: Callable[..., Finished], *words: Any) -> str:
    """Approve a report, or what the words say, and return where the approval is."""
    done = apply("approve", *(words or (REPORT,)), "--by", "Ada Lovelace")
    assert done.returncode == 0, done.stderr
    return str(done.report["approval_path"])


def named(root: Path, word: str) -> str:
    """Return a word of a command line with the run and the approval of a prepared workspace."""
    runs = sorted((root / ".autonomous_runs/storage").glob("*"))
    approvals = sorted((root / ".autonomous_runs/reports/storage").glob("*approval.json"))
    known = {"{run}": [run.name for run in runs], "{approval}": [str(path) for path in approvals]}
    return known[word][-1] if word in known else word


def prepare(root: Path, run_flow: Callable[..., Finished], command: str) -> None:
    """Make a workspace in which a command of storage_apply has work, and no lock is left."""
    apply = storage(run_flow, root)
    with_cleanup(root, grace_days=0)
    approval = approved(apply)
    if command != "execute":
        done = apply("execute", REPORT, approval, "--execute")
        assert done.returncode == 0, done.stderr
        shutil.rmtree(root / ".autonomous_runs/.locks")
        (root / approval).unlink()
        (root / "autopack.db").unlink()
    if command == "purge":
        approved(apply, "--purge", done.report["run"])

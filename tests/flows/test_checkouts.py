"""Two checkouts that feed one database: the older one does not overwrite the newer one silently."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.test_sot_sync import DIRECT, ledger, write
from tests.support.process import Finished


def test_an_older_checkout_does_not_overwrite_a_newer_generation(make_workspace, publish) -> None:
    old = make_workspace({"docs/BUILD_HISTORY.md": ledger(30)})
    new = make_workspace({"docs/BUILD_HISTORY.md": ledger(31)})
    assert publish(new, "--execute").returncode == 0
    refused = publish(old, "--execute")
    assert refused.returncode == 6
    assert "another, newer checkout" in refused.report["message"]
    assert publish(new, "--execute").report["counts"]["generation"] == 1
    forced = publish(old, "--execute", "--accept-shrink")
    assert forced.report["counts"]["generation"] == 2
    # The same checkout may go back and forth.
    write(old, ledger(32))
    assert publish(old, "--execute").returncode == 0
    write(old, ledger(30))
    assert publish(old, "--execute").returncode == 0


def git(root: Path, *args: str) -> None:
    subprocess.run(["git", "-C", str(root), *args], check=True, capture_output=True)


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Path, Path]:
    """Return a repository with one commit of 30 entries, and a clone of it."""
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "docs").mkdir(parents=True)
    git(tmp_path, "init", "-q", "first")
    (first / "docs/BUILD_HISTORY.md").write_text(ledger(30))
    git(first, "add", "-A")
    git(first, "commit", "-qm", "one")
    git(tmp_path, "clone", "-q", "first", "second")
    return first, second


@pytest.fixture
def publish(run_flow, fresh_postgres: str) -> Callable[..., Finished]:
    """Return `publish(root, "--execute")`: a sync of that checkout into one PostgreSQL."""
    return lambda root, *args: run_flow(
        "sot_sync", *DIRECT, "--workspace", root, "--db-only", *args,
        env={"DATABASE_URL": fresh_postgres},
    )  # fmt: skip


def commit(root: Path, text: str) -> None:
    (root / "docs/BUILD_HISTORY.md").write_text(text)
    git(root, "commit", "-qam", "more")


def test_git_tells_which_checkout_is_older(clones, publish) -> None:
    first, second = clones
    commit(first, ledger(30, edited=3))
    assert publish(first, "--execute").returncode == 0
    git(second, "fetch", "-q")
    assert publish(second, "--execute").returncode == 6
    git(second, "merge", "-q", "origin/HEAD")
    commit(second, ledger(29, edited=3))
    assert publish(second, "--execute").returncode == 0, "newer, with one entry less"


def test_an_older_clone_that_adds_entries_is_refused_too(clones, publish) -> None:
    """It has never seen the published commit, so it cannot know what it would take away."""
    first, second = clones
    commit(first, ledger(31))
    commit(second, ledger(33, edited=2))
    assert publish(first, "--execute").returncode == 0
    dry = publish(second)
    assert dry.returncode == 1
    assert "older_checkout" in {f["code"] for f in dry.report["findings"]}
    assert publish(second, "--execute").returncode == 6

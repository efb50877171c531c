"""What the stories of links and redirects share, and those of the audit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.io import signing
from tests.support.audit_runs import ending
from tests.support.link_checks import checker
from tests.support.preflight import preflight, project_files
from tests.support.process import Finished
from tests.support.redirects import TALK, redirects, with_moved_page
from tests.support.rule_papers import with_a_rule


@pytest.fixture
def check(run_flow) -> Callable[..., Finished]:
    return checker(run_flow)


@pytest.fixture
def redirect(run_flow) -> Callable[..., Finished]:
    return redirects(run_flow)


@pytest.fixture
def moved(make_workspace) -> Path:
    """Return a repository where docs/OLD.md is now docs/guides/NEW.md, and three links are old."""
    return with_moved_page(make_workspace(TALK))


@pytest.fixture
def audit_root(make_workspace) -> Path:
    """Return a workspace whose runs are audited."""
    return make_workspace()


@pytest.fixture
def audit_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a key that signs the heads of runs in this process."""
    signing.make_key(tmp_path / "key.pem")
    monkeypatch.setenv("AUTOPACK_AUDIT_KEY", str(tmp_path / "key.pem"))
    return tmp_path / "key.pem"


@pytest.fixture
def audit_run(run_flow, audit_root: Path) -> Callable[..., Finished]:
    """Return `audit_run("verify", …)`: one command of flows.audit on the workspace."""

    def run(command: str, *args, **kwargs) -> Finished:
        words = (command, *args, "--workspace", audit_root, "--engine", "direct", "--json")
        return run_flow("audit", *words, **kwargs)

    return run


@pytest.fixture
def five_records(audit_root: Path) -> Path:
    """Return a workspace with five records, the third and the fifth in the database."""
    for n in range(1, 6):
        ending(audit_root, anchored=n in (3, 5))
    return audit_root


@pytest.fixture
def flight(run_flow) -> Callable[..., Finished]:
    """Return `flight(root, *flags)`: preflight without Prefect, its report as JSON."""
    return preflight(run_flow)


@pytest.fixture
def project(make_workspace) -> Path:
    """Return a small project in which everything is right, a learned rule included."""
    return with_a_rule(make_workspace(project_files()))

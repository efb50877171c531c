"""What the stories of links and redirects share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
def flight(run_flow) -> Callable[..., Finished]:
    """Return `flight(root, *flags)`: preflight without Prefect, its report as JSON."""
    return preflight(run_flow)


@pytest.fixture
def project(make_workspace) -> Path:
    """Return a small project in which everything is right, a learned rule included."""
    return with_a_rule(make_workspace(project_files()))

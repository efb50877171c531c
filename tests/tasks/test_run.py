"""What a report advises works on the workspace that the report is about."""

from __future__ import annotations

import sys
import time

import pytest

from autopack.report import Finding, NextStep, Report
from tasks.run import Run, bug, deadline_alarm, name_workspace, running, waiting_for_a_person


@pytest.mark.parametrize(
    ("advised", "named"),
    [
        (
            "python -m flows.sot_sync --db-only --execute",
            "python -m flows.sot_sync --workspace 'a b' --db-only --execute",
        ),
        ("python -m flows.locks status", "python -m flows.locks status --workspace 'a b'"),
        (
            "run python -m flows.sot_sync --full, or python -m flows.sot_counts",
            "run python -m flows.sot_sync --workspace 'a b' --full, "
            "or python -m flows.sot_counts --workspace 'a b'",
        ),
        (
            "python -m flows.locks status --workspace elsewhere",
            "python -m flows.locks status --workspace elsewhere",
        ),
        (
            "python -m flows.failure_rules lint; a file is moved away",
            "python -m flows.failure_rules lint --workspace 'a b'; a file is moved away",
        ),
        ("make serve", "make serve WORKSPACE='a b'"),
        ("make serve WORKSPACE=elsewhere", "make serve WORKSPACE=elsewhere"),
        ("git pull", "git pull"),
    ],
)
def test_advised_commands_name_the_workspace(advised: str, named: str) -> None:
    report = Report("toy", message=advised)
    report.findings = [Finding("x", "info", "docs", None, "m", advised)]
    report.next_steps = [NextStep("why", advised)]
    name_workspace(report, "a b")
    told = [report.message, report.findings[0].fix, report.next_steps[0].command]
    assert told == [named, named, named]


def test_in_the_current_folder_nothing_is_added() -> None:
    report = Report("toy", message="python -m flows.locks status")
    name_workspace(report, ".")
    assert report.message == "python -m flows.locks status"


def test_the_clock_stands_still_while_a_person_is_asked() -> None:
    given = Run("x", {}, ends=time.monotonic() + 0.2)
    with running(given), deadline_alarm(given, 0.2):
        with waiting_for_a_person():
            assert given.left() == float("inf")
            time.sleep(0.6)  # longer than the alarm would have taken
        assert 0 < given.left() <= 0.2
    assert given.ends is not None


def test_an_interpreter_without_our_packages_is_no_bug() -> None:
    given = Run("x", {})
    report = bug(given, ModuleNotFoundError("No module named 'rfc8785'", name="rfc8785"))
    assert report.exit_code == 4
    assert report.message == (
        f"{sys.executable} has no module 'rfc8785'. "
        "Next: use the checkout's .venv/bin/python, which `make demo` sets up"
    )


def test_a_system_without_kernel_locks_is_refused_in_one_line() -> None:
    report = bug(Run("x", {}), ModuleNotFoundError("No module named 'fcntl'", name="fcntl"))
    assert (report.exit_code, report.message) == (
        6,
        f"{sys.platform} has no fcntl, which writes and records are locked with. "
        "Next: run it on Linux or macOS",
    )

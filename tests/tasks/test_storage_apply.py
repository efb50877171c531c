"""The steps of an act on disk space: when a gate looks at the clock, and which locks are held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io.storage_journal import APPROVAL as APPROVAL_PAPER
from autopack.io.storage_journal import REPORT as REPORT_PAPER
from autopack.io.storage_journal import appending, keep_papers, run_of
from autopack.io.storage_reports import read_report
from autopack.storage.approval import Given, Limits, chosen, make, of_report
from autopack.storage.schema import Approval
from tasks import storage_apply_gate as gate
from tasks.storage_apply import Applying
from tasks.storage_apply_run import locks_wanted
from tests.support.storage_flow import REPORT, policy_of, with_cleanup, with_report


@pytest.fixture
def root(make_workspace) -> Path:
    root: Path = make_workspace({"docs/old/x.log": "x\n"})
    with_cleanup(root)
    with_report(root, "logs/a.log", "docs/old")
    return root


def begun(root: Path) -> Applying:
    return Applying(str(root), None, None, Deadline.after(600))


def given(root: Path, at: datetime, lifetime: timedelta) -> Approval:
    """Write an approval that was given at some time, and return it."""
    report = with_report(root, "logs/a.log", "docs/old")
    subject = of_report(report)
    stamp = Given("Ada Lovelace", at, "0123456789abcdef" * 2)
    items = chosen(subject, ["all"])
    made = make(subject, policy_of(root), items, Limits(lifetime=lifetime), stamp)
    (root / "approval.json").write_bytes(made.data())
    return made


def test_an_approval_that_expires_while_locks_are_waited_for_is_refused(root: Path) -> None:
    now = datetime.now(UTC)
    given(root, now - timedelta(seconds=30), timedelta(seconds=20))
    applying = begun(root)
    gate.read_policy(applying)
    gate.read_papers(applying, str(root / REPORT), str(root / "approval.json"))
    applying.now = now - timedelta(seconds=25)  # when the command began to wait
    with pytest.raises(Refused, match="expired"):
        gate.check_execute(applying)


def test_the_locks_of_a_run_that_is_at_work_are_those_of_all_its_items(root: Path) -> None:
    approval = given(root, datetime.now(UTC), timedelta(hours=1))
    report = read_report(str(root / REPORT))
    papers = {REPORT_PAPER: report.data(), APPROVAL_PAPER: approval.data()}
    applying = begun(root)
    gate.read_policy(applying)
    run = run_of(approval)
    keep_papers(root, run, papers)
    with appending(root, run, {"report": report.id, "approval": approval.id}):
        pass  # it has moved nothing so far
    gate.read_run(applying, run)
    assert locks_wanted(applying) == {"docs", "storage"}

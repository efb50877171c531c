"""What a phase's begin, end and run say."""

from __future__ import annotations

import shlex
from collections import Counter

from autopack.phases.census import shown
from autopack.report import NextStep, Report
from tasks.phase_runs_session import PhaseRun

SHOWN = 200
"""So many violations are findings of their own; the quarantine's list has all."""


def describe_begin(report: Report, run: PhaseRun, digest: str) -> None:
    """Say what was looked at, and how the phase ends."""
    census = run.snapshot.census
    report.counts = {
        "names": len(census.items),
        "may_be_written": sum(1 for path in census.items if run.scope.judge(path) is None),
        "refs": len(census.refs),
    }
    report.extra["phase"] = {"name": run.scope.phase}
    report.writes.files = [shown(name) for name in run.written]
    report.extra["phase"] |= {"run": run.snapshot.run, "snapshot_sha256": digest}
    end = run.command("end", "--digest", digest, "--execute")
    report.next_steps.append(NextStep("when the phase is over", end))


def describe_end(report: Report, run: PhaseRun) -> None:
    """Say what the phase changed, what of it was not its own, and what to do about that."""
    scope, errors = run.snapshot.scope, [f for f in run.findings if f.severity == "error"]
    rest = [f for f in run.findings if f.severity != "error"]
    report.findings += [*errors, *rest][:SHOWN]  # a cut may not take what makes the exit code 1
    report.counts |= {
        "files": run.files, "files_budget": run.budget.files,
        "lines": run.lines, "lines_budget": run.budget.lines,
        "violations": len(errors),
        "codes": dict(sorted(Counter(finding.code for finding in run.findings).items())),
    }  # fmt: skip
    report.extra["phase"] = report.extra.get("phase", {}) | {
        "name": scope.phase,
        "run": run.snapshot.run,
        "changed": [shown(change.path) for change in run.judged.files],
    }
    report.writes.files = [shown(name) for name in run.written]
    if len(run.findings) > SHOWN:
        report.message = f"{len(run.findings) - SHOWN} more findings are not shown"
    _advise(report, run, broken=not run.kept_to_scope)


def _advise(report: Report, run: PhaseRun, broken: bool) -> None:
    end = run.command("end", "--execute")
    patch = next((name for name in run.written if name.endswith("/changes.patch")), "")
    if patch and run.judged.patched:
        there = ["-C", run.workspace] if run.workspace != "." else []
        undo = shlex.join(["git", *there, "apply", "-R", patch])
        report.next_steps.append(NextStep("look at the patch; to take it back", undo))
    if broken:
        why = "when it is mended" if report.execute else "keep the violations in quarantine"
        report.next_steps.append(NextStep(why, end))
    elif not report.execute:
        report.next_steps.append(NextStep("close the phase", end))

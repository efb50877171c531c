"""What a phase check says: counts and findings, the draft, a verdict a line, the schema."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from typing import Any

from autopack.report import NextStep, Report
from tasks.phases_session import Validating


def describe(report: Report, validating: Validating) -> None:
    """Put counts, findings and advice into the report."""
    report.findings = [*validating.findings]
    codes = Counter(finding.code for finding in validating.findings)
    report.counts = {
        "files": len(validating.files),
        "phases": validating.phases,
        "accepted": len(validating.scopes),
        "codes": dict(sorted(codes.items())),
    }
    lacking = {finding.path for finding in validating.findings if finding.code == "PS101"}
    if lacking:
        name = shlex.quote(validating.files[0])
        command = f"python -m flows.phase_check validate {name} --draft{validating.where}"
        report.next_steps.append(NextStep("print it with what is missing, to fill in", command))


def say(verdict: str) -> None:
    """Print a verdict at once: whoever feeds the pipe may wait for it."""
    sys.stdout.write(f"{verdict}\n")
    sys.stdout.flush()


def describe_paths(report: Report, validating: Validating) -> None:
    """Put a finding for every refused path into the report; stdout holds the verdicts alone."""
    from autopack.phases.codes import CODES
    from autopack.phases.finding import SpecFinding

    refused = [(n, *at) for n, at in enumerate(validating.judged, 1) if at[1] != "ok"]
    report.findings = [
        SpecFinding(code, "error", "stdin", n, f"{path[:200]!r}: {CODES[code]}", "", 1)
        for n, path, code in refused
    ]
    report.counts = {"paths": len(validating.judged), "refused": len(refused)}
    report.extra["paths"] = [{"path": path, "verdict": v} for path, v in validating.judged]
    report.extra_stdout = b""


def put_text(report: Report, name: str, value: Any, text: str) -> None:
    """Make a text the whole of stdout; under `--json` it is a value of the report."""
    report.extra[name] = value
    report.extra_stdout = text.encode("utf-8", "backslashreplace")


def put_draft(report: Report, validating: Validating) -> None:
    """Make the completed spec the output."""
    text = json.dumps(validating.draft, indent=2, ensure_ascii=False) + "\n"
    put_text(report, "draft", validating.draft, text)

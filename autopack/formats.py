"""A report for machines that show findings beside the code: SARIF, JUnit, GitHub annotations."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from autopack.report import Finding, PlacedFinding, Report
from autopack.settings import redact

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
_SEVERITIES = tuple(_LEVELS)
SARIF_RESULTS = 25_000
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def masked(report: Report) -> Report:
    """Return a copy without secrets: each format escapes, and an escaped secret is not found."""
    return replace(
        report,
        message=redact(report.message),
        findings=[
            replace(f, path=redact(f.path), message=redact(f.message), fix=redact(f.fix))
            for f in report.findings
        ],
    )


def fingerprints(findings: list[Finding]) -> Iterator[str]:
    """Yield what stays the same for each finding when lines move; equal ones are numbered."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for finding in findings:
        key = (finding.path, finding.code, finding.message)
        seen[key] += 1
        yield sha256("\0".join((*key, str(seen[key]))).encode("utf-8", "replace")).hexdigest()[:32]


def sarif(report: Report) -> str:
    """Return the findings as SARIF 2.1.0 (OASIS), as GitHub code scanning reads it.

    It refuses a run of more than 25,000 results, so beyond those the least severe are left out.
    """
    # A baseline knows a finding by what it says, whatever is a secret today.
    marked = zip(masked(report).findings, fingerprints(report.findings), strict=True)
    worst = sorted(marked, key=lambda at: _SEVERITIES.index(at[0].severity))[:SARIF_RESULTS]
    results = [_result(finding, print_) for finding, print_ in worst]
    rules = sorted({finding.code for finding, _ in worst})
    driver = {"name": report.flow, "rules": [{"id": rule} for rule in rules]}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "results": results,
        "originalUriBaseIds": {"ROOT": {"description": {"text": "the workspace"}}},
        "invocations": [
            {"executionSuccessful": report.exit_code <= 1, "exitCode": int(report.exit_code)}
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _result(finding: Finding, fingerprint: str) -> dict[str, Any]:
    from urllib.parse import quote

    words = f"{finding.message}. {finding.fix}" if finding.fix else finding.message
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "level": _LEVELS[finding.severity],
        "message": {"text": words},
        "partialFingerprints": {"autopack/v1": fingerprint},
    }
    if finding.path:
        uri = quote(finding.path.encode("utf-8", "surrogateescape"))
        place: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": "ROOT"}}
        if finding.line:
            place["region"] = {"startLine": finding.line, **_column(finding, "startColumn")}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _column(finding: Finding, name: str) -> dict[str, int]:
    column = finding.column if isinstance(finding, PlacedFinding) else None
    return {} if column is None else {name: column}


def junit(report: Report) -> str:
    """Return the findings as one JUnit test suite: errors fail, others are skipped with a reason.

    A run that found nothing is one test case, and so is it that a run could not do its job.
    """
    report = masked(report)
    cases = [_case(report, finding) for finding in report.findings]
    failures = sum(1 for finding in report.findings if finding.severity == "error")
    broken = int(report.exit_code > 1)
    if broken or not cases:
        cases.append(_whole(report))
    head = (
        f'<testsuite name={_attribute(report.flow)} tests="{len(cases)}" failures="{failures}" '
        f'errors="{broken}" '
        f'skipped="{len(report.findings) - failures}" time="{report.seconds:.3f}">'
    )
    xml = '<?xml version="1.0" encoding="UTF-8"?>'
    return "\n".join([xml, head, *cases, "</testsuite>"]) + "\n"


def _case(report: Report, finding: Finding) -> str:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    name = _attribute(f"{finding.code} {place}".strip())
    kind = "failure" if finding.severity == "error" else "skipped"
    words = escape(_printable(finding.fix))
    inner = f"<{kind} message={_attribute(finding.message)}>{words}</{kind}>"
    return f"<testcase classname={_attribute(report.flow)} name={name}>{inner}</testcase>"


def _whole(report: Report) -> str:
    name = _attribute(report.flow)
    if report.exit_code <= 1:
        return f'<testcase classname={name} name="findings"/>'
    inner = f"<error message={_attribute(report.message or report.status)}/>"
    return f'<testcase classname={name} name="run">{inner}</testcase>'


def _attribute(text: str) -> str:
    return quoteattr(_printable(text))


def _printable(text: str) -> str:
    """Return text without what XML 1.0 cannot hold."""
    return "".join(
        c
        if c in "\t\n\r" or " " <= c < "\ud800" or (c >= "\ue000" and c not in "\ufffe\uffff")
        else "?"
        for c in text
    )


def github(report: Report) -> str:
    """Return the findings as workflow commands: GitHub shows them beside the lines they name.

    A run that could not do its job is one command too.
    """
    report = masked(report)
    lines = [_command(finding) for finding in report.findings]
    if report.exit_code > 1:
        lines.append(f"::error title={_property(report.flow)}::{_data(report.message)}")
    return "".join(f"{line}\n" for line in lines)


def _command(finding: Finding) -> str:
    place = {
        "file": finding.path,
        "line": str(finding.line or ""),
        "col": str(_column(finding, "col").get("col", "")),
        "title": finding.code,
    }
    shown = ",".join(f"{name}={_property(value)}" for name, value in place.items() if value)
    words = f"{finding.message}. {finding.fix}" if finding.fix else finding.message
    return f"::{_COMMANDS[finding.severity]} {shown}::{_data(words)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

"""Reports for machines, compared as a whole."""

from __future__ import annotations

import json
from xml.etree import ElementTree

from autopack.formats import fingerprints, github, junit, sarif
from autopack.report import Finding, Report

FINDINGS = [
    Finding(
        "missing_file", "error", "docs/a b.md", 3, "'x.md': <gone> & \x01 100%", "write 'y.md'"
    ),
    Finding("missing_anchor", "warning", "docs/a b.md", 4, "'#x': no\nheading"),
    Finding("external_url", "info", "", None, "leads, out"),
]


def report(findings=FINDINGS, **more) -> Report:
    return Report("doc-links", findings=list(findings), exit_code=1, seconds=0.25, **more)


def test_sarif():
    (run,) = json.loads(sarif(report()))["runs"]
    assert run["tool"]["driver"]["name"] == "doc-links"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "external_url", "missing_anchor", "missing_file",
    ]  # fmt: skip
    first, second, third = run["results"]
    assert first["level"] == "error"
    assert first["message"]["text"].endswith("100%. write 'y.md'")
    assert first["locations"] == [{"physicalLocation": {
        "artifactLocation": {"uri": "docs/a%20b.md", "uriBaseId": "ROOT"},
        "region": {"startLine": 3},
    }}]  # fmt: skip
    assert (second["level"], third["level"]) == ("warning", "note")
    assert "locations" not in third
    assert run["invocations"] == [{"executionSuccessful": True, "exitCode": 1}]


def test_sarif_keeps_the_worst_of_more_than_github_takes(monkeypatch):
    monkeypatch.setattr("autopack.formats.SARIF_RESULTS", 2)
    (run,) = json.loads(sarif(report(reversed(FINDINGS))))["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["missing_file", "missing_anchor"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "missing_anchor", "missing_file",
    ]  # fmt: skip


def test_fingerprints_survive_line_moves_and_tell_equal_findings_apart():
    moved = [Finding(f.code, f.severity, f.path, 99, f.message) for f in FINDINGS]
    assert list(fingerprints(moved)) == list(fingerprints(FINDINGS))
    assert len(set(fingerprints([FINDINGS[0]] * 3))) == 3


def test_junit():
    suite = ElementTree.fromstring(junit(report()))
    assert dict(suite.attrib) == {
        "name": "doc-links", "tests": "3", "failures": "1", "errors": "0", "skipped": "2",
        "time": "0.250",
    }  # fmt: skip
    names = [case.get("name") for case in suite]
    assert names == [
        "missing_file docs/a b.md:3", "missing_anchor docs/a b.md:4", "external_url",
    ]  # fmt: skip
    failure = suite[0][0]
    assert failure.tag == "failure"
    assert failure.get("message") == "'x.md': <gone> & ? 100%"
    assert failure.text == "write 'y.md'"


def test_junit_of_a_run_without_findings_has_one_case():
    clean = ElementTree.fromstring(junit(Report("doc-links")))
    assert (clean.get("tests"), len(clean[0])) == ("1", 0)
    late = Report("doc-links", exit_code=3, message="out of time")
    broken = ElementTree.fromstring(junit(late))
    assert broken.get("errors") == "1"
    assert broken[0][0].get("message") == "out of time"


def test_junit_of_findings_that_are_not_all_says_so():
    late = report([FINDINGS[1]], message="out of time")
    late.exit_code = 3
    suite = ElementTree.fromstring(junit(late))
    assert (suite.get("tests"), suite.get("errors"), suite.get("skipped")) == ("2", "1", "1")
    assert suite[1][0].get("message") == "out of time"


def test_github():
    assert github(report()).splitlines() == [
        "::error file=docs/a b.md,line=3,title=missing_file::'x.md': <gone> & \x01 100%25. "
        "write 'y.md'",
        "::warning file=docs/a b.md,line=4,title=missing_anchor::'#x': no%0Aheading",
        "::notice title=external_url::leads, out",
    ]
    late = Report("doc-links", exit_code=3, message="out of time")
    assert github(late) == "::error title=doc-links::out of time\n"

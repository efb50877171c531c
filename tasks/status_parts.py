"""How the report of each capability reads as one line of the health page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autopack.health.parts import Part, part_of
from autopack.report import Finding, Report

_INDEX = ("database", "vectors")
"""What the codes of findings about an index begin with."""


def _about_index(finding: Finding) -> bool:
    return finding.code.startswith(_INDEX)


def _only(report: Report, wanted: list[Finding]) -> Report:
    return replace(report, findings=wanted)


def counts(report: Report) -> Part:
    """Read `sot_counts`: what the ledgers count, and what claims something else."""
    claims = [f for f in report.findings if not _about_index(f)]
    entries = sum(c.get("index_entries", 0) for c in _ledgers(report))
    unique = sum(c.get("unique_base", 0) for c in _ledgers(report))
    words = f"{entries} entries, {unique} unique ids in {len(_ledgers(report))} ledgers"
    made = part_of("counts", _only(report, claims), words, "python -m flows.sot_counts")
    drifts = sum(f.severity != "info" for f in claims)
    return _with(made, drifts=drifts, entries=entries)


def _ledgers(report: Report) -> list[dict[str, Any]]:
    return [counted for counted in report.counts.values() if isinstance(counted, dict)]


def index(report: Report) -> Part:
    """Read `sot_counts --index`: whether database and vectors say what the ledgers say."""
    behind = [f for f in report.findings if _about_index(f)]
    where = (report.targets.get("database") or "no database").partition(" (")[0]
    words = f"{where} is as the ledgers" if not behind else f"{where} is not as the ledgers"
    sync = "python -m flows.sot_sync --db-only --execute"
    made = part_of("index", _only(report, behind), words, sync)
    return _with(made, index_behind=len(behind))


def links(report: Report) -> Part:
    """Read `doc_links --deep`: what is broken in the pages."""
    broken = sum(f.code in _BROKEN for f in report.findings)
    files, total = report.counts.get("files", 0), report.counts.get("links", 0)
    words = f"{total} links in {files} pages, {broken} broken"
    made = part_of("links", report, words, "python -m flows.doc_links --deep")
    return _with(made, broken_links=broken)


_BROKEN = frozenset({"missing_file", "missing_anchor"})


def navigation(report: Report) -> Part:
    """Read `doc_links`: the pages that people start from."""
    files, total = report.counts.get("files", 0), report.counts.get("links", 0)
    words = f"{total} links in {files} navigation pages"
    return part_of("navigation", report, words, "python -m flows.doc_links")


def locks(report: Report) -> Part:
    """Read `locks status`: who holds what, and whether they live."""
    held = report.counts.get("held", 0)
    words = f"{held} of {report.counts.get('locks', 0)} locks held"
    made = part_of("locks", report, words, "python -m flows.locks status")
    return _with(made, locks_held=held)


def tidy(report: Report) -> Part:
    """Read `tidy --quick`: what waits, and what is not in its place."""
    waiting, planned = report.counts.get("queue_pending", 0), report.counts["planned_moves"]
    words = f"{planned} moves to make, {waiting} waiting in the queue"
    made = part_of("tidy", report, words, "python -m flows.tidy --quick --execute")
    if made.state == "good" and planned:
        made = replace(made, state="look", command="python -m flows.tidy --quick --execute")
    return _with(made, moves_to_make=planned, queue_waiting=waiting)


def rules(report: Report) -> Part:
    """Read `failure_rules effect`: whether failures with a rule became rarer."""
    told = ", ".join(
        f"{count} {answer.replace('_', ' ')}"
        for answer, count in report.counts.items()
        if answer not in {"rules", "runs"}
    )
    words = f"{report.counts.get('rules', 0)} active rules{f': {told}' if told else ''}"
    made = part_of("rules", report, words, "python -m flows.failure_rules effect")
    return _with(made, rules=int(report.counts.get("rules", 0)))


def rule_file(report: Report) -> Part:
    """Read `failure_rules lint`: whether the rule file holds together."""
    words = f"{report.counts.get('rules', 0)} rules in docs/LEARNED_RULES.json"
    return part_of("rule file", report, words, "python -m flows.failure_rules lint")


def audit(report: Report) -> Part:
    """Read `audit verify`: whether a record was edited, removed or cut off."""
    words = f"{report.counts['records']} records, proven up to {report.counts['proven_up_to']}"
    return part_of("audit", report, words, "python -m flows.audit verify")


def _with(part: Part, **numbers: float) -> Part:
    return replace(part, numbers=numbers)

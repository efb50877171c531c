"""What is wrong with a rule file, and what rules at stage lint say about a phase or about paths."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from autopack.report import Finding, PlacedFinding
from autopack.rules.gate import conflicts, examples_against
from autopack.rules.schema import RULES_FILE, Rule, RuleFile
from autopack.rules.scopes import meets, within

SOON = timedelta(days=14)
CODES = {
    "RU001": "the file is no rule file of this format",
    "RU002": "a rule has a key, a value or an id that it may not have",
    "RU003": "a rule has no scope, or one that is everything",
    "RU004": "a rule decides one of its own examples wrongly",
    "RU005": "two enforced rules would do different things",
    "RU006": "a rule is past its date; it is no longer served",
    "RU007": "a rule was not reviewed",
    "RU008": "a rule will soon be past its date",
    "RU009": "a hit was overturned; the rule only advises until it is reviewed",
    "RU010": "a line of the log of hits is none",
}
Loc = tuple[str | int, ...]
Place = Callable[[Loc], tuple[int, int]]
"""Line and column of a value in the file, both from 1."""
_RETIRE = "python -m flows.failure_rules retire"


def code_table() -> str:
    """Return the codes as a Markdown table, as the docs print it."""
    rows = [f"| {code} | {meaning} |" for code, meaning in CODES.items()]
    return "\n".join(["| code | meaning |", "|---|---|", *rows])


def lint_file(
    value: Any, place: Place, now: datetime, overturned: Collection[str] = ()
) -> list[Finding]:
    """Return everything that is wrong with a rule file's value, in the order of the file."""
    if not isinstance(value, dict) or value.get("schema") != "autopack.rules/1":
        told = "it is an older or foreign format; nothing will be written to it"
        return [_finding("RU001", place(()), told, "move it away, then propose --from-rules FILE")]
    try:
        file = RuleFile.model_validate(value)
    except ValidationError as error:
        return [_schema_finding(fault, place) for fault in error.errors(include_url=False)]
    findings = [
        finding
        for number, rule in enumerate(file.rules)
        for finding in _of_rule(rule, ("rules", number), place, now, overturned)
    ]
    ids = {rule.id: number for number, rule in enumerate(file.rules)}
    for told in conflicts(file.rules):
        at = place(("rules", ids[told.split(" ", 1)[0]], "action"))
        findings.append(_finding("RU005", at, told, _RETIRE))
    return findings


def _schema_finding(fault: Any, place: Place) -> Finding:
    loc = tuple(fault["loc"])
    scope = "scope" in loc
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    message = f"{name.removeprefix('.') or 'rules'}: {fault['msg']}"
    return _finding("RU003" if scope else "RU002", place(loc), message, "correct it, or remove it")


def _of_rule(
    rule: Rule, loc: Loc, place: Place, now: datetime, overturned: Collection[str]
) -> Iterator[Finding]:
    for told in examples_against(rule):
        key = "positives" if "positive" in told else "negatives"
        yield _finding("RU004", place((*loc, key)), told, _RETIRE)
    if rule.state != "active":
        return
    if not (rule.reviewed and rule.proposal_id and rule.approval_id):
        told = f"{rule.id} was not reviewed"
        yield _finding("RU007", place(loc), told, "python -m flows.failure_rules propose")
    until, at = f"{rule.id} until {rule.expires_at.date()}", place((*loc, "expires_at"))
    if rule.expires_at <= now:
        yield _finding("RU006", at, f"{until}: it is no longer served", _RETIRE)
    elif rule.expires_at <= now + SOON:
        yield _finding("RU008", at, until, "", "warning")
    if rule.id in overturned:
        told = f"{rule.id} was wrong once: it only advises until it is reviewed"
        yield _finding("RU009", place((*loc, "stage")), told, _RETIRE, "warning")


def _finding(
    code: str, at: tuple[int, int], message: str, fix: str = "", severity: Any = "error"
) -> Finding:
    return PlacedFinding(code, severity, RULES_FILE, at[0], message, fix, column=at[1])


@dataclass(frozen=True)
class LintHit:
    """What a rule at stage lint or above says about a place in a phase spec."""

    loc: Loc
    rule: str
    message: str


def lint_spec(rules: Sequence[Rule], spec: Any) -> list[LintHit]:
    """Return what rules that warn say about a spec: once for each phase that may write there."""
    hits = []
    for loc, phase in _phases(spec):
        globs = list(_writes(phase))
        for rule in rules:
            met = next((n for n, glob in globs if meets(rule.scope, glob)), None)
            if met is not None:
                hits.append(LintHit((*loc, "scope", "paths", met), rule.id, rule.action.advice))
    return hits


def lint_paths(rules: Iterable[Rule], paths: Sequence[str]) -> list[Finding]:
    """Return a warning for each rule that is about one of some changed files."""
    findings = []
    for rule in rules:
        path = next((path for path in paths if within(rule.scope, path)), None)
        if path is not None:
            told = f"{rule.action.advice} ({rule.id})"
            findings.append(Finding("learned_rule", "warning", path, None, told))
    return findings


def _phases(spec: Any) -> Iterator[tuple[Loc, dict[str, Any]]]:
    if isinstance(spec, dict) and isinstance(spec.get("phases"), list):
        found: list[tuple[Loc, Any]] = [(("phases", n), p) for n, p in enumerate(spec["phases"])]
    elif isinstance(spec, list):
        found = [((n,), phase) for n, phase in enumerate(spec)]
    else:
        found = [((), spec)]
    yield from ((loc, phase) for loc, phase in found if isinstance(phase, dict))


def _writes(phase: dict[str, Any]) -> Iterator[tuple[int, str]]:
    scope = phase.get("scope")
    paths = scope.get("paths") if isinstance(scope, dict) else None
    for number, glob in enumerate(paths if isinstance(paths, list) else ()):
        if isinstance(glob, str):
            yield number, glob

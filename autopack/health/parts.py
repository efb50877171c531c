"""What a report of one capability says about the health of the workspace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from autopack.errors import ExitCode
from autopack.report import Finding, Report

State = Literal["good", "look", "bad", "unknown"]
WORST: tuple[State, ...] = ("good", "look", "unknown", "bad")
"""From the best to the worst; what could not be looked at is not good."""


@dataclass(frozen=True)
class Part:
    """One line of the health page: how a capability is, in words, in numbers, and what to type."""

    name: str
    state: State
    words: str
    command: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)


def worst(states: Iterable[State]) -> State:
    """Return the worst of some states; of none, good."""
    return max(states, key=WORST.index, default="good")


def state_of(findings: Iterable[Finding]) -> State:
    """Return bad for an error, look for a warning, good for neither."""
    severities = {finding.severity for finding in findings}
    return "bad" if "error" in severities else "look" if "warning" in severities else "good"


def unknown(name: str, report: Report) -> Part | None:
    """Return the part of a run that could not do its job, None of one that did."""
    if report.exit_code <= ExitCode.FINDINGS:
        return None
    words = report.message or report.status
    return Part(name, "unknown", words, _typed(words.rpartition(". Next: ")[2]))


def part_of(name: str, report: Report, words: str, command: str) -> Part:
    """Return the part that the findings of a report make."""
    told = [f for f in report.findings if f.severity != "info"]
    state = state_of(told)
    if not told:
        return Part(name, state, words, "" if state == "good" else command)
    first = min(told, key=lambda f: f.severity != "error")
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return Part(name, state, f"{words}: {first.message}{more}", _typed(first.fix) or command)


def _typed(fix: str) -> str:
    """Return the command that an advice begins with; words after it are none."""
    return fix.partition("; ")[0] if fix.startswith("python -m ") else ""

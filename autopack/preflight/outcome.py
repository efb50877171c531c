"""How checks ended: a verdict of each, what it found, and one exit code for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autopack.errors import ExitCode
from autopack.preflight.checks import Check
from autopack.report import Finding, PlacedFinding

Status = Literal["passed", "failed", "timeout", "missing", "skipped"]
MOST = 100
"""How many places of a command's output become findings."""
_PLACE = re.compile(r"^(?P<path>[^\s:][^:\n]*):(?P<line>\d+)(?::(?P<column>\d+))?:\s*(?P<words>.+)")
_CONTROLS = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NO_NETWORK = re.compile(
    r"name resolution|name or service not known|failed to resolve|getaddrinfo|nodename nor servname"
    r"|network is unreachable|no route to host|connection (?:refused|timed out|reset)"
    r"|connecttimeout|(?:connect|read) ?timeout|max retries exceeded|connectionerror"
    r"|failed to (?:establish|fetch)|error sending request|dns error|could not connect|proxyerror"
    r"|could not be audited",
    re.I,
)
_ENDING = 15
"""How many of the last lines tell that a command lacked the network; findings come before."""


@dataclass(frozen=True)
class Outcome:
    """How one check ended. `note` says why it did not run, or the last line of what it said.

    `key` is what a pass holds for, "" where none was made.
    """

    check: Check
    status: Status
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    note: str = ""
    advice: str = ""
    output: tuple[str, ...] = ()
    cached: bool = False
    key: str = ""

    @property
    def first(self) -> str:
        """The first finding in one line, or the note."""
        for finding in self.findings:
            if finding.severity == "error":
                place = [finding.path, str(finding.line)] if finding.line else [finding.path]
                return ": ".join(part for part in (":".join(place), finding.message) if part)
        return self.note


def outcome_of_findings(check: Check, findings: Sequence[Finding], seconds: float) -> Outcome:
    """Return how a built-in check ended: errors make it fail, infos are left out."""
    told = tuple(
        replace(finding, code=f"{check.id}/{finding.code}")
        for finding in findings
        if finding.severity != "info"
    )
    bad = any(finding.severity == "error" for finding in told)
    return Outcome(check, "failed" if bad else "passed", seconds, told)


def outcome_of_command(
    check: Check, code: int, lines: Sequence[str], seconds: float, file: Callable[[str], str]
) -> Outcome:
    """Return how a command ended, by its exit code and what it said.

    `file` gives the name within the workspace of a file that a tool names, "" for none there.
    """
    plain = [_CONTROLS.sub("", line).rstrip() for line in lines]
    last = next((line.strip() for line in reversed(plain) if line.strip()), "")
    if code == 0:
        return Outcome(check, "passed", seconds, note=last, output=tuple(plain))
    lacking = next(filter(_NO_NETWORK.search, plain[-_ENDING:]), "") if check.network else ""
    if lacking:
        missing = check.cadence == "always"
        advice = "run it where the network is, or make its cadence optional"
        status: Status = "missing" if missing else "skipped"
        note = f"it could not look: {lacking.strip()}"
        return Outcome(check, status, seconds, note=note, advice=advice, output=tuple(plain))
    found = list(_places(check, plain, file))[:MOST] or [_whole(check, code, plain)]
    return Outcome(check, "failed", seconds, tuple(found), output=tuple(plain))


def _places(check: Check, lines: Sequence[str], file: Callable[[str], str]) -> Iterator[Finding]:
    """Yield a finding for every `path:line:column: words` about a file that is there."""
    for line in lines:
        place = _PLACE.match(line)
        path = file(place["path"]) if place else ""
        if place is None or not path or place["words"].startswith("note:"):
            continue
        column = int(place["column"]) if place["column"] else None
        words = place["words"].removeprefix("error:").strip()
        yield PlacedFinding(check.id, "error", path, int(place["line"]), words, check.what, column)


def _whole(check: Check, code: int, lines: Sequence[str]) -> Finding:
    how = f"was ended by signal {-code}" if code < 0 else f"exit code {code}"
    said = next((line.strip() for line in lines if line.strip()), "")
    words = f"{said[:200]} ({how})" if said else how
    return Finding(check.id, "error", "", None, words, check.what)


def late(check: Check, seconds: float, output: Sequence[str] = ()) -> Outcome:
    """Return the outcome of a check that was ended at its timeout."""
    words = f"not over after {check.timeout_s:g} s, so it was ended"
    finding = Finding(f"{check.id}/timeout", "error", "", None, words, check.what)
    return Outcome(check, "timeout", seconds, (finding,), output=tuple(output))


def exit_code(outcomes: Sequence[Outcome]) -> ExitCode:
    """Return the exit code of a run: what could not be checked counts more than what was found."""
    statuses = {outcome.status for outcome in outcomes}
    if "missing" in statuses:
        return ExitCode.UNREACHABLE
    return ExitCode.FINDINGS if statuses & {"failed", "timeout"} else ExitCode.CLEAN

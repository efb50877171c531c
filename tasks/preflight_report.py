"""What preflight says: a row for each check, what failed, and how to run it again."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from autopack.preflight.checks import Check, table
from autopack.preflight.outcome import Outcome, exit_code
from autopack.render import printable
from autopack.report import NextStep, Report, Table
from tasks.preflight_session import Preflight
from tasks.run import current

COLUMNS = ("check", "status", "seconds", "cached", "first finding")
LAST_LINES, LAST_OF_STREAM = 200, 40
"""How much of a failed command's output is shown; of one that was shown already, less."""
_WIDE = 100


def heard() -> bool:
    """Return whether somebody reads along: the report of this run is not for a program alone."""
    run = current()
    return run is None or not run.quiet


def say(words: str) -> None:
    """Say something on stderr while checks run; names of files and tools drive no terminal."""
    print(printable(words), file=sys.stderr, flush=True)  # noqa: T201


def tell(outcome: Outcome) -> None:
    """Say that a check has ended, while others run."""
    if not heard():
        return
    first = f" - {outcome.first[:_WIDE]}" if outcome.status != "passed" and outcome.first else ""
    say(f"preflight: {outcome.check.id} {outcome.status} ({outcome.seconds:.1f} s){first}")


def describe(report: Report, preflight: Preflight) -> None:
    """Put how the checks ended into the report, and the exit code that they come to."""
    ended = preflight.ended
    report.counts = {
        "checks": len(preflight.chosen),
        **Counter(outcome.status for outcome in ended),
        "cached": sum(outcome.cached for outcome in ended),
    }
    report.findings = [finding for outcome in ended for finding in outcome.findings]
    report.tables = [Table("checks", "Checks", COLUMNS, _rows(ended))]
    report.extra["manifest"] = preflight.manifest
    report.extra["checks"] = [_as_json(outcome) for outcome in ended]
    report.body = "\n\n".join(["\n".join(_lines(ended)), *_said(ended)])
    report.exit_code = int(exit_code(ended))
    _advise(report, ended)


def _rows(ended: Sequence[Outcome]) -> list[tuple[str | float, ...]]:
    return [
        (o.check.id, o.status, o.seconds, "yes" if o.cached else "", o.first[:300]) for o in ended
    ]


def _lines(ended: Sequence[Outcome]) -> Iterable[str]:
    width = max([len("check"), *(len(outcome.check.id) for outcome in ended)])
    yield f"{'check':<{width}}  {'status':<8} {'seconds':>8}  {'cached':<6}  first finding"
    for o in ended:
        cached, first = "yes" if o.cached else "", o.first[:_WIDE]
        line = f"{o.check.id:<{width}}  {o.status:<8} {o.seconds:>8.2f}  {cached:<6}  {first}"
        yield line.rstrip()


def _said(ended: Sequence[Outcome]) -> Iterable[str]:
    """Yield the last lines of what each command said that failed."""
    for outcome in ended:
        if outcome.status in ("failed", "timeout") and outcome.output:
            most = LAST_OF_STREAM if outcome.check.stream else LAST_LINES
            lines = outcome.output[-most:]
            yield "\n".join([f"--- {outcome.check.id}: {outcome.check.what}", *lines])


def _as_json(outcome: Outcome) -> dict[str, Any]:
    failed = outcome.status in ("failed", "timeout")
    return {
        "id": outcome.check.id,
        "status": outcome.status,
        "seconds": outcome.seconds,
        "cached": outcome.cached,
        "first": outcome.first,
        "what": outcome.check.what,
        "output": list(outcome.output[-LAST_LINES:]) if failed else [],
    }


def _advise(report: Report, ended: Sequence[Outcome]) -> None:
    missing = [outcome for outcome in ended if outcome.status == "missing"]
    if missing:
        first = missing[0]
        more = f", and {len(missing) - 1} more checks" if len(missing) > 1 else ""
        report.message = f"{first.check.id} could not run: {first.note}{more}"
    report.next_steps += [NextStep(f"{o.check.id}: {o.note}", o.advice) for o in missing]
    failed = [o.check.id for o in ended if o.status in ("failed", "timeout")]
    if failed:
        command = f"python -m flows.preflight --only {' '.join(failed)}"
        report.next_steps.append(NextStep("runs what failed again", command))


def describe_list(report: Report, manifest: str, checks: Sequence[Check]) -> None:
    """Put the checks themselves into the report; nothing ran."""
    rows = [(c.id, c.what, c.tier, c.cadence, c.timeout_s, ", ".join(c.inputs)) for c in checks]
    columns = ("check", "what", "tier", "cadence", "timeout", "inputs")
    report.tables = [Table("manifest", manifest, columns, rows)]
    report.counts = {"checks": len(checks)}
    report.extra["manifest"] = manifest
    report.extra["checks"] = [dict(zip(columns, row, strict=True)) for row in rows]
    report.body = f"{manifest}\n\n{table(checks)}"

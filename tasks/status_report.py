"""The health page: a line for every part, what is to be done first, and where numbers go."""

from __future__ import annotations

from dataclasses import replace

from autopack.health.history import Look, line_of, moved
from autopack.health.parts import WORST, Part, State, worst
from autopack.report import Chart, Finding, NextStep, Report, Series, Severity, Table
from tasks.run import about_workspace
from tasks.status import Looking, names

MARKS: dict[State, str] = {"good": "ok", "look": "LOOK", "bad": "BAD", "unknown": "?"}
_SEVERITY: dict[State, Severity] = {"bad": "error", "look": "warning", "unknown": "error"}
_TITLES = {
    "drifts": "Claims that are not true", "entries": "Entries in the ledgers",
    "index_behind": "Ledgers that the index is behind", "broken_links": "Broken links",
    "locks_held": "Locks held", "moves_to_make": "Moves to make",
    "queue_waiting": "Moves waiting in the queue", "rules": "Active rules",
    "free_gb": "Free disk space (GB)", "kept_gb": "Disk space of the workspace (GB)",
    "runs": "Runs",
}  # fmt: skip


def describe(report: Report, looking: Looking) -> None:
    """Fill the report from the parts."""
    for n, part in enumerate(looking.parts):  # copied from the page, it must not mend another one
        command = about_workspace(part.command, looking.workspace)
        looking.parts[n] = replace(part, command=command)
    parts = looking.parts
    states = [part.state for part in parts]
    report.counts = {
        "parts": len(parts), **{state: states.count(state) for state in WORST},
    }  # fmt: skip
    report.extra |= {
        "state": worst(states), "parts": [_as_json(part) for part in parts],
        "last_runs": [list(run) for run in looking.runs],
        "due": [list(run) for run in looking.due],
    }  # fmt: skip
    report.body = "\n".join(_lines(looking))
    report.findings += [_finding(part) for part in parts if part.state in _SEVERITY]
    report.tables += _tables(looking)
    looks = [*looking.before, looking.look]
    report.charts += [chart for name in names(parts) if (chart := _chart(looks, name))]
    report.next_steps += _next_steps(parts)


def _as_json(part: Part) -> dict[str, object]:
    return {
        "name": part.name, "state": part.state, "words": part.words,
        "command": part.command or None, "numbers": dict(part.numbers),
    }  # fmt: skip


def _lines(looking: Looking) -> list[str]:
    wide = max((len(part.name) for part in looking.parts), default=0)
    lines = []
    for part in looking.parts:
        lines.append(f"{MARKS[part.state]:<4}  {part.name:<{wide}}  {part.words}")
        if part.command and part.state != "good":
            lines.append(f"{'':<4}  {'':<{wide}}  -> {part.command}")
    return lines + _trends(looking)


def _trends(looking: Looking) -> list[str]:
    """Return a line for every number that has moved since an earlier look."""
    looks, lines = [*looking.before, looking.look], []
    for name in names(looking.parts):
        change = moved(line_of(looks, name)[-2:])
        if change:
            lines.append(f"      {_TITLES.get(name, name)}: {change:+g} since the last look")
    return lines


def _finding(part: Part) -> Finding:
    code = f"{part.name.replace(' ', '_')}_{part.state}"
    return Finding(
        code, _SEVERITY[part.state], "", None, f"{part.name}: {part.words}", part.command
    )


def _next_steps(parts: list[Part]) -> list[NextStep]:
    """Return the commands of what is not good, the worst first, each once."""
    wanting = [part for part in parts if part.state != "good" and part.command]
    wanting.sort(key=lambda part: -WORST.index(part.state))
    steps = {part.command: NextStep(part.name, part.command) for part in reversed(wanting)}
    return list(reversed(steps.values()))


def _tables(looking: Looking) -> list[Table]:
    rows = [(part.name, MARKS[part.state], part.words, part.command) for part in looking.parts]
    tables = [Table("health", "How the workspace is", ("part", "state", "what", "command"), rows)]
    if looking.runs:
        columns = ("flow", "state", "ended (UTC)", "seconds")
        tables.append(Table("last-runs", "The last run of each flow", columns, looking.runs))
    if looking.due:
        tables.append(Table("due", "What is due next", ("deployment", "at (UTC)"), looking.due))
    return tables


def _chart(looks: list[Look], name: str) -> Chart | None:
    """Return a number's way over the looks; one that has no way yet is not drawn."""
    points = line_of(looks, name)
    if len(points) < 2:
        return None
    labels = tuple(at.strftime("%d %b %H:%M") for at, _ in points)
    title = _TITLES.get(name, name)
    return Chart(f"trend-{name}", title, labels, (Series(title, tuple(v for _, v in points)),))

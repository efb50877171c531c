"""What a tidy says: the moves by rule, what a person decides, and commands for the rest."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopack.errors import ExitCode
from autopack.report import Finding, NextStep, Report, Severity
from autopack.state_files import TIDY_RULES
from tasks import tidy_queue
from tasks.tidy_session import Phase, Tidying

if TYPE_CHECKING:
    from autopack.tidy.consolidate import Fate
    from autopack.tidy.moves import Move, Outcome
    from autopack.tidy.routing import Decision

NAMES = 3
"""How many names stand for a group of moves."""
MOST = 12
"""How many lines a list of the first screen has."""
ALLOW = f"allow it, or write a rule for it, in {TIDY_RULES}"
REDUCE = "python -m flows.tidy --full --docs-reduce-to-sot"


def describe(report: Report, tidying: Tidying) -> None:
    """Put what was seen, planned and done into the report, once."""
    wish = tidying.wish
    tidy_queue.describe(tidying)
    moved = [o.move for o in tidying.outcomes if o.status == "moved"]
    report.counts = _counts(tidying, len(moved))
    report.extra |= {
        "mode": wish.mode, "run": tidying.run if wish.execute else None,
        "project": wish.project, "phases": [phase.as_json() for phase in tidying.phases],
        "plan": [move.as_json() for move in tidying.plan],
        "not_moved": [_not_moved(o) for o in tidying.outcomes if o.status != "moved"],
        "undecided": [_undecided(d) for d in tidying.seen.undecided],
        "held_back": [_undecided(d) for d in tidying.seen.held],
        "pages": [vars(f) for f in tidying.seen.fates if f.kind != "keep"],
        "queue": tidying.queue_counts,
    }  # fmt: skip
    if tidying.seen.duplicates:
        report.extra["ledger_duplicates"] = [vars(twin) for twin in tidying.seen.duplicates]
    report.body = "\n\n".join(filter(None, _body(tidying, moved)))
    report.findings = list(_findings(tidying))
    report.next_steps = _next_steps(tidying, moved)


def _counts(tidying: Tidying, moved: int) -> dict[str, Any]:
    seen = tidying.seen
    counts = {
        "planned_moves": len(tidying.plan), "moved": moved,
        "left": sum(phase.left for phase in tidying.phases),
        "queue_pending": tidying.queue_counts.get("pending", 0),
        "undecided": len(seen.undecided) + sum(f.kind == "undecided" for f in seen.fates),
        "held_back": len(seen.held), "folders_removed": len(seen.removed),
    }  # fmt: skip
    always = ("planned_moves", "moved")
    return {name: value for name, value in counts.items() if value or name in always}


def _not_moved(outcome: Outcome) -> dict[str, str]:
    return {
        "source": outcome.move.source, "destination": outcome.move.destination,
        "status": outcome.status, "detail": outcome.detail, "next_step": outcome.next_step,
    }  # fmt: skip


def _undecided(decision: Decision) -> dict[str, str]:
    return {
        "path": decision.item.path, "rule": decision.rule, "reason": decision.reason,
        "destination": decision.destination,
    }  # fmt: skip


# --- the first screen -------------------------------------------------------------------------


def _body(tidying: Tidying, moved: list[Move]) -> Iterator[str]:
    shown = moved if tidying.wish.execute else tidying.plan
    if shown:
        verb = "Moved" if tidying.wish.execute else "To be moved with --execute"
        yield "\n".join([f"{verb}: {_files(len(shown))}", *_grouped(shown)])
    elif not tidying.phases or all(phase.status != "failed" for phase in tidying.phases):
        yield "Nothing to move."
    yield "\n".join(_kept_back(tidying))
    yield "\n".join(_person(tidying))
    yield tidying.readme_text
    yield "\n".join(_made(tidying))


def _files(n: int) -> str:
    return f"{n} item{'s' * (n != 1)}"


def _pages_of(n: int) -> str:
    return f"{n} page{'s' * (n != 1)}"


def _grouped(moves: Iterable[Move]) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for move in moves:
        to = move.destination.rpartition("/")[0]
        groups[move.rule, to, move.reason].append(move.source)
    for (rule, to, reason), sources in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield f"  {len(sources):>4}  {to}/  {rule}: {reason}"
        yield f"        {_some(sources)}"


def _some(names: list[str], most: int = NAMES) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _kept_back(tidying: Tidying) -> Iterator[str]:
    held = tidying.seen.held
    if held:
        yield f"Left where they are, because links lead there: {_pages_of(len(held))} of docs/"
        rules = Counter((d.rule, d.destination.rpartition("/")[0]) for d in held)
        for (rule, to), n in rules.most_common():
            yield f"  {n:>4}  {to}/  {rule}"


def _person(tidying: Tidying) -> Iterator[str]:
    """Yield what a person has to decide."""
    lines = [f"  {d.item.path}: {d.reason}" for d in tidying.seen.undecided]
    lines += [
        f"  {twin.path}: {_twin(twin.kind, twin.ledger)}"
        for twin in tidying.seen.duplicates
        if twin.kind != "identical"
    ]
    pages = [fate for fate in tidying.seen.fates if fate.kind == "undecided"]
    if lines or pages:
        yield f"A person decides: {len(lines) + len(pages)}"
        yield from lines[:MOST]
        if len(lines) > MOST:
            yield f"  and {len(lines) - MOST} more; --json lists them all"
        yield from _pages(pages)


def _pages(fates: list[Fate]) -> Iterator[str]:
    """Yield a line per folder and reason, with some of its pages."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for fate in fates:
        folder, _, name = fate.path.rpartition("/")
        groups[folder, fate.reason].append(name)
    for (folder, reason), names in sorted(groups.items()):
        yield f"  {folder}/: {len(names)} Markdown: {reason}"
        yield f"        {_some(names)}"


def _twin(kind: str, ledger: str) -> str:
    if kind == "only":
        return f"a ledger that {ledger} does not have; move it there by hand"
    return f"it differs from {ledger}, the ledger; compare the two and remove this one"


def _made(tidying: Tidying) -> Iterator[str]:
    verb = "" if tidying.wish.execute else "to be "
    if tidying.entries:
        made = [f"{ident} from {path}" for path, ident in tidying.entries.items() if ident]
        if made:
            yield f"Ledger entries {verb}made: {len(made)}"
            yield f"        {_some(made)}"
    if tidying.created:
        yield f"Structure {verb}created: {_some(tidying.created, MOST)}"
    if tidying.generated:
        yield f"Generated pages {verb}written: {_some(tidying.generated)}"
    if tidying.seen.removed:
        yield f"Empty folders {verb}removed: {_some(tidying.seen.removed)}"


# --- findings and next steps ------------------------------------------------------------------


def _findings(tidying: Tidying) -> Iterator[Finding]:
    yield from tidying.findings
    for decision in tidying.seen.undecided:
        words = f"a person decides: {decision.reason}"
        yield Finding("undecided", "warning", decision.item.path, None, words, ALLOW)
    for twin in tidying.seen.duplicates:
        if twin.kind != "identical":
            fix = f"diff {_at(tidying, twin.ledger)} {_at(tidying, twin.path)}"
            yield Finding(
                f"ledger_{twin.kind}", "warning", twin.path, None, _twin(twin.kind, twin.ledger),
                fix,
            )  # fmt: skip
    if pages := [f for f in tidying.seen.fates if f.kind == "undecided"]:
        words = f"no rule decides about {_pages_of(len(pages))} of the archive: {pages[0].reason}"
        fix = f"write a consolidation rule in {TIDY_RULES}, or leave them where they are"
        yield Finding("archive_undecided", "info", pages[0].path, None, words, fix)
    if held := tidying.seen.held:
        words = f"{_pages_of(len(held))} of docs/: neither ledgers nor allowed"
        yield Finding("docs_stray", "info", tidying.place.path("docs"), None, words, REDUCE)
    if not tidying.wish.execute and tidying.plan:
        words = f"{_files(len(tidying.plan))} would be moved"
        command = tidying.wish.command("--execute")
        yield Finding("untidy", "info", tidying.plan[0].source, None, words, command)
    if not tidying.wish.execute and tidying.readme_text:
        path = tidying.place.path("README.md")
        yield Finding(
            "readme_drift", "info", path, None, "its summary is not what the ledgers hold",
            tidying.wish.command("--execute"),
        )  # fmt: skip
    yield from map(_stopped, (o for o in tidying.outcomes if o.status not in ("moved", "gone")))
    for phase in tidying.phases:
        yield from _of_phase(phase)


def _stopped(outcome: Outcome) -> Finding:
    words = f"not moved to {outcome.move.destination}: {outcome.detail or outcome.status}"
    code = f"move_{outcome.status}"
    severity: Severity = "info" if outcome.status == "deferred" else "warning"
    return Finding(code, severity, outcome.move.source, None, words, outcome.next_step)


def _of_phase(phase: Phase) -> Iterator[Finding]:
    if phase.status in ("skipped", "failed"):
        severity: Severity = "error" if phase.status == "failed" else "warning"
        words = f"{phase.name} was not done: {phase.why or 'it was interrupted'}"
        yield Finding(f"phase_{phase.status}", severity, "", None, words, phase.next_step)


def _next_steps(tidying: Tidying, moved: list[Move]) -> list[NextStep]:
    """Return commands, each once with all its reasons, the most useful first."""
    reasons: dict[str, list[str]] = {}
    for step in _steps(tidying, moved):
        reasons.setdefault(step.command, []).append(step.why)
    return [NextStep("; ".join(dict.fromkeys(whys)), cmd) for cmd, whys in reasons.items() if cmd]


def _steps(tidying: Tidying, moved: list[Move]) -> Iterator[NextStep]:
    wish, seen = tidying.wish, tidying.seen
    todo = (tidying.plan, tidying.readme_text, tidying.generated, tidying.created, seen.removed)
    if not wish.execute and (any(todo) or any(tidying.entries.values())):
        yield NextStep("does what is shown", wish.command("--execute"))
    if left := sum(phase.left for phase in tidying.phases):
        yield NextStep(f"goes on with {left} that are left", tidying.again())
    yield from tidying.next_steps
    for phase in tidying.phases:
        if phase.status in ("skipped", "failed"):
            command = _command(phase.next_step) or tidying.again()
            yield NextStep(f"{phase.name} was not done: {phase.why}", command)
    yield from _about_structure(tidying)
    if seen.held:
        words = f"shows where {_pages_of(len(seen.held))} of docs/ would go"
        yield NextStep(words, REDUCE)
    yield from _after_moves(tidying, moved)


def _about_structure(tidying: Tidying) -> Iterator[NextStep]:
    missing = [f for f in tidying.findings if f.code == "structure_missing"]
    if missing and not tidying.wish.repair:
        words = f"creates {len(missing)} missing folders and ledgers"
        yield NextStep(words, tidying.wish.command("--repair", "--execute"))
    for twin in tidying.seen.duplicates:
        ledger, path = _at(tidying, twin.ledger), _at(tidying, twin.path)
        if twin.kind == "divergent":
            yield NextStep("shows how the two ledgers differ", f"diff {ledger} {path}")
        elif twin.kind == "only":
            yield NextStep("gives the ledger its place", f"mv -n {path} {ledger}")


def _after_moves(tidying: Tidying, moved: list[Move]) -> Iterator[NextStep]:
    if any(move.phase == "docs" for move in moved):
        yield NextStep("mends links to pages that went", "python -m flows.doc_links --fix history")
    if tidying.seen.ledgers:
        sync = "python -m flows.sot_sync --db-only --execute"
        yield NextStep("brings the database in line with the ledgers", sync)
    if moved and not tidying.wish.undo:
        undo = f"python -m flows.tidy --undo {tidying.run} --execute"
        yield NextStep("puts everything back where it was", undo)


def _at(tidying: Tidying, path: str) -> str:
    """Return a path as a command takes it: from here, or in full for another workspace."""
    here = tidying.root == Path.cwd()
    return shlex.quote(path if here else str(tidying.root / path))


def _command(words: str) -> str:
    """Return the command in an advice, if it has one."""
    at = words.find("python -m ")
    return words[at:].partition(";")[0].strip() if at >= 0 else ""


def judge(report: Report, tidying: Tidying) -> None:
    """Give the run its exit code where every phase was kept from its work, by locks or by time."""
    working = [phase for phase in tidying.phases if phase.locks] or tidying.phases
    if not working or any(phase.status != "skipped" for phase in working):
        return
    kept = next((phase for phase in working if phase.busy), working[0])
    report.exit_code = int(ExitCode.BUSY if kept.busy else ExitCode.DEADLINE)
    report.message = f"nothing could be done: {kept.why}"

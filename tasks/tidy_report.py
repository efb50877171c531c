"""What a tidy says: counts, the plan as data, findings, and commands for what is left."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopack.errors import ExitCode
from autopack.report import Finding, NextStep, Report, Severity
from autopack.state_files import TIDY_RULES
from tasks import tidy_queue
from tasks.tidy_screen import about_twin, body, items, pages_of
from tasks.tidy_session import Phase, Tidying

if TYPE_CHECKING:
    from autopack.tidy.duplicates import Duplicate
    from autopack.tidy.moves import Move, Outcome
    from autopack.tidy.routing import Decision

ALLOW = f"allow it, or write a rule for it, in {TIDY_RULES}"
REDUCE = ("--full", "--docs-reduce-to-sot")
MARKDOWN = (".md", ".markdown")


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
        "entries": {path: ident for path, ident in tidying.entries.items() if ident},
        "removed": tidying.seen.removed, "readme": tidying.readme_text.splitlines(),
    }  # fmt: skip
    if tidying.seen.duplicates:
        report.extra["ledger_duplicates"] = [vars(twin) for twin in tidying.seen.duplicates]
    report.body = "\n\n".join(filter(None, body(tidying, moved)))
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


# --- findings and next steps ------------------------------------------------------------------


def _findings(tidying: Tidying) -> Iterator[Finding]:
    yield from tidying.findings
    for path in tidying.large:
        fix = tidying.wish.here("--full", "--execute")
        yield Finding("large_file", "info", path, None, "too large for a quick run", fix)
    for decision in tidying.seen.undecided:
        words = f"a person decides: {decision.reason}"
        yield Finding("undecided", "warning", decision.item.path, None, words, ALLOW)
    for twin in tidying.seen.duplicates:
        if twin.kind != "identical":
            fix = _about_twin(tidying, twin).command
            words = about_twin(twin.kind, twin.ledger)
            yield Finding(f"ledger_{twin.kind}", "warning", twin.path, None, words, fix)
    if pages := [f for f in tidying.seen.fates if f.kind == "undecided"]:
        words = f"no rule decides about {pages_of(len(pages))} of the archive: {pages[0].reason}"
        fix = f"write a consolidation rule in {TIDY_RULES}, or leave them where they are"
        yield Finding("archive_undecided", "info", pages[0].path, None, words, fix)
    if held := tidying.seen.held:
        words = f"{pages_of(len(held))} of docs/: neither ledgers nor allowed"
        fix = tidying.wish.here(*REDUCE)
        yield Finding("docs_stray", "info", tidying.place.path("docs"), None, words, fix)
    if not tidying.wish.execute and tidying.plan:
        words = f"{items(len(tidying.plan))} would be moved"
        command = tidying.wish.command("--execute")
        yield Finding("untidy", "info", tidying.plan[0].source, None, words, command)
    if not tidying.wish.execute and tidying.readme_text:
        path = tidying.place.path("README.md")
        yield Finding(
            "readme_drift", "info", path, None, "its summary is not what the ledgers hold",
            tidying.wish.command("--execute"),
        )  # fmt: skip
    yield from map(_stopped, _untold(tidying))
    for phase in tidying.phases:
        yield from _of_phase(phase)


def _untold(tidying: Tidying) -> Iterator[Outcome]:
    """Yield what did not go, but for what is told to wait for a person."""
    silent = ("moved",) if tidying.wish.undo else ("moved", "gone")
    told = {f.path for f in tidying.findings if f.code == "move_needs_manual"}
    for outcome in tidying.outcomes:
        if outcome.status not in silent and outcome.move.source not in told:
            yield outcome


def _stopped(outcome: Outcome) -> Finding:
    words = f"not moved to {outcome.move.destination}: {outcome.detail or outcome.status}"
    code = f"move_{outcome.status}"
    severity: Severity = "info" if outcome.status == "deferred" else "warning"
    return Finding(code, severity, outcome.move.source, None, words, outcome.next_step)


def _of_phase(phase: Phase) -> Iterator[Finding]:
    if phase.status in ("skipped", "failed"):
        severity: Severity = "error" if phase.status == "failed" else "warning"
        words, code = _not_done(phase), f"phase_{phase.status}"
        yield Finding(code, severity, "", None, words, phase.next_step)


def _not_done(phase: Phase) -> str:
    return f"{phase.name} was not done: {phase.why or 'it was interrupted'}"


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
    if tidying.large:
        n = len(tidying.large)
        words = f"moves {n} large file{'s' * (n != 1)}, which a quick run leaves alone"
        yield NextStep(words, wish.here("--full", "--execute"))
    yield from tidying.next_steps
    for phase in tidying.phases:
        if phase.status in ("skipped", "failed"):
            command = _command(phase.next_step) or tidying.again()
            yield NextStep(_not_done(phase), command)
    yield from _about_structure(tidying)
    yield from _for_a_person(tidying)
    if seen.held:
        words = f"shows where {pages_of(len(seen.held))} of docs/ would go"
        yield NextStep(words, wish.here(*REDUCE))
    yield from _after_moves(tidying, moved)


def _for_a_person(tidying: Tidying) -> Iterator[NextStep]:
    """Yield the commands that show what no run can settle."""
    closed = sum(f.code == "not_movable" for f in tidying.findings)
    if waiting := len(tidying.seen.undecided) + closed:
        words = f"lists what a person decides, with the reasons: {items(waiting)}"
        yield NextStep(words, tidying.wish.here(f"--{tidying.wish.mode}", "--json"))
    if any(f.code == "counts_drift" for f in tidying.findings):
        words = "shows which stated counts are not what the ledgers hold"
        yield NextStep(words, tidying.other("sot_counts"))


def _about_structure(tidying: Tidying) -> Iterator[NextStep]:
    missing = [f for f in tidying.findings if f.code == "structure_missing"]
    if missing and not tidying.wish.repair:
        words = f"creates {len(missing)} missing folders and ledgers"
        yield NextStep(words, tidying.wish.command("--repair", "--execute"))
    for twin in tidying.seen.duplicates:
        if twin.kind != "identical":
            yield _about_twin(tidying, twin)


def _about_twin(tidying: Tidying, twin: Duplicate) -> NextStep:
    ledger, path = _at(tidying, twin.ledger), _at(tidying, twin.path)
    if twin.kind == "only":
        return NextStep("gives the ledger its place", f"mv -n {path} {ledger}")
    return NextStep("shows how the two ledgers differ", f"diff {ledger} {path}")


def _after_moves(tidying: Tidying, moved: list[Move]) -> Iterator[NextStep]:
    if not tidying.wish.undo and any(m.source.lower().endswith(MARKDOWN) for m in moved):
        yield from _about_links(tidying, moved)
    if tidying.seen.ledgers:
        sync = tidying.other("sot_sync", "--db-only", "--execute")
        yield NextStep("brings the database in line with the ledgers", sync)
    if moved and not tidying.wish.undo:
        undo = f"python -m flows.tidy --undo {tidying.run} --execute"
        yield NextStep("puts everything back where it was", undo)


def _about_links(tidying: Tidying, moved: list[Move]) -> Iterator[NextStep]:
    """Yield how links to pages that went are mended: git knows the renames once committed."""
    from autopack.io.listing import exists

    if not exists(tidying.root, ".git"):
        yield NextStep("shows links to pages that went", tidying.other("doc_links", "--deep"))
        return
    git = "git" if tidying.root == Path.cwd() else f"git -C {shlex.quote(str(tidying.root))}"
    folders = shlex.join(_folders(tidying.place.path("archive"), moved))
    yield NextStep(
        "commits the moves: links can be mended once git knows the renames",
        f"{git} add -u && {git} add {folders} && {git} commit",
    )
    links = tidying.other("doc_links", "--deep", "--fix", "history")
    yield NextStep("then shows how links to pages that went are mended", links)


def _folders(archive: str, moved: list[Move]) -> list[str]:
    """Return where the pages and files of a place are now; runs are not kept in git."""
    parents = {m.destination.rpartition("/")[0] for m in moved if m.phase != "runs"}
    return sorted({archive if f"{p}/".startswith(f"{archive}/") else p for p in parents})


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

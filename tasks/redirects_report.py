"""What a look at redirects says: the plan, counts, and the next command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from autopack.report import NextStep, Report
from tasks.redirects_session import Change, Redirecting

_SHOWN = 200


def describe(report: Report, session: Redirecting, changes: Sequence[Change]) -> None:
    """Put the plan and the counts into the report."""
    verbs = Counter(change.verb for change in changes)
    report.body = plan_text(changes, report.execute)
    report.extra["redirects"] = [_as_json(change) for change in changes]
    report.counts = {
        "files": len(session.sources),
        "stubs": len(session.stood),
        **{verb: verbs[verb] for verb in ("create", "update", "remove")},
        "obsolete": len(session.decided.obsolete),
    }


def plan_text(changes: Sequence[Change], execute: bool) -> str:
    """Return the plan, a line for each stub and one for its fragments."""
    if not changes:
        return ""
    lines = [line for change in changes for line in _lines(change)]
    more = [f"  ... and {len(lines) - _SHOWN} more lines"] if len(lines) > _SHOWN else []
    verb = "Written:" if execute else "To be written with --execute:"
    return "\n".join([verb, *lines[:_SHOWN], *more])


def _lines(change: Change) -> Iterator[str]:
    stub = change.stub
    n = change.references
    links = f"{n} link{'s' * (n != 1)}" if n or change.why == "linked" else change.why
    links += ", promised" if n and change.why == "promised" else ""
    moved = f", moved in {stub.moved_in[:10]}" if stub.moved_in else ""
    yield f"  {change.verb} {stub.path} -> {stub.target}  ({links}{moved})"
    if stub.fragments and change.new is not None:
        yield "    " + ", ".join(
            f"#{name}" if name in stub.there else f"#{name} (not there: leads to the top)"
            for name in sorted(stub.fragments)
        )


def _as_json(change: Change) -> dict[str, object]:
    stub = change.stub
    return {
        "action": change.verb, "path": stub.path, "target": stub.target,
        "moved_in": stub.moved_in or None, "references": change.references, "why": change.why,
        "fragments": {name: name in stub.there for name in sorted(stub.fragments)},
    }  # fmt: skip


def next_step(report: Report, session: Redirecting) -> None:
    """Name the command that writes the plan, and the one that mends what is too little for it."""
    changes = session.changes
    if changes and not report.writes.files:
        why = f"writes {len(changes)} file{'s' * (len(changes) != 1)} of the plan"
        report.next_steps.append(NextStep(why, session.asked.command()))
    rewrites = {f.fix.partition(": ")[2] for f in report.findings if f.code == "redirect_not_worth"}
    for command in sorted(rewrites):
        why = "mends the links to pages that need no stub; without --execute it shows them"
        report.next_steps.append(NextStep(why, command))

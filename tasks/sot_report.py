"""What a SOT sync says: the plan in words, counts by name, and the next command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from autopack.report import NextStep, Report
from autopack.settings import Target
from autopack.sot.segments import Kind
from tasks.sot_session import Sync

if TYPE_CHECKING:
    from autopack.io.feed import Fed
    from autopack.io.publish import Published
    from autopack.io.sql import Change

SHOWN = 10
"""How many operations per ledger the plan names."""


def describe(report: Report, sync: Sync) -> None:
    """Put the plan, the counts and the command that writes the plan into the report."""
    report.body = "\n".join(_plan_lines(sync))
    report.counts.update(_counts(sync))
    if sync.planned is not None:
        head = sync.planned.state.head
        report.counts["generation"] = head.number if head else 0
        report.counts["vectors_behind"] = sync.planned.state.behind
    pending = sync.has_changes or bool(sync.difference and not sync.difference.empty)
    if pending and not sync.execute and not sync.blocked:
        mode = "db-only" if sync.mode == "docs-only" else sync.mode
        flags = named_again("--database-url", sync.database) if sync.uses_database else ""
        flags += named_again("--qdrant-host", sync.qdrant)
        command = f"python -m flows.sot_sync --{mode} --execute{flags}"
        report.next_steps.append(NextStep("writes the plan", command))


def named_again(flag: str, target: Target | None) -> str:
    """Return the flag that names the same target again; a default needs none."""
    if target is None or target.source != flag:
        return ""
    if "***" in target.shown:
        return f" {flag} …  (the password is not shown)"
    return f" {flag} {shlex.quote(target.shown)}"


def _counts(sync: Sync) -> Iterator[tuple[str, object]]:
    """Yield the named counts by ledger, the stored ones where the file is unchanged."""
    changed, held = sync.changed(), sync.held()
    for file in sync.ledgers:
        path = file.ledger.path
        yield (
            file.ledger.stem,
            (file.census.counts.as_json() if path in changed else held[path].counts),
        )


def _plan_lines(sync: Sync) -> Iterator[str]:
    if sync.planned is not None:
        head = sync.planned.state.head
        against = f"generation {head.number}" if head else "an empty index"
        yield f"Plan for the database, against {against}:"
        for change in sync.planned.changes:
            yield from _change_lines(change)
        if not sync.planned.changes:
            yield "  nothing to do"
    if sync.difference is not None:
        stale, gone = len(sync.difference.stale), len(sync.difference.gone)
        yield f"Plan for the vectors: {stale} to write, {gone} to delete"


def _change_lines(change: Change) -> Iterator[str]:
    plan = change.plan
    rows = f"insert {plan.inserted}, update {len(plan.update)}, delete {plan.deleted} rows"
    yield f"  {change.path}: {rows}"
    named = [("insert", row) for _, row in plan.insert]
    named += [("update", row) for _, row in plan.update]
    named += [("delete", row) for row in plan.delete]
    for verb, row in named[:SHOWN]:
        yield f"    {verb} {Kind(row.kind).name.lower()} {row.ident or '(text)'}"
    if len(named) > SHOWN:
        yield f"    and {len(named) - SHOWN} more"


def record_rows(report: Report, published: Published | None) -> None:
    """Count the rows that were written."""
    if published is not None:
        report.writes.inserted = published.inserted
        report.writes.updated = published.updated
        report.writes.deleted = published.deleted


def record_vectors(report: Report, fed: Fed) -> None:
    """Count the vectors that were written."""
    report.writes.upserted, report.writes.removed = fed.upserted, fed.deleted


def record_state(report: Report, sync: Sync) -> None:
    """Say which generation the database now holds and how far the vectors are behind it."""
    if not sync.uses_database:
        return
    state = sync.index().state()
    report.counts["generation"] = state.head.number if state.head else 0
    report.counts["vectors_behind"] = state.behind
    if state.behind and sync.qdrant:
        flags = named_again("--database-url", sync.database)
        flags += named_again("--qdrant-host", sync.qdrant)
        command = f"python -m flows.sot_sync --full --execute{flags}"
        report.next_steps.append(NextStep(f"vectors behind by {state.behind}", command))

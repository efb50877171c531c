"""Steps of the SOT sync: what may be tried again and how long it may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from autopack.errors import DeadlineExceeded, Refused, Unreachable, UsageError
from autopack.report import Finding
from autopack.sot.guards import Size, losses
from autopack.sot.ledgers import LEDGERS
from autopack.sot.plan import points
from tasks import policy
from tasks.engine import task
from tasks.sot_session import Sync

if TYPE_CHECKING:
    from autopack.io.feed import Fed
    from autopack.io.publish import Published
    from autopack.io.sql import Change, Comparison
    from autopack.io.vectors import VectorIndex

PROBE_S = 2.0
"""How long `--docs-only` waits for a database before it plans against an empty index."""


@task(**policy.READ)
def read_ledgers(sync: Sync) -> None:
    """Read the ledgers from disk."""
    from autopack.io.files import read_ledgers as read

    sync.ledgers = read(sync.root)


@task(**policy.READ)
def compare(sync: Sync) -> list[Finding]:
    """Plan the rows to write, read-only; in `docs-only`, an unreachable database is a finding."""
    from autopack.io.sql import compare_with_nothing

    if sync.mode != "docs-only":
        sync.planned = sync.index().compare(sync.ledgers)
        return []
    try:
        sync.planned = sync.probe(PROBE_S).compare(sync.ledgers)
    except (Unreachable, DeadlineExceeded) as error:
        sync.deadline.check("reading the database")
        sync.planned = compare_with_nothing(sync.ledgers)
        text = f"planned against an empty index: {error.message}"
        return [Finding("target_unreachable", "warning", "docs", None, text)]
    return []


@task(**policy.READ)
def check_ledgers(sync: Sync) -> list[Finding]:
    """Return the diagnostics of every ledger; what forbids publishing has severity error."""
    here = {file.ledger.path: file for file in sync.ledgers}
    changed, held = sync.changed(), sync.held()
    found = [
        Finding("ledger_absent", "info", ledger.path, None, "no such ledger")
        for ledger in LEDGERS
        if ledger.path not in here and ledger.path not in held
    ]
    if not here and not held:
        found.append(Finding("no_ledger", "warning", "docs", None, "docs/ holds no ledger at all"))
    if sync.planned is not None:
        found += [f for f in sync.planned.state.findings if f.path not in changed]
    for path, file in here.items():
        if path in changed:
            sync.deadline.check(f"checking {path}")
            found += file.findings
    sync.blocked = refusals(sync, sync.planned)
    if sync.planned is not None and sync.mode != "docs-only":
        sync.blocked += older(sync, sync.planned)
    return found + sync.blocked


def refusals(sync: Sync, planned: Comparison | None) -> list[Finding]:
    """Return what forbids publishing these ledgers over what the index holds."""
    stored = planned.state.files if planned else {}
    changed = {c.path: c.plan.window for c in planned.changes} if planned else {}
    found: list[Finding] = []
    sizes = {}
    for file in sync.ledgers:
        window = changed.get(file.ledger.path)
        if planned is None or window is not None:
            first, last = (window.first, window.last) if window else (0, len(file.segments))
            found += file.blocking(first, last)
            entries = file.census.counts.entries
        else:
            entries = stored[file.ledger.path].entries
        sizes[file.ledger.path] = Size(not file.data.strip(), entries)
    if not sync.accept_shrink:
        found += losses({path: held.entries for path, held in stored.items()}, sizes)
    return found


def refuse(findings: Sequence[Finding]) -> None:
    """Raise `Refused` when anything forbids publishing."""
    if findings:
        first = findings[0]
        where = f"{first.path}:{first.line}" if first.line else first.path
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise Refused(
            f"refused to publish, the previous generation stays: {where}: {first.message}{more}",
            next_step=first.fix or "see the findings",
        )


def older(sync: Sync, planned: Comparison) -> list[Finding]:
    """Return a finding when these ledgers would be put over those of a newer checkout.

    Git decides where it can; else a checkout that did not publish the head is older when its
    ledgers were replaced before, or lack an id that the head holds.
    """
    from autopack.io.git import checkout_id, compare_commits, head_commit

    head = planned.state.head
    accepted = sync.accept_shrink or not planned.changes
    if head is None or accepted or head.checkout == checkout_id(sync.root):
        return []
    order = compare_commits(sync.root, head_commit(sync.root), head.commit, sync.deadline)
    content = bool(planned.again) or any(_lost_ids(change) for change in planned.changes)
    if order in {"older", "behind"} or (order in {"unknown", "same"} and content):
        return [
            Finding(
                "older_checkout", "error", "docs", None,
                f"generation {head.number} comes from another, newer checkout",
                "git pull, then run again; or --accept-shrink to put this checkout over it",
            )
        ]  # fmt: skip
    return []


def _lost_ids(change: Change) -> bool:
    """Tell whether the index holds an id of this file that its ledger no longer has."""
    plan, now = change.plan, change.now
    if now is None or plan.cleared:
        return plan.deleted > plan.inserted
    return not {row.ident for row in plan.delete} <= set(now.segments.idents)


@task(**policy.IDEMPOTENT_WRITE)
def publish(sync: Sync) -> Published | None:
    """Write one generation in one transaction; a second run finds nothing to do."""
    from autopack.io.git import checkout_id, head_commit
    from autopack.io.publish import Origin, Permit
    from autopack.io.publish import publish as write

    def guard(planned: Comparison) -> None:
        refuse(refusals(sync, planned) + older(sync, planned))

    assert sync.planned
    origin = Origin(checkout_id(sync.root), head_commit(sync.root))
    return write(sync.index(), sync.ledgers, sync.planned, origin, Permit(guard, sync.fence))


@task(**policy.NETWORK)
def open_vectors(sync: Sync) -> None:
    """Make sure the vector engine answers, before the database is written; it stays open."""
    sync.open_vectors().ping()


@task(**policy.READ)
def compare_vectors(sync: Sync) -> list[Finding]:
    """Plan the vectors to write and to delete, read-only; opens no database.

    Returns what forbids that: without a database, the vectors tell how many entries there were.
    """
    from autopack.io.feed import difference

    held: Mapping[str, int] = {}
    with closing(sync.vectors(create=False)) as vectors:
        sync.difference = difference(vectors, sync.ledgers)
        if sync.difference.gone and not sync.uses_database and not sync.accept_shrink:
            held = vectors.count_by_path()
    sizes = {f.ledger.path: Size(False, points(f.segments)) for f in sync.ledgers}
    found = list(losses(held, sizes, "points"))
    sync.blocked += found
    return found


@task(**policy.IDEMPOTENT_WRITE)
def feed_vectors(sync: Sync) -> Fed:
    """Write the vectors that are behind, read them back, and empty the outbox."""
    from autopack.io.database import serialized
    from autopack.io.feed import difference, feed

    vectors = sync.open_vectors()
    try:
        if not sync.uses_database:
            return feed(vectors, sync.ledgers, difference(vectors, sync.ledgers), sync.locks.check)
        with serialized(sync.index().database, "autopack-sot-vectors"):
            return _feed_outbox(sync, vectors)
    except BaseException:
        sync.close_vectors()  # another try opens it afresh
        raise


def _feed_outbox(sync: Sync, vectors: VectorIndex) -> Fed:
    from autopack.io.feed import Fed, Outbox, feed
    from autopack.io.sql import manifest

    state = sync.index().state()
    if state.head is None or state.head.manifest != manifest(sync.ledgers):
        return Fed()  # another run has published since; its vectors stay marked behind
    outbox = Outbox(sync.index())
    todo = outbox.todo(vectors, sync.ledgers)
    if todo.empty and not state.behind:
        return Fed()
    fed = feed(vectors, sync.ledgers, todo, sync.locks.check)
    outbox.settle(vectors, sync.ledgers, state.head.number, sync.fence)
    return fed


@task(**policy.READ)
def rebuild(sync: Sync, path: str) -> bytes:
    """Return a ledger's exact bytes from the database alone.

    Raises:
        UsageError: The other switches ask for something else.
    """
    if sync.execute or sync.uses_vectors:
        raise UsageError(
            "--rebuild-file only reads the database: no --execute, --full or --qdrant-only",
            next_step=f"python -m flows.sot_sync --rebuild-file {path}",
        )
    return b"".join(sync.index().file_bytes(path))

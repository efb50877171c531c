"""Steps of the SOT sync: what may be tried again and how long it may take."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from autopack.errors import DeadlineExceeded, Refused, Unreachable
from autopack.report import Finding
from autopack.sot.guards import Size, losses
from autopack.sot.ledgers import BY_PATH, LEDGERS
from tasks import policy
from tasks.engine import task
from tasks.sot_session import Sync

if TYPE_CHECKING:
    from autopack.io.feed import Fed
    from autopack.io.publish import Published
    from autopack.io.sql import Comparison
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
    return found + sync.blocked


def refusals(sync: Sync, planned: Comparison | None) -> list[Finding]:
    """Return what forbids publishing these ledgers over what the index holds."""
    stored = planned.state.files if planned else {}
    changed = {c.path for c in planned.changes} if planned else set(BY_PATH)
    found: list[Finding] = []
    sizes = {}
    for file in sync.ledgers:
        if file.ledger.path in changed:
            found += file.blocking
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


def refuse_older(sync: Sync, planned: Comparison) -> None:
    """Refuse to put this checkout's ledgers over those of a newer one.

    Git decides where it knows both commits; else a checkout that did not publish the head is
    older when its ledgers were replaced before, or lack entries that the head holds.

    Raises:
        Refused: This checkout is older and `--accept-shrink` was not given.
    """
    from autopack.io.git import checkout_id, compare_commits, head_commit

    head = planned.state.head
    if head is None or sync.accept_shrink or head.checkout == checkout_id(sync.root):
        return
    order = compare_commits(sync.root, head_commit(sync.root), head.commit, sync.deadline)
    lacks = sum(change.plan.deleted for change in planned.changes) - sum(
        change.plan.inserted for change in planned.changes
    )
    if order == "older" or (order in {"unknown", "same"} and (planned.again or lacks > 0)):
        raise Refused(
            f"generation {head.number} comes from another, newer checkout",
            next_step="git pull, then run again; or --accept-shrink to put this checkout over it",
        )


@task(**policy.IDEMPOTENT_WRITE)
def publish(sync: Sync) -> Published | None:
    """Write one generation in one transaction; a second run finds nothing to do."""
    from autopack.io.git import checkout_id, head_commit
    from autopack.io.publish import Origin
    from autopack.io.publish import publish as write

    def guard(planned: Comparison) -> None:
        refuse(refusals(sync, planned))
        refuse_older(sync, planned)

    assert sync.planned
    origin = Origin(checkout_id(sync.root), head_commit(sync.root))
    return write(sync.index(), sync.ledgers, sync.planned, origin, guard)


@task(**policy.NETWORK)
def open_vectors(sync: Sync) -> None:
    """Make sure the vector engine answers, before the database is written; it stays open."""
    sync.open_vectors().ping()


@task(**policy.READ)
def compare_vectors(sync: Sync) -> tuple[int, int]:
    """Return how many vectors to write and to delete, read-only; opens no database."""
    from autopack.io.feed import difference

    with closing(sync.vectors(create=False)) as vectors:
        sync.difference = difference(vectors, sync.ledgers)
    return len(sync.difference.stale), len(sync.difference.gone)


@task(**policy.IDEMPOTENT_WRITE)
def feed_vectors(sync: Sync) -> Fed:
    """Write the vectors that are behind, read them back, and empty the outbox."""
    from autopack.io.database import serialized
    from autopack.io.feed import difference, feed

    vectors = sync.open_vectors()
    try:
        if not sync.uses_database:
            return feed(vectors, sync.ledgers, difference(vectors, sync.ledgers))
        with serialized(sync.index().database, "autopack-sot-vectors"):
            return _feed_outbox(sync, vectors)
    except BaseException:
        sync.close_vectors()  # another try opens it afresh
        raise


def _feed_outbox(sync: Sync, vectors: VectorIndex) -> Fed:
    from autopack.io.feed import Fed, Outbox, feed

    state = sync.index().state()
    outbox = Outbox(sync.index(), sync.deadline)
    todo = outbox.todo(vectors, sync.ledgers)
    if todo.empty and not state.behind:
        return Fed()
    fed = feed(vectors, sync.ledgers, todo)
    outbox.settle(vectors, sync.ledgers, state.head.number if state.head else 0)
    return fed


@task(**policy.READ)
def rebuild(sync: Sync, path: str) -> bytes:
    """Return a ledger's exact bytes from the database alone."""
    return b"".join(sync.index().file_bytes(path))

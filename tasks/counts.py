"""Steps of the count check: read, judge, plan, write; what may be tried again and how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autopack.errors import Refused
from autopack.report import Finding
from tasks import policy
from tasks.counts_pages import INDEX, README, Pages
from tasks.counts_session import Counting, Wish
from tasks.engine import task

if TYPE_CHECKING:
    from autopack.sot.compose import Entry

STRUCTURE = frozenset({
    "stray_row", "non_id_row", "duplicate_row", "duplicate_section", "conflicting_id",
    "row_without_section", "section_without_row", "mentioned_only", "foreign_heading",
    "meta_twin", "summary_twin", "fence_recovered",
})  # fmt: skip
"""Diagnostics that bear on counts; the others are the sync's."""


@task(**policy.READ)
def read(counting: Counting) -> None:
    """Read the ledgers, the README and the navigation page."""
    from autopack.io.files import read_ledgers, read_page

    found = {name: read_page(counting.root, name) for name in (README, INDEX)}
    others = {name: data for name, data in found.items() if data is not None}
    counting.pages = counting.planned = Pages(tuple(read_ledgers(counting.root)), others)


@task(**policy.READ)
def check(counting: Counting, strict: bool) -> list[Finding]:
    """Return what is wrong with the claims, and the structural oddities of the ledgers."""
    pages = counting.pages
    odd = [f for file in pages.counted for f in file.findings if f.code in STRUCTURE]
    return [
        *pages.blocked,
        *(drift.finding() for drift in pages.drifts),
        *(_judged_prefix(finding, strict) for finding in odd),
    ]


def _judged_prefix(finding: Finding, strict: bool) -> Finding:
    """Decisions are DEC-###; another prefix is a warning, under `strict` an error."""
    decisions = finding.path == "docs/ARCHITECTURE_DECISIONS.md"
    if not decisions or finding.code not in {"foreign_heading", "non_id_row"}:
        return finding
    return Finding(
        "decision_prefix", "error" if strict else "warning", finding.path, finding.line,
        f"a decision under another prefix than DEC-###: {finding.message}",
        "give the heading a number of its own, DEC-###",
    )  # fmt: skip


@task(**policy.READ)
def plan(counting: Counting, wish: Wish | None) -> Entry | None:
    """Plan the new entry, if one was asked for, and true blocks; return what the entry is."""
    entry = add(counting, wish) if wish else None
    counting.planned = counting.planned.mended(counting.now)
    return entry


def add(counting: Counting, wish: Wish) -> Entry:
    """Put a new entry into what is planned, with the next free id.

    Raises:
        Refused: The ledger has conflict markers or no INDEX, or the entry would not be read back.
    """
    from autopack.io.files import ledger_file
    from autopack.sot import compose

    ledger, pages = wish.ledger, counting.planned
    here = {file.ledger.path: file for file in pages.counted}
    file = here.get(ledger.path)
    if file is None or not file.data.strip():
        file = ledger_file(ledger, compose.skeleton(ledger))
    for finding in pages.blocked:
        if finding.path == ledger.path:
            raise Refused(f"{finding.path}:{finding.line}: {finding.message}", finding.fix)
    ident = compose.next_id(ledger, file.census, [other.data for other in pages.counted])
    entry = compose.compose(ledger, ident, wish.draft, counting.now.date())
    grown = compose.insert(ledger, file.data, entry)
    counting.planned = counting.planned.with_ledger(ledger_file(ledger, grown))
    counting.grown = ledger.path
    return entry


@task(**policy.IDEMPOTENT_WRITE)
def write(counting: Counting, written: list[str]) -> None:
    """Replace every file that changes, each whole and only if it still holds what was read.

    All of them are looked at before the first is written, and a ledger with a new entry is written
    last: whatever goes wrong before, the same command can be run again.
    """
    changes = counting.changes()
    last = sorted(changes, key=lambda path: path == counting.grown)
    counting.replace({path: changes[path] for path in last}, written)

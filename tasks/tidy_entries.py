"""Ledger entries for pages of the archive that have none: each once, whatever comes back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from autopack.errors import Refused, UsageError
from autopack.report import Finding
from autopack.tidy.consolidate import Fate, mark, text_of, title_of
from autopack.tidy.routing import free_place
from tasks import policy
from tasks.counts_session import Counting, Wish
from tasks.engine import task
from tasks.tidy import as_finding
from tasks.tidy_archive import Archive
from tasks.tidy_session import Tidying

CHANGED = "autopack.sot.changed"
"""The Prefect event of a run that changed ledgers; `prefect.yaml` starts a sync from it."""
CELLS = {
    "build": {"Summary": "Taken over from the archive"},
    "decision": {"Status": "Recorded"},
    "debug": {"Severity": "MEDIUM", "Status": "Recorded"},
}
MOST_ENTRIES = 50
"""New entries of one run: each is checked by reading its ledger again."""


@task(**policy.READ)
def plan_entries(
    tidying: Tidying, archive: Archive, counting: Counting
) -> tuple[dict[str, str], list[Finding], int]:
    """Put an entry for each page that needs one into the planned ledgers.

    Returns the ids by path, what a person has to do, and how many pages were left. A page whose
    digest a ledger names has its entry.
    """
    from autopack.io.files import read_page

    made: dict[str, str] = {}
    told: list[Finding] = []
    waiting = [fate for fate in archive.fates if fate.kind == "entry"]
    counting.planned = counting.pages
    for number, fate in enumerate(waiting):
        new = sum(ident != "" for ident in made.values())
        if tidying.out_of_time() or new >= MOST_ENTRIES:
            return made, told, len(waiting) - number
        data = read_page(tidying.root, tidying.now_at(fate.path))
        if data is None:
            continue
        fate = _with_a_free_place(tidying, archive, fate, data)  # noqa: PLW2901
        try:
            made[fate.path] = _entry(counting, fate, data)
        except (Refused, UsageError) as error:
            told.append(as_finding(error, fate.path))
    counting.planned = counting.planned.mended(counting.now)
    return made, told, 0


def _with_a_free_place(tidying: Tidying, archive: Archive, fate: Fate, data: bytes) -> Fate:
    """Return the fate with the destination that its entry names: the page must find it free."""
    from autopack.io.listing import exists

    if not exists(tidying.root, fate.destination):
        return fate
    digest = sha256(data).hexdigest()
    place = free_place(fate.destination, digest, lambda name: exists(tidying.root, name))
    moved = replace(fate, destination=place)
    archive.fates[archive.fates.index(fate)] = moved
    return moved


def _entry(counting: Counting, fate: Fate, data: bytes) -> str:
    """Return the id of the page's new entry, "" where it has one."""
    from tasks import counts

    digest = sha256(data).hexdigest()
    needle = mark(digest).encode()
    if any(needle in file.data for file in counting.planned.counted):
        return ""
    title, text = title_of(fate.path, data), text_of(fate, data, digest)
    cells = [f"{name}={value}" for name, value in CELLS[fate.entry or "build"].items()]
    wish = Wish.of(fate.entry, title, cells, text)
    assert wish
    return counts.add(counting, wish).ident


@task(**policy.IDEMPOTENT_WRITE)
def write_entries(
    tidying: Tidying, counting: Counting, idents: Iterable[str], written: list[str]
) -> list[str]:
    """Write the ledgers that these ids were put into, each whole; return their paths."""
    from autopack.sot.ledgers import COUNTED

    prefixes = {ident.partition("-")[0] for ident in idents}
    grown = {ledger.path for ledger in COUNTED if ledger.prefix in prefixes}
    changes = {path: change for path, change in counting.changes().items() if path in grown}
    assert tidying.held
    counting.lend(tidying.held)
    done: list[str] = []
    try:
        counting.replace(changes, done)
    finally:
        written.extend(tidying.place.path(path) for path in done)
    return [tidying.place.path(path) for path in done]


def tell(tidying: Tidying, ledgers: list[str]) -> None:
    """Tell Prefect that ledgers have changed: a sync is a run of its own."""
    from tasks.events import emit

    if ledgers:
        emit(CHANGED, tidying.root, {"ledgers": ledgers})

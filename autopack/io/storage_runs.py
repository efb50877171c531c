"""One run that puts items away: its journal, its places, and its items in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from autopack.deadline import Deadline
from autopack.io.storage_journal import appending, folder_of
from autopack.io.storage_places import Places
from autopack.io.storage_quarantine import Eyes, Hands, Mover, Protected
from autopack.storage.gate import Caps, Outcome, Status
from autopack.storage.journal import AGAIN, HELD, Entry, Journal
from autopack.storage.schema import Approval, CleanupReport, Item

if TYPE_CHECKING:
    from autopack.io.locks import Fence


@contextmanager
def working(  # noqa: PLR0913 - what the act depends on, by keyword
    root: Path,
    run: str,
    report: CleanupReport,
    *,
    protected: Protected,
    fence: Fence,
    retries: int = 0,
    begin: Approval | None = None,
) -> Iterator[Hands]:
    """Open a run to work on it; with an approval its journal is begun where there is none.

    Raises:
        Busy: A process that works on the same run is alive.
        Refused: The journal was changed by something else than a run.
        UsageError: There is no such run.
        Unreachable: The journal cannot be written.
    """
    about = {"report": report.id, "approval": begin.id} if begin else None
    with appending(root, run, about) as journal, ExitStack() as stack:
        places = Places(report, run, stack)
        yield Hands(places, protected, folder_of(root, run), journal, fence, retries)


def items_of(report: CleanupReport, approval: Approval) -> dict[int, Item]:
    """Return the items of an approval by their numbers, which count from 1."""
    known = {item.id: item for item in report.items}
    return {no: known[name] for no, name in enumerate(approval.items, start=1)}


def execute(
    hands: Hands,
    items: dict[int, Item],
    caps: Caps,
    deadline: Deadline,
    check: Callable[[], None],
) -> Iterator[Outcome]:
    """Put the items away that have no end yet; yield how each of them ended.

    Raises:
        DeadlineExceeded: What is left waits for another call.
        Refused: A root or its quarantine is not what it must be.
        Fenced: The locks were lost.
        Unreachable: The journal cannot be written.
    """
    done = ended(hands.journal.journal, items, caps)
    mover = Mover(hands, caps)
    for no, item in items.items():
        if no in done:
            continue
        deadline.check("moving things into the quarantine")
        check()
        yield mover.act(no, item)
    hands.journal.write("complete")


def ended(journal: Journal, items: dict[int, Item], caps: Caps) -> dict[int, Outcome]:
    """Return how items have ended, by their numbers; those that were put away count to the caps."""
    for no, entry in journal.entries.items():
        if no in items and entry.state in HELD:
            caps.take(items[no])
    done = ((outcome.no, outcome) for outcome in outcomes(journal, items))
    return {no: outcome for no, outcome in done if outcome.status != AGAIN}


@contextmanager
def looking(run: str, report: CleanupReport, protected: Protected) -> Iterator[Eyes]:
    """Open the roots of a report to look at its items; nothing is written."""
    with ExitStack() as stack:
        yield Eyes(Places(report, run, stack), protected)


def outcomes(journal: Journal, items: dict[int, Item]) -> list[Outcome]:
    """Return how the items of a run have ended so far, by their numbers."""
    return [
        _outcome(entry, items[no]) for no, entry in sorted(journal.entries.items()) if no in items
    ]


def _outcome(entry: Entry, item: Item) -> Outcome:
    if entry.state in ("moved", "undone", "purged"):
        return Outcome(entry.no, item, entry.state, "")
    if entry.state == "skipped":
        return Outcome(entry.no, item, cast(Status, entry.status), entry.detail)
    return Outcome(entry.no, item, "CONFLICT", f"it is open: {entry.state}")

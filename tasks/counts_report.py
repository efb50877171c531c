"""What a count check says: the counts as people know them, what would change, and the event."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from autopack.report import Finding, NextStep, Report
from autopack.sot.drift import required
from tasks.counts_pages import Pages
from tasks.counts_session import Counting, Wish
from tasks.events import emit

if TYPE_CHECKING:
    from autopack.sot.compose import Entry

EVENT = "autopack.sot.drift"
"""The Prefect event of a run that found drift; `prefect.yaml` starts a sync from it."""


_DRIFTS = frozenset({"meta", "summary", "readme", "navigation", "database", "vectors"})
"""What the code of a finding begins with if something has drifted."""


def describe(report: Report, pages: Pages, entry: Entry | None, plan: str) -> None:
    """Put the counts, every claim that is not true, and the plan into the report."""
    report.counts = {file.ledger.stem: file.census.counts.as_json() for file in pages.ledgers}
    report.extra["claims"] = [drift.as_json() for drift in pages.drifts]
    if entry is not None:
        report.extra["entry"] = {"id": entry.ident, "row": entry.row, "section": entry.section}
    people = "\n".join(_people(pages))
    report.body = f"{people}\n\n{plan}" if plan else people


def _people(pages: Pages) -> Iterator[str]:
    """Yield a line per ledger: how many entries, how many different ones, the latest."""
    for file in pages.counted:
        ledger, counts = file.ledger, pages.truth[file.ledger.prefix]
        if counts is None:
            yield f"{ledger.path}: not counted, see the findings"
            continue
        parts = [
            f"{ledger.noun.title()} entries {counts.index_entries}",
            f"Unique {ledger.units} {counts.unique_base}",
        ]
        if "unique_ids" in required(counts):
            parts.append(f"Unique dotted {ledger.noun} ids {counts.unique_ids}")
        yield f"{ledger.path}: {', '.join(parts)}; latest {counts.latest or 'none'}"


def plan_text(counting: Counting, entry: Entry | None, execute: bool) -> str:
    """Return a new entry as it will stand, and the lines that change, old and new."""
    parts = [f"{entry.ident}\n\n{entry.row}\n\n{entry.section}"] if entry else []
    changes = counting.changes()
    diffs = [line for path, (old, new) in changes.items() for line in _diff(path, old or b"", new)]
    if diffs:
        parts.append(_changes(diffs, execute))
    return "\n\n".join(parts)


def diff_text(path: str, old: bytes, new: bytes, *, execute: bool) -> str:
    """Return the lines of one file that change, old and new."""
    return _changes(_diff(path, old, new), execute)


def _changes(diffs: Iterable[str], execute: bool) -> str:
    return "\n".join(["Written:" if execute else "To be written with --execute:", *diffs])


def next_step(report: Report, planned: bool, wish: Wish | None) -> None:
    """Name the command that writes what is shown, or the sync that must follow a write."""
    if planned and not report.execute:
        words = wish.command() if wish else "python -m flows.sot_counts"
        report.next_steps.append(NextStep("writes what is shown", f"{words} --execute"))
    elif any(name.startswith("docs/") for name in report.writes.files):
        sync = "python -m flows.sot_sync --db-only --execute"
        report.next_steps.append(NextStep("brings the database in line with the ledgers", sync))


def _diff(path: str, old: bytes, new: bytes) -> Iterator[str]:
    """Yield the changed lines of a file; what is equal before and behind is not looked at."""
    first = _equal(old, new)
    first = old.rfind(b"\n", 0, first) + 1
    last = _equal(old[first:][::-1], new[first:][::-1])
    tail = old.find(b"\n", len(old) - last) + 1 if last else 0
    keep = len(old) - tail if tail else 0
    was, now = (_lines(side[first : len(side) - keep]) for side in (old, new))
    line = old.count(b"\n", 0, first) + 1
    yield f"  {path}:{line}"
    for words in difflib.unified_diff(was, now, n=0, lineterm=""):
        if not words.startswith(("---", "+++", "@@")):
            yield f"    {words}"


def _equal(a: bytes, b: bytes) -> int:
    """Return how many leading bytes two texts share."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if a[:middle] == b[:middle] else (low, middle - 1)
    return low


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")


def emit_drift(counting: Counting, findings: Iterable[Finding]) -> None:
    """Tell Prefect that something drifted, inside a flow run; elsewhere nobody listens."""
    codes = sorted({f.code for f in findings if f.code.partition("_")[0] in _DRIFTS})
    if codes:
        emit(EVENT, counting.root, {"codes": codes})

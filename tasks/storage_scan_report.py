"""What a scan reports: what there is, what changed, what was not seen, what could go."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from autopack.report import Finding, NextStep, Report
from tasks.storage_session import Scanning

if TYPE_CHECKING:
    from autopack.storage.scan_page import Reclaimable
    from autopack.storage.snapshot import Snapshot

SCAN = "python -m flows.storage_scan"


def describe(report: Report, scanning: Scanning) -> None:
    """Say what was seen: counts, tables, text, and a warning for each root seen in part."""
    from autopack.storage.offer import offered
    from autopack.storage.page import tables, text

    report.counts = counts(scanning)
    paper = scanning.paper
    offer = [offered(paper)] if paper and paper.items else []
    report.tables = [*offer, *tables(scanning.pictures)]
    report.body = text(scanning.pictures, report.tables)
    report.findings += [*(scanning.read.findings if scanning.read else ()), *scanning.damaged]
    report.findings += scanning.left_out
    for seen in scanning.seen:
        report.findings += _doubts(seen.snapshot)


def counts(scanning: Scanning) -> dict[str, Any]:
    """Return what was counted over all roots; bytes count a file with several names once."""
    totals = [picture.totals for picture in scanning.pictures]
    why = Counter(one.why for seen in scanning.seen for one in seen.snapshot.not_seen)
    going = could_go(scanning)
    could = {"candidates": going.items, "bytes_reclaimable": going.size} if going else {}
    return {
        "entries": sum(one.entries for one in totals),
        "files": sum(one.files for one in totals),
        "folders": sum(one.folders for one in totals),
        "bytes_apparent": sum(one.apparent for one in totals),
        "bytes_allocated": sum(one.allocated for one in totals),
        "denied": why["denied"],
        "not_seen": sum(why.values()),
        **could,
    }


def could_go(scanning: Scanning) -> Reclaimable | None:
    """Return what the clean-up report offers, None where there is none."""
    from autopack.storage.scan_page import Reclaimable

    if scanning.paper is None:
        return None
    items = scanning.paper.items
    return Reclaimable(len(items), sum(item.reclaimable for item in items))


def _doubts(snapshot: Snapshot) -> list[Finding]:
    from autopack.storage.names import shown

    root = shown(snapshot.root.path)
    found = []
    if snapshot.partial:
        why = Counter(one.why for one in snapshot.not_seen)
        parts = ", ".join(f"{n} {word}" for word, n in sorted(why.items()))
        message = f"not all of it was seen ({parts}): sizes are lower bounds"
        fix = "scan as a user who may read it; the report's table 'Not seen' has the places"
        found.append(Finding("partial_scan", "warning", root, None, message, fix))
    return found


def _root(scanning: Scanning, n: int) -> dict[str, Any]:
    seen, picture = scanning.seen[n], scanning.pictures[n]
    growth, there = picture.growth, picture.entries
    return {
        "path": seen.snapshot.root.path,
        "mode": seen.snapshot.mode,
        "label": seen.snapshot.label,
        "partial": seen.snapshot.partial,
        "backend": seen.snapshot.backend,
        "remarks": list(seen.snapshot.remarks),
        "snapshot": seen.file or None,
        "sha256": seen.snapshot.sha256,
        "not_seen": [[one.path, one.why] for one in seen.snapshot.not_seen],
        "since_last": growth
        and there
        and {
            "bytes_allocated": growth.change,
            "bytes_apparent": growth.size_change,
            "entries_new": there.new,
            "entries_gone": there.gone,
            "entries_changed": there.changed,
        },
    }


def name_products(report: Report, scanning: Scanning) -> None:
    """Say where the snapshots, the report and the page are, and what comes next."""
    paper, path = scanning.paper, scanning.report_path
    report.extra["roots"] = [_root(scanning, n) for n in range(len(scanning.seen))]
    report.extra["report_id"] = paper.id if paper and path else None
    report.extra["report_path"] = scanning.shown(path) if path else None
    page = scanning.html_path
    report.extra["html_path"] = scanning.shown(page) if page else None
    if scanning.structural:
        why = "makes a clean-up report, for which a fast scan knows too little: its sizes are old"
        report.next_steps.append(NextStep(why, f"{SCAN}{_roots(scanning)} --mode exact"))
    if paper and path and paper.items:
        name = shlex.quote(str(path))
        command = f"python -m flows.storage_apply approve {name} --items all --by 'YOUR NAME'"
        why = "allows what the report lists to be put into quarantine; nothing is moved by it"
        report.next_steps.append(NextStep(why, command))


def _roots(scanning: Scanning) -> str:
    if scanning.roots == [scanning.root]:
        return ""
    return " " + shlex.join(["--root", *map(str, scanning.roots)])

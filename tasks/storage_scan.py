"""The steps of a scan: read the policy, look, judge, keep what was seen, write the papers."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace

from autopack.errors import Refused
from autopack.report import Finding, Report
from tasks import policy
from tasks.engine import task
from tasks.publish import Progress
from tasks.run import name_workspace
from tasks.storage_session import Scanning, Seen

TRIES = 3


@task(**policy.READ)
def read_policy(scanning: Scanning) -> None:
    """Read the policy: the file that was named, else the workspace's own, else the packaged one."""
    from autopack.io.storage_policy import read_policy as read

    scanning.read = read(scanning.root, scanning.policy_file)


@task(**policy.LONG_READ)
def scan(scanning: Scanning) -> None:
    """Look at every root; each is compared with its newest snapshot."""
    from autopack.io.storage_scan import scan as look
    from autopack.io.storage_snapshots import newest

    traversal = scanning.policy.traversal.model_dump()
    bar = Progress("storage-scanning", "roots that were scanned")
    for n, root in enumerate(scanning.roots):
        bar(n, len(scanning.roots))
        stored = newest(scanning.root, named(root))
        if stored.damaged:
            scanning.damaged.append(
                Finding("damaged_snapshot", "warning", stored.file or "", None,
                        f"{stored.damaged}; everything was looked at anew")
            )  # fmt: skip
        seen = look(root, scanning.mode, traversal, stored.snapshot, scanning.deadline)
        scanning.seen.append(Seen(seen, stored.snapshot))
    bar(len(scanning.roots), len(scanning.roots))


def named(root: object) -> str:
    """Return the name that the snapshots of a root go by."""
    import os

    from autopack.storage.names import spell

    return spell(os.fsencode(os.path.abspath(str(root))))


@task(**policy.LONG_READ)
def judge(scanning: Scanning) -> None:
    """Decide what could go of every root, and whether a report may be made of it."""
    from autopack.io.storage_policy import protection_of
    from autopack.storage.candidates import candidates
    from autopack.storage.cleanup import check_reportable

    scanning.found = []
    for root, seen in zip(scanning.roots, scanning.seen, strict=True):
        scanning.deadline.check("judging the tree")
        protected = protection_of(scanning.policy, scanning.root, root)
        found = candidates(seen.snapshot, scanning.policy, time.time_ns(), protected)
        scanning.found.append(found)
    try:
        for seen, found in zip(scanning.seen, scanning.found, strict=True):
            check_reportable(seen.snapshot, found)
    except Refused as refusal:
        scanning.refusal = refusal


@task(**policy.IDEMPOTENT_WRITE)
def keep(scanning: Scanning, written: list[str]) -> None:
    """Keep the snapshots; what is older than the newest few goes."""
    for seen in scanning.seen:
        seen.file = seen.file or _kept(scanning, seen)
        if seen.file not in written:
            written.append(seen.file)


def _kept(scanning: Scanning, seen: Seen) -> str:
    """Keep one snapshot; another scan may take the same old files away meanwhile."""
    from autopack.io.storage_snapshots import keep as store

    for _ in range(TRIES):
        scanning.deadline.check("keeping the snapshot")
        try:
            return store(scanning.root, seen.snapshot, nullcontext)
        except (FileNotFoundError, Refused):
            time.sleep(0.05)
    return store(scanning.root, seen.snapshot, nullcontext)


@task(**policy.LONG_READ)
def name_items(scanning: Scanning) -> None:
    """Look at what could go once more, and make the report, in which each item has its identity."""
    from autopack.io.storage_cleanup import make_report

    assert scanning.read
    scanned = [
        (seen.snapshot, found) for seen, found in zip(scanning.seen, scanning.found, strict=True)
    ]
    total = sum(len(found.items) for found in scanning.found)
    bar = Progress("storage-report", "items that were looked at once more")
    made = make_report(
        scanned, scanning.read, scanning.now, scanning.deadline, lambda done: bar(done, total)
    )
    scanning.paper = made.report
    scanning.left_out = [left.finding(root) for root, left in made.left_out]


@task(**policy.IDEMPOTENT_WRITE)
def write_report(scanning: Scanning, written: list[str]) -> None:
    """Write the clean-up report under the name that its content gives it."""
    from autopack.io.storage_reports import write_report as write

    assert scanning.paper
    scanning.deadline.check("writing the report")
    try:
        name = write(scanning.root, scanning.paper)
    except Refused:  # a scan of the same second may have put the same report there meanwhile
        name = write(scanning.root, scanning.paper)
    scanning.report_path = scanning.root / name
    if name not in written:
        written.append(name)


@task(**policy.LONG_READ)
def draw(scanning: Scanning) -> None:
    """Make the pictures of all roots: what is large, old, grown, and what it is for."""
    from autopack.storage.picture import picture
    from autopack.storage.uses import Judged

    names, now_ns = tuple(scanning.policy.categories), time.time_ns()
    scanning.pictures = []
    for seen, found in zip(scanning.seen, scanning.found, strict=True):
        scanning.deadline.check("drawing the tree")
        judged = Judged(names, found.category, found.state)
        scanning.pictures.append(picture(seen.snapshot, seen.before, judged, now_ns))


@task(**policy.IDEMPOTENT_WRITE)
def write_page(scanning: Scanning, report: Report) -> None:
    """Write the page of the report as it stands, and the script that draws its treemap."""
    from autopack.io.storage_pages import keep_page, script_name
    from autopack.settings import redact
    from autopack.storage.scan_page import html
    from tasks.storage_scan_report import could_go

    scanning.deadline.check("writing the page")
    ended = replace(report, seconds=sum(step.seconds for step in report.steps))
    if scanning.refusal and not scanning.structural:
        ended.exit_code, ended.message = int(scanning.refusal.code), str(scanning.refusal)
    name_workspace(ended, scanning.workspace)
    page = redact(html(ended, scanning.pictures, script_name(), could_go(scanning)))
    assert scanning.html_path
    report.writes.files += keep_page(scanning.root, scanning.html_path.name, page)

"""Where disk space goes, what it was the last time, and what could be put away."""

from __future__ import annotations

from typing import Annotated, Literal

from autopack.deadline import Deadline
from autopack.report import Report
from flows.cli import main
from tasks import storage_scan as steps
from tasks.engine import Between, draft, flow
from tasks.storage_scan_report import describe, name_products
from tasks.storage_session import Scanning


@flow(name="storage-scan")
def storage_scan(
    workspace: str = ".",
    root: list[str] | None = None,
    mode: Literal["exact", "fast", "full"] = "exact",
    policy: str | None = None,
    html: bool = False,
    strict: bool = False,
    max_seconds: Annotated[float, Between(1, 86400)] = 3600.0,
) -> Report:
    """Look at a tree: what is large, what is old, what grew, and what the policy lets go.

    Links are never followed and mounts never crossed. Nothing of the tree is changed: only the
    snapshot, the clean-up report and the page are written, in .autonomous_runs/. A clean-up report
    is a list of what could go; a person approves it before anything is moved.

    Args:
        workspace: The checkout whose policy holds, and that keeps the products.
        root: Folders to scan in place of the workspace.
        mode: exact looks at every entry, and lists folders only where something moved. fast looks
            at folders and few files, so that sizes are as of an earlier scan; no clean-up report is
            made. full reads everything anew.
        policy: A policy file in place of config/storage.yaml.
        html: Write the page with the treemap too, beside the report.
        strict: Warnings and infos make the exit code 1.
        max_seconds: One deadline for the whole run in seconds, 1 to 86400.

    Examples:
        python -m flows.storage_scan
        python -m flows.storage_scan --html
        python -m flows.storage_scan --root /var/log /srv --mode full --json
        python -m flows.storage_scan --mode fast
    """
    report = draft(Report("storage-scan"))
    scanning = Scanning(workspace, root or (), mode, policy, Deadline.after(max_seconds))
    with report.step("read-policy"):
        steps.read_policy(scanning)
    with report.step("scan"):
        steps.scan(scanning)
    with report.step("judge"):
        steps.judge(scanning)
    with report.step("keep-snapshot"):
        steps.keep(scanning, report.writes.files)
    if not scanning.refusal:
        with report.step("name-items"):
            steps.name_items(scanning)
        with report.step("write-report"):
            steps.write_report(scanning, report.writes.files)
    with report.step("draw"):
        steps.draw(scanning)
    describe(report, scanning)
    if html:
        scanning.place_page()
    name_products(report, scanning)
    report.settle(strict)
    if html:
        with report.step("write-page"):
            steps.write_page(scanning, report)
    if scanning.refusal and not scanning.structural:
        raise scanning.refusal
    return report


if __name__ == "__main__":
    main(storage_scan)

"""Reports, approvals and policies of small real trees, and runs over them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.io import beneath
from autopack.io.storage_identity import identity_of
from autopack.io.storage_journal import APPROVAL, REPORT, keep_papers, read_journal, run_of
from autopack.io.storage_places import native
from autopack.io.storage_purge import purge
from autopack.io.storage_quarantine import Hands
from autopack.io.storage_resume import settle
from autopack.io.storage_runs import execute, items_of, outcomes, working
from autopack.io.storage_undo import undo
from autopack.storage.approval import Given, Limits, Subject, chosen, make, of_report, of_run
from autopack.storage.gate import Caps as Gate
from autopack.storage.gate import Outcome, caps_of
from autopack.storage.policy import Caps, Policy
from autopack.storage.schema import Approval, CleanupReport, Item, item_id

LATER = Deadline.after(86_400)
USUAL = Caps()
ALL = Limits()


def policy_with(caps: Caps = USUAL, name: str = "logs", **more: Any) -> Policy:
    """Return a policy that lets things be put away, with one category."""
    category = {"match": ["*.log"], "older_than_days": 0, "action": "quarantine", "caps": caps}
    return Policy.model_validate(
        {"execution": "enabled", "retries": 0, "categories": {name: category}, **more}
    )


def item_at(root: Path, path: str, category: str = "logs", number: int = 0) -> Item:
    """Return what a report says of a path, as it is now."""
    with beneath.opened_root(root) as top:
        now = identity_of(top, native(path))
    return Item(
        id=item_id(number, path), root=number, path=path, kind=now.kind, dev=now.dev, ino=now.ino,
        mode=now.mode, nlink=now.nlink, size=now.size, allocated=now.allocated,
        reclaimable=now.reclaimable, files=now.files, mtime_ns=now.mtime_ns, ctime_ns=now.ctime_ns,
        content=now.content, tree=now.tree, category=category, rule="**", age_days=1,
    )  # fmt: skip


def report_of(root: Path, *paths: str, policy: Policy, items: Sequence[Item] = ()) -> CleanupReport:
    """Return a report of these paths of a root."""
    found = os.stat(root)
    draft = CleanupReport.model_validate(
        {
            "schema": "autopack.storage.report/1", "id": "sha256:" + "0" * 64,
            "created": datetime.now(UTC) - timedelta(seconds=5), "version": "test",
            "roots": [{
                "path": str(root), "dev": str(found.st_dev), "ino": str(found.st_ino),
                "snapshot": "sha256:" + "5e" * 32, "mode": "full", "entries": 1, "partial": False,
                "not_seen": 0,
            }],
            "policy": {"path": "config/storage.yaml", "sha256": policy.sha256},
            "items": [*(item_at(root, path) for path in paths), *items],
        }
    )  # fmt: skip
    return draft.model_copy(update={"id": draft.true_id()})


def approve(report: CleanupReport, policy: Policy, limits: Limits = ALL) -> Approval:
    """Return an approval of everything in a report."""
    subject = of_report(report)
    given = Given("Ada Lovelace", datetime.now(UTC), secrets.token_hex(16))
    return make(subject, policy, chosen(subject, ["all"]), limits, given)


def _no_caps(report: CleanupReport) -> Gate:
    return Gate(dict.fromkeys(("", *(item.category for item in report.items)), (None, None)))


@dataclass
class Story:
    """A workspace in which things are put away; the root is a folder of its own."""

    home: Path
    root: Path
    protected: Any = None
    policy: Policy = field(default_factory=policy_with)
    report: CleanupReport | None = None
    approval: Approval | None = None
    fence: Any = nullcontext

    @property
    def run(self) -> str:
        assert self.approval
        return run_of(self.approval)

    def write(self, **files: str | bytes) -> None:
        """Write files below the root; `__` in a name stands for a slash."""
        for name, content in files.items():
            path = self.root / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def plan(self, *paths: str, items: Sequence[Item] = (), limits: Limits = ALL) -> None:
        """Report these paths, and approve them."""
        self.report = report_of(self.root, *paths, policy=self.policy, items=items)
        self.approval = approve(self.report, self.policy, limits)

    @contextmanager
    def hands(self) -> Iterator[Hands]:
        """Open the run."""
        assert self.report
        assert self.approval
        papers = {REPORT: self.report.data(), APPROVAL: self.approval.data()}
        keep_papers(self.home, self.run, papers)
        with working(
            self.home, self.run, self.report, protected=self.protected or (lambda _n, _p: None),
            fence=self.fence, retries=self.policy.retries, begin=self.approval,
        ) as hands:  # fmt: skip
            yield hands

    def execute(self) -> dict[str, Outcome]:
        """Settle what is open, put the rest away, and return how each path ended."""
        assert self.report
        assert self.approval
        items = items_of(self.report, self.approval)
        with self.hands() as hands:
            settle(hands, {item.id: item for item in items.values()}, lambda: None)
            caps = caps_of(self.policy, self.approval)
            list(execute(hands, items, caps, LATER, lambda: None))
            ended = outcomes(hands.journal.journal, items)
        return {outcome.item.path: outcome for outcome in ended}

    def undo(self) -> dict[str, Outcome]:
        """Settle what is open, put everything back, and return how each path ended."""
        assert self.report
        items = {item.id: item for item in self.report.items}
        with self.hands() as hands:
            settle(hands, items, lambda: None)
            return {done.item.path: done for done in undo(hands, items, LATER, lambda: None)}

    def statuses(self) -> dict[str, str]:
        """Execute, and return the status of each path."""
        return {path: outcome.status for path, outcome in self.execute().items()}

    def journal(self):
        return read_journal(self.home, self.run)

    def quarantined(self) -> list[str]:
        """Return what lies in the quarantine."""
        folder = self.root / ".autopack-quarantine" / self.run
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))

    def manifest(self) -> Subject:
        """Return what an approval of the purge is about."""
        assert self.report
        return of_run(self.journal(), self.report)

    def purge(self, *paths: str) -> dict[str, Outcome]:
        """Remove what lies in the quarantine for good, or these of it."""
        assert self.report
        chosen = [item.id for item in self.report.items if not paths or item.path in paths]
        items = {item.id: item for item in self.report.items if item.id in chosen}
        with self.hands() as hands:
            done = purge(hands, items, _no_caps(self.report), LATER, lambda: None)
            return {outcome.item.path: outcome for outcome in done}

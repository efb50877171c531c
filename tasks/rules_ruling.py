"""One change of the rule file on its way: the rules, the papers, and what they come to."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.settings import workspace_root
from autopack.state_files import REPORTS
from tasks.page_writer import PageWriter

if TYPE_CHECKING:
    from autopack.io.rule_files import OnDisk
    from autopack.rules.approval import Approval
    from autopack.rules.proposal import Change, Proposal, Unmatched
    from autopack.rules.schema import RuleFile

PROPOSAL = f"{REPORTS}/proposal.json"
APPROVAL = f"{REPORTS}/approval.json"


class Ruling(PageWriter):
    """The state that the steps share; a plain class, because Prefect walks others."""

    def __init__(self, workspace: str, deadline: Deadline) -> None:
        self.root = workspace_root(workspace)
        self.deadline = deadline
        self.now = datetime.now(UTC)
        self.rules: OnDisk | None = None
        self.changes: list[Change] = []
        self.unmatched: list[Unmatched] = []
        self.proposal: Proposal | None = None
        self.approval: Approval | None = None
        self.papers = (self.root / PROPOSAL, self.root / APPROVAL)
        self.planned: tuple[RuleFile, bytes] | None = None  # what the file will be

    @contextmanager
    def holding(self, execute: bool) -> Iterator[None]:
        """Hold the lock of docs/; what killed runs left there is removed."""
        from autopack.io.replace import sweep

        with super().holding(execute):
            if execute:
                sweep(self.root / "docs")
            yield

    def place(self, name: str | None, default: str) -> Path:
        """Return where a paper is: as it was named, else in the workspace's reports."""
        return Path(name).expanduser() if name else self.root / default

    def named_papers(self) -> str:
        """Return the words of a command line that name both papers, "" for the usual places."""
        usual = (self.root / PROPOSAL, self.root / APPROVAL)
        return (
            "" if self.papers == usual else "".join(f" {shlex.quote(str(p))}" for p in self.papers)
        )

    def shown(self, path: Path) -> str:
        """Return a path as a report names it: from the workspace's root if it is inside."""
        full = path.absolute()
        inside = full.is_relative_to(self.root)
        return full.relative_to(self.root).as_posix() if inside else str(path)

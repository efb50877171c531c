"""What the steps of an act on disk space share: the policy, the papers, the run, the locks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.io.storage_platform import check_opening
from autopack.report import Finding
from autopack.settings import Target, database_target, workspace_root
from autopack.storage.names import spell, unspell

if TYPE_CHECKING:
    from autopack.io.storage_rows import Rows
    from autopack.storage.approval import Subject
    from autopack.storage.gate import Outcome
    from autopack.storage.journal import Journal
    from autopack.storage.policy import Policy
    from autopack.storage.protection import Protection
    from autopack.storage.schema import Approval, CleanupReport
    from tasks.locking import Held

WORKSPACE = "the workspace itself"


class Applying:
    """The state of one command; a plain class, because Prefect walks others."""

    def __init__(
        self, workspace: str, policy: str | None, database_url: str | None, deadline: Deadline
    ) -> None:
        check_opening()
        self.root = workspace_root(workspace)
        self.deadline = deadline
        self.named_policy = policy
        self.target: Target = database_target(database_url, self.root)
        self.now = datetime.now(UTC)
        self.policy: Policy | None = None
        self.policy_shown = ""
        self.report: CleanupReport | None = None
        self.approval: Approval | None = None
        self.given: Approval | None = None
        """What the run was begun under: the approval of its execute."""
        self.subject: Subject | None = None
        self.run = ""
        self.journal: Journal | None = None
        self.outcomes: list[Outcome] = []
        self.findings: list[Finding] = []
        self.freed: int | None = None
        self.papers: dict[str, str] = {}
        self._tops: dict[str, str] = {}
        self._protections: dict[str, Protection] = {}
        self._held: Held | None = None

    def look_at_the_clock(self) -> None:
        """Take the time anew: waiting for locks may have taken long."""
        self.now = datetime.now(UTC)

    # --- places -------------------------------------------------------------------------------

    def place(self, name: str) -> Path:
        """Return where a paper is: as it was named, else from the workspace."""
        path = Path(name).expanduser()
        return path if path.is_absolute() or os.path.lexists(path) else self.root / name

    def shown(self, path: Path) -> str:
        """Return a path as a report names it: from the workspace if it is inside."""
        full = Path(os.path.abspath(path))
        inside = full.is_relative_to(self.root)
        return full.relative_to(self.root).as_posix() if inside else str(full)

    def from_workspace(self, number: int, path: str) -> str | None:
        """Return a spelled path of a root as the workspace names it; None where it is outside.

        The workspace and what is around it are "".
        """
        full = f"{self._top(number)}/{path}"
        here = spell(os.fsencode(str(self.root)))
        if full == here or here.startswith(f"{full}/"):
            return ""
        return full.removeprefix(f"{here}/") if full.startswith(f"{here}/") else None

    def _top(self, number: int) -> str:
        """Return where a root really is, spelled, without a slash at its end."""
        assert self.report
        path = self.report.roots[number].path
        if path not in self._tops:
            real = os.path.realpath(os.fsdecode(unspell(path)))
            self._tops[path] = spell(os.fsencode(real)).rstrip("/")
        return self._tops[path]

    def protected(self, number: int, path: str) -> str | None:
        """Return why a spelled path of a root is protected: from the root, and the workspace."""
        if self.from_workspace(number, path) == "":
            return WORKSPACE
        return self._protection(self._top(number)).reason(path)

    def _protection(self, top: str) -> Protection:
        """Return what the policy protects below a root."""
        from autopack.io.storage_policy import protection_of

        if top not in self._protections:
            assert self.policy
            root = Path(os.fsdecode(unspell(top or "/")))
            self._protections[top] = protection_of(self.policy, self.root, root)
        return self._protections[top]

    @contextmanager
    def about(self, report: CleanupReport) -> Iterator[None]:
        """Speak of another report in the body: that of another run."""
        own, self.report = self.report, report
        try:
            yield
        finally:
            self.report = own

    # --- locks --------------------------------------------------------------------------------

    def locks(self, places: Iterable[tuple[int, str]]) -> tuple[str, ...]:
        """Return the locks of the subsystems that own these paths of roots."""
        from autopack.storage.gate import locks_of

        inside = (self.from_workspace(number, path) for number, path in places)
        return locks_of(path for path in inside if path)

    @contextmanager
    def holding(self, execute: bool, locks: Iterable[str]) -> Iterator[None]:
        """Hold a set of locks; a dry run holds nothing."""
        if not execute:
            yield
            return
        from tasks.locking import holding

        with holding(*locks, root=self.root, deadline=self.deadline) as self._held:
            yield

    def fence(self) -> AbstractContextManager[None]:
        """Return the block in which a name may change."""
        assert self._held
        return self._held.guarded("storage")

    def check(self) -> None:
        """Make sure that the locks are still held."""
        assert self._held
        self._held.check()

    def progress(self, done: int, total: int, phase: str) -> None:
        """Show on the locks how far the work is."""
        if self._held:
            self._held.progress(done, total, phase)

    def rows(self) -> Rows:
        """Return the tables of runs and approvals."""
        from autopack.io.database import Database
        from autopack.io.storage_rows import Rows

        return Rows(Database(self.target, self.deadline), self.fence)

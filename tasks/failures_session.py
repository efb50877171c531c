"""What the steps of one mining share: where failures are looked for, and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.report import Finding
from autopack.rules.model import Event, Group
from autopack.settings import Target, database_target, workspace_root
from autopack.state_files import DATABASE

if TYPE_CHECKING:
    from tasks.locking import Held


class Mining:
    """The state of one mining; a plain class, because Prefect walks others."""

    def __init__(
        self, workspace: str, since_days: float | None, database_url: str | None,
        deadline: Deadline,
    ) -> None:  # fmt: skip
        self.root = workspace_root(workspace)
        self.deadline = deadline
        self.target: Target = database_target(database_url, self.root)
        self.now = datetime.now(UTC)
        self.since = self.now - timedelta(days=since_days) if since_days is not None else None
        self.stored: dict[str, bytes | None] = {}
        self.known: list[Event] = []
        self.found: list[Event] = []
        self.runs: dict[str, datetime | None] = {}
        self.files = 0
        self.rows = 0
        self.findings: list[Finding] = []
        self.events: tuple[Event, ...] = ()
        self.groups: tuple[Group, ...] = ()
        self._held: Held | None = None

    @contextmanager
    def holding(self, execute: bool) -> Iterator[None]:
        """Hold the lock of derived files from reading to writing; a dry run holds nothing."""
        if not execute:
            yield
            return
        from tasks.locking import holding

        with holding("index", root=self.root, deadline=self.deadline) as self._held:
            yield

    def fence(self) -> AbstractContextManager[None]:
        """Return the block in which a file may take its name."""
        assert self._held
        return self._held.guarded("index")

    def no_database(self) -> bool:
        """Return whether nobody named a database and the workspace has none of its own."""
        return self.target.source.startswith("default") and not (self.root / DATABASE).exists()

    def in_window(self, at: datetime | None) -> bool:
        """Return whether a time counts; what has none is never left out."""
        return self.since is None or at is None or at >= self.since

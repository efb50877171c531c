"""One SOT sync at work: its targets, what was read and what is planned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

from autopack.deadline import Deadline
from autopack.errors import Unreachable, UsageError
from autopack.io.files import LedgerFile
from autopack.report import Finding
from autopack.settings import Target, database_target, qdrant_target, redact, workspace_root

if TYPE_CHECKING:
    from autopack.io.feed import Difference
    from autopack.io.sql import Comparison, Index, StoredFile
    from autopack.io.vectors import VectorIndex
    from tasks.locking import Held

Mode = Literal["docs-only", "db-only", "qdrant-only", "full"]


class Sync:
    """The state that the steps of one sync share.

    A plain class on purpose: Prefect walks into dataclasses and lists that are passed to tasks.
    """

    def __init__(self, workspace: str, mode: Mode, execute: bool, deadline: Deadline) -> None:
        if mode == "docs-only" and execute:
            raise UsageError(
                "--docs-only never writes, so it cannot take --execute",
                next_step="python -m flows.sot_sync --db-only --execute (or --full, --qdrant-only)",
            )
        self.root = workspace_root(workspace)
        self.mode = mode
        self.execute = execute
        self.deadline = deadline
        self.accept_shrink = False
        self.database: Target | None = None
        self.qdrant: Target | None = None
        self.ledgers: list[LedgerFile] = []
        self.planned: Comparison | None = None
        self.difference: Difference | None = None
        self.blocked: list[Finding] = []
        self._held: Held | None = None
        self._index: Index | None = None
        self._vectors: VectorIndex | None = None

    @property
    def uses_database(self) -> bool:
        """Whether this mode reads or writes a database."""
        return self.mode != "qdrant-only"

    @property
    def uses_vectors(self) -> bool:
        """Whether this mode reads or writes vectors."""
        return self.mode in {"qdrant-only", "full"}

    @property
    def has_changes(self) -> bool:
        """Whether the database differs from the ledgers, as far as is known."""
        return self.planned is not None and bool(self.planned.changes)

    def changed(self) -> set[str]:
        """Return the paths that differ from the index; every path while that is unknown."""
        if self.planned is None:
            return {file.ledger.path for file in self.ledgers}
        return {change.path for change in self.planned.changes}

    def held(self) -> dict[str, StoredFile]:
        """Return what the index holds, by path; nothing while that is unknown."""
        return self.planned.state.files if self.planned else {}

    def aim(self, database_url: str | None, qdrant_host: str | None) -> dict[str, str | None]:
        """Choose the targets and return them as they may be shown.

        Raises:
            Unreachable: The mode needs Qdrant and none is configured.
        """
        if self.uses_database:
            self.database = database_target(database_url, self.root)
            redact.learn_target(self.database)
        self.qdrant = qdrant_target(qdrant_host, self.root)
        if self.qdrant is not None:
            redact.learn_target(self.qdrant)
        elif self.uses_vectors:
            raise Unreachable(
                f"--{self.mode} needs Qdrant, and neither --qdrant-host nor QDRANT_HOST is set",
                next_step=f"python -m flows.sot_sync --{self.mode} --qdrant-host embedded",
            )
        vectors = self.qdrant if self.uses_vectors else None
        return {
            "database": self.database.named if self.database else None,
            "qdrant": vectors.named if vectors else None,
        }

    def holding(self) -> AbstractContextManager[object]:
        """Hold the locks of a run that writes; a dry run holds nothing and creates no file.

        On a network filesystem PostgreSQL, which locks by itself, is good enough a guard.
        """
        return self._hold() if self.execute else nullcontext()

    @contextmanager
    def _hold(self) -> Iterator[None]:
        from tasks.locking import holding

        postgres = self.uses_database and self.index().database.is_postgres
        embedded = self.uses_vectors and self.qdrant and self.qdrant.shown == "embedded"
        shared = ("docs", "db") if self.uses_database else ("docs",)
        with holding(
            "index", shared=shared, root=self.root, deadline=self.deadline,
            allow_network=postgres and not embedded,
        ) as self._held:  # fmt: skip
            yield

    @property
    def locks(self) -> Held:
        """The locks of this run; only a run with `execute` has them."""
        assert self._held
        return self._held

    def fence(self) -> AbstractContextManager[None]:
        """Return the block in which a write may be committed."""
        return self.locks.guarded("index")

    def index(self) -> Index:
        """Return the SQL index of the chosen database; connections are kept for the run."""
        from autopack.io.sql import Index

        if self._index is None:
            assert self.database
            self._index = Index(self.database, self.deadline)
        return self._index

    def probe(self, seconds: float) -> Index:
        """Return an index that gives up after `seconds`."""
        from autopack.io.sql import Index

        assert self.database
        left = self.deadline.cap(seconds, "reading the database")
        return Index(self.database, Deadline.after(left))

    def vectors(self, create: bool) -> VectorIndex:
        """Open the chosen vector engine; the caller closes it."""
        from autopack.io.vectors import open_vectors

        assert self.qdrant
        return open_vectors(self.qdrant, self.deadline, create=create)

    def open_vectors(self) -> VectorIndex:
        """Open the chosen vector engine for writing, once for the run."""
        if self._vectors is None:
            self._vectors = self.vectors(create=True)
        return self._vectors

    def close_vectors(self) -> None:
        """Let go of the vector engine."""
        vectors, self._vectors = self._vectors, None
        if vectors is not None:
            vectors.close()

    def close(self) -> None:
        """Let go of every target."""
        self.close_vectors()
        if self._index is not None:
            self._index.database.close()

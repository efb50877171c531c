"""Connect to SQLite or PostgreSQL within the deadline, and translate what goes wrong."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool, QueuePool

from autopack.deadline import Deadline
from autopack.errors import AutopackError, Busy, DeadlineExceeded, Unreachable, UsageError
from autopack.settings import Target, redact

if TYPE_CHECKING:
    from autopack.io.locks import Fence

CONNECT_S = 10.0
"""Longest wait for a connection, in seconds; the deadline may make it shorter."""
LOCK_WAIT_S = 30.0
"""Longest wait for another writer, in seconds; the deadline may make it shorter."""
_MARGIN_S = 0.5

_BUSY_STATES = {"55P03", "40P01", "40001"}
_CANCELLED = "57014"
_INCOMPLETE_STATES = {"42P01", "42P07", "42703", "23505"}
_INCOMPLETE = re.compile(
    r"no such (?:table|column)|(?:table|view) \S+ already exists|UNIQUE constraint failed"
)
REBUILD = (
    "drop the sot_ tables (or move autopack.db aside), then run: "
    "python -m flows.sot_sync --db-only --execute"
)
"""How a damaged index is made anew."""


class Database:
    """One target and how to open a reading or a writing transaction on it."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.target = target
        self.deadline = deadline
        self.sqlite_path = _sqlite_path(target)
        self._postgres: Engine | None = None

    def close(self) -> None:
        """Give the connections back."""
        if self._postgres is not None:
            self._postgres.dispose()

    @property
    def is_postgres(self) -> bool:
        """True on PostgreSQL, false on SQLite."""
        return self.sqlite_path is None

    def missing(self) -> bool:
        """Tell whether this is a SQLite file that does not exist yet."""
        return self.sqlite_path is not None and not self.sqlite_path.exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open one consistent, read-only transaction; never creates a file."""
        with self._translated("reading"), self._engine(readonly=True).connect() as cx:
            if self.is_postgres:
                cx.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with cx.begin():
                self._limit(cx)
                yield cx

    @contextmanager
    def writing(self, lock: str, fence: Fence) -> Iterator[Connection]:
        """Open the one writing transaction; on PostgreSQL an advisory lock of this name guards it.

        It is committed inside `fence()`, which raises when this run has lost its lock.

        Raises:
            Busy: Another writer held the database for as long as this run may wait.
        """
        engine = self._engine(readonly=False)
        with self._translated("writing"), engine.connect() as cx, cx.begin() as transaction:
            self._limit(cx)
            if self.is_postgres:
                key = sa.text("SELECT pg_advisory_xact_lock(hashtext(:n || current_schema()))")
                cx.execute(key, {"n": lock})
            yield cx
            with fence():
                transaction.commit()

    def _limit(self, cx: Connection) -> None:
        if self.is_postgres:
            left = self.deadline.cap(86_400, "opening the database")
            wait = self._lock_wait()
            cx.exec_driver_sql(f"SET LOCAL statement_timeout = {int(left * 1000) + 1}")
            cx.exec_driver_sql(f"SET LOCAL lock_timeout = {int(wait * 1000) + 1}")

    def _lock_wait(self) -> float:
        left = self.deadline.cap(LOCK_WAIT_S + _MARGIN_S, "waiting for the database lock")
        return max(0.05, left - _MARGIN_S)

    def _engine(self, readonly: bool) -> Engine:
        self.deadline.check("connecting to the database")
        if self.sqlite_path is not None:
            return self._sqlite_engine(self.sqlite_path, readonly)
        if self._postgres is None:
            self._postgres = self._postgres_engine()
        return self._postgres

    def _postgres_engine(self) -> Engine:
        left = self.deadline.remaining()
        options: dict[str, Any] = {
            "connect_timeout": max(1, int(min(left, CONNECT_S))),
            "tcp_user_timeout": max(1000, int(left * 1000)),
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "application_name": "autopack",
        }
        # One connection for the transactions, one for the session lock around the vectors.
        return sa.create_engine(
            self.target.url, poolclass=QueuePool, pool_size=2, connect_args=options
        )

    def _sqlite_engine(self, path: Path, readonly: bool) -> Engine:
        # A writer that was killed leaves a journal, and only a writable handle can roll it back.
        left_behind = path.with_name(f"{path.name}-journal").exists()
        mode = "rwc" if not readonly else "rw" if left_behind else "ro"
        wait = self._lock_wait()

        def connect() -> sqlite3.Connection:
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            made = sqlite3.connect(uri, uri=True, timeout=wait, isolation_level=None)
            if readonly:
                made.execute("PRAGMA query_only = ON")
            return made

        engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool)
        begin = "BEGIN" if readonly else "BEGIN IMMEDIATE"
        sa.event.listen(engine, "begin", lambda cx: cx.exec_driver_sql(begin))
        return engine

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._translate(error, doing) from None
        except sqlite3.Error as error:
            raise self._unreachable(str(error)) from None
        except ImportError as error:
            raise self._unreachable(str(error)) from None

    def _translate(self, error: DBAPIError, doing: str) -> AutopackError:
        original = error.orig
        text = redact(" ".join(str(original).split()))
        state = getattr(original, "sqlstate", None)
        if state in _BUSY_STATES or "database is locked" in text:
            return Busy(
                f"database {self.target.shown} is locked by another writer",
                next_step="wait for it to end, then run again",
            )
        if state == _CANCELLED or self.deadline.remaining() <= 0:
            return DeadlineExceeded(
                f"--max-seconds {self.deadline.max_seconds:g} ran out while {doing} "
                f"{self.target.shown}",
                next_step="run again with a larger --max-seconds; nothing is half-written",
            )
        if isinstance(error, ProgrammingError) and not state and self.is_postgres:
            return UsageError(
                f"{self.target.source}: {text}",
                next_step="use postgresql://user:password@host/name?option=value as libpq knows it",
            )
        if isinstance(error, OperationalError) or state or self.sqlite_path:
            # 28: invalid authorization, 3D: no such database, 42: no such right or object.
            permanent = (state or "")[:2] in {"28", "3D", "42"}
            incomplete = state in _INCOMPLETE_STATES or (not state and _INCOMPLETE.search(text))
            if incomplete and "sot_" in text:
                return Unreachable(
                    f"database {self.target.shown}: {text[:300]}", REBUILD, permanent=True
                )
            return self._unreachable(text, permanent)
        raise error

    def _unreachable(self, reason: str, permanent: bool = False) -> Unreachable:
        hint = f"check {self.target.source} and that the database accepts connections"
        if self.sqlite_path:
            hint = f"make sure that {self.sqlite_path} can be read and written"
            permanent = "unable to open" in reason or "readonly" in reason
        if "not a database" in reason or "malformed" in reason:
            hint = f"move {self.target.shown} aside and run again: the index is rebuilt"
            permanent = True
        elif "full" in reason or "No space" in reason:
            hint = "free disk space and run again; the previous generation is intact"
        text = f"database {self.target.shown}: {reason[:300]}"
        return Unreachable(text, next_step=hint, permanent=permanent)


def _sqlite_path(target: Target) -> Path | None:
    try:
        url = sa.make_url(target.url)
    except (ArgumentError, ValueError):
        raise UsageError(
            f"{target.source}: not a database URL: {target.shown}",
            next_step="use postgresql://user:password@host:5432/name or sqlite:///file.db",
        ) from None
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database:
        raise UsageError(
            f"{target.source}: {target.shown} names no file",
            next_step="use sqlite:///file.db",
        )
    return Path(url.database)


@contextmanager
def serialized(database: Database, name: str) -> Iterator[None]:
    """Hold a session lock on PostgreSQL, so that two checkouts do not feed vectors at once."""
    if not database.is_postgres:
        yield
        return
    with database._translated("waiting for"), database._engine(readonly=False).connect() as cx:
        with cx.begin():
            database._limit(cx)
            key = sa.text("SELECT pg_advisory_lock(hashtext(:n || current_schema()))")
            cx.execute(key, {"n": name})
        try:
            yield
        finally:
            with suppress(DBAPIError):
                cx.invalidate()

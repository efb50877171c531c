"""Write one generation of the SOT index: all of it in one transaction, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from autopack import __version__
from autopack.deadline import Deadline
from autopack.io import schema
from autopack.io.bulk import load_file, rekey, unkey
from autopack.io.files import LedgerFile
from autopack.io.sql import EVERYTHING, Change, Comparison, Index, compare, manifest
from autopack.report import Finding
from autopack.sot.pages import PARSER
from autopack.sot.plan import FilePlan, points

if TYPE_CHECKING:
    from autopack.io.locks import Fence

LOCK = "autopack-sot"


@dataclass(frozen=True)
class Origin:
    """Where a generation comes from: the checkout and its commit."""

    checkout: str
    commit: str | None


@dataclass(frozen=True)
class Published:
    """What one transaction wrote. Counts are index rows; bookkeeping rows are not in them."""

    generation: int
    inserted: int
    updated: int
    deleted: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Permit:
    """What a write needs: `check` raises `Refused` to keep the previous generation, `fence` when
    this run has lost its lock."""

    check: Callable[[Comparison], None]
    fence: Fence


def publish(
    index: Index,
    ledgers: Sequence[LedgerFile],
    planned: Comparison,
    origin: Origin,
    permit: Permit,
) -> Published | None:
    """Make the ledgers the published generation; None when another run already did.

    The plan is used as it is when the head has not moved since it was made, else made anew
    under the lock.

    Raises:
        Refused: The permit was not given; nothing is written.
    """
    with index.database.writing(LOCK, permit.fence) as cx:
        fresh = _ensure_tables(cx)
        comparison = _still_valid(cx, planned) or compare(cx, ledgers, index.deadline)
        if not comparison.changes:
            return None
        permit.check(comparison)
        return _Writer(cx, comparison, index.deadline, fresh).write(ledgers, origin)


def _still_valid(cx: Connection, planned: Comparison) -> Comparison | None:
    """Return the plan when the head has not moved since it was made, else None."""
    number = cx.scalar(sa.select(schema.head.c.generation))
    held = planned.state.head.number if planned.state.head else None
    return planned if number == held else None


def _ensure_tables(cx: Connection) -> bool:
    """Create this index's own tables; True when they are new. An older schema is rebuilt."""
    inspector = sa.inspect(cx)
    if inspector.has_table(schema.meta.name):
        version = cx.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.name == "schema"))
        if int(version or 0) == schema.SCHEMA_VERSION:
            return False
        cx.exec_driver_sql("DROP VIEW IF EXISTS sot_entry")
        schema.metadata.drop_all(cx)
    schema.metadata.create_all(cx, checkfirst=False)
    cx.exec_driver_sql(schema.ENTRY_VIEW)
    cx.execute(schema.meta.insert(), {"name": "schema", "value": str(schema.SCHEMA_VERSION)})
    unkey(cx)
    return True


class _Writer:
    """The writes of one generation, on one connection."""

    def __init__(
        self, cx: Connection, comparison: Comparison, deadline: Deadline, fresh: bool
    ) -> None:
        self.cx = cx
        self.comparison = comparison
        self.deadline = deadline
        self.fresh = fresh
        head = comparison.state.head
        self.number = (head.number if head else 0) + 1
        self.ids = {path: stored.id for path, stored in comparison.state.files.items()}

    def write(self, ledgers: Sequence[LedgerFile], origin: Origin) -> Published:
        for change in self.comparison.changes:
            self.deadline.check(f"writing {change.path}")
            if change.now is None:
                self._remove(change)
            else:
                self._write_file(change, change.now)
        if self.fresh:
            rekey(self.cx)
        plans = [change.plan for change in self.comparison.changes]
        published = Published(
            generation=self.number,
            inserted=sum(plan.inserted for plan in plans),
            updated=sum(len(plan.update) for plan in plans),
            deleted=sum(plan.deleted for plan in plans),
            changes=self.comparison.changes,
        )
        self._advance(published, manifest(ledgers), origin)
        self.deadline.check("committing")
        return published

    def _remove(self, change: Change) -> None:
        file_id = self.ids[change.path]
        self._clear(file_id)
        self.cx.execute(sa.delete(schema.finding).where(schema.finding.c.file == file_id))
        self.cx.execute(sa.delete(schema.file).where(schema.file.c.id == file_id))
        self._mark_behind(file_id, [EVERYTHING])

    def _clear(self, file_id: int) -> None:
        for table in (schema.segment, schema.blob, schema.page):
            self.cx.execute(sa.delete(table).where(table.c.file == file_id))

    def _write_file(self, change: Change, now: LedgerFile) -> None:
        file_id = self.ids.setdefault(change.path, max(self.ids.values(), default=0) + 1)
        if change.plan.load:
            if change.plan.cleared:
                self._clear(file_id)
            load_file(self.cx, file_id, now.segments, self.deadline)
            self._mark_behind(file_id, [EVERYTHING])
        else:
            self._write_window(file_id, now, change.plan)
            self._mark_behind(file_id, sorted(change.plan.touched))
        self._write_findings(file_id, now.findings)
        self._upsert(schema.file, ["id"], [_file_row(file_id, now)])

    def _write_window(self, file_id: int, now: LedgerFile, plan: FilePlan) -> None:
        s = schema.segment.c
        self._many(
            sa.delete(schema.segment).where(s.file == file_id, s.pos == sa.bindparam("p")),
            [{"p": row.pos} for row in plan.delete],
        )
        written = [*plan.insert, *plan.update]
        blobs = [
            {"file": file_id, "digest": row.digest, "content": now.segments.content(i)}
            for i, row in written
        ]
        self._upsert(schema.blob, ["file", "digest"], blobs, update=False)
        rows = [
            {"file": file_id, "pos": row.pos, "kind": row.kind, "ident": row.ident,
             "digest": row.digest, "size": row.size}
            for _, row in written
        ]  # fmt: skip
        self._upsert(schema.segment, ["file", "pos"], rows)
        self._drop_unused_blobs(file_id, plan)
        p = schema.page.c
        self._many(
            sa.delete(schema.page).where(p.file == file_id, p.pos == sa.bindparam("p")),
            [{"p": pos} for pos in plan.stale_pages],
        )
        self._many(
            schema.page.insert(),
            [{"file": file_id, "pos": page.pos, "last": page.last, "count": page.count,
              "size": page.size, "digest": page.digest} for page in plan.pages],
        )  # fmt: skip

    def _drop_unused_blobs(self, file_id: int, plan: FilePlan) -> None:
        """Delete the bytes of changed and deleted rows that no other row of the file has."""
        s, b = schema.segment.c, schema.blob.c
        user = sa.select(sa.literal(1)).where(s.file == file_id, s.digest == sa.bindparam("d"))
        self._many(
            sa.delete(schema.blob).where(
                b.file == file_id, b.digest == sa.bindparam("d"), ~user.exists()
            ),
            [{"d": row.digest} for row in (*plan.delete, *plan.replaced)],
        )

    def _write_findings(self, file_id: int, findings: Sequence[Finding]) -> None:
        f = schema.finding.c
        self.cx.execute(sa.delete(schema.finding).where(f.file == file_id))
        self._many(
            schema.finding.insert(),
            [{"file": file_id, "number": n, "code": found.code, "severity": found.severity,
              "line": found.line, "message": found.message.replace("\0", "␀")}
             for n, found in enumerate(findings)],
        )  # fmt: skip

    def _mark_behind(self, file_id: int, idents: Sequence[str]) -> None:
        rows = [{"file": file_id, "ident": i, "generation": self.number} for i in idents]
        self._upsert(schema.outbox, ["file", "ident"], rows)

    def _advance(self, published: Published, manifest: bytes, origin: Origin) -> None:
        self.cx.execute(
            schema.generation.insert(),
            {
                "number": published.generation,
                "manifest": manifest,
                "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "checkout": origin.checkout,
                "commit_id": origin.commit,
                "program": __version__,
                "inserted": published.inserted,
                "updated": published.updated,
                "deleted": published.deleted,
            },
        )
        self._upsert(schema.head, ["id"], [{"id": 1, "generation": published.generation}])

    def _many(self, statement: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.cx.execute(statement, rows)

    def _upsert(
        self, table: sa.Table, key: list[str], rows: list[dict[str, Any]], update: bool = True
    ) -> None:
        if not rows:
            return
        dialect: Any = postgresql if self.cx.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(table)
        if update:
            changed = {c.name: insert.excluded[c.name] for c in table.c if c.name not in key}
            statement = insert.on_conflict_do_update(index_elements=key, set_=changed)
        else:
            statement = insert.on_conflict_do_nothing(index_elements=key)
        self.cx.execute(statement, rows)


def _file_row(file_id: int, now: LedgerFile) -> dict[str, Any]:
    counts = now.census.counts
    return {
        "id": file_id,
        "path": now.ledger.path,
        "sha256": now.sha256,
        "size": len(now.data),
        "parser": PARSER,
        "entries": counts.entries,
        "points": points(now.segments),
        "counts": json.dumps(counts.as_json()),
    }

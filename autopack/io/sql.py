"""The SOT index in a database: read its state, compare it with the ledgers, publish."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io import schema
from autopack.io.database import REBUILD, Database
from autopack.io.files import LedgerFile
from autopack.report import Finding
from autopack.settings import Target
from autopack.sot.pages import PARSER, Page, changed_window
from autopack.sot.plan import FilePlan, Row, plan_load, plan_window

EVERYTHING = "*"
"""In the outbox: every entry of the file."""
RELOAD_FROM = 50_000
"""A changed window with more segments than this is written as a fresh load, streamed."""


@dataclass(frozen=True)
class Head:
    """The published generation: its number, content digest and where it came from."""

    number: int
    manifest: bytes
    checkout: str
    commit: str | None


@dataclass(frozen=True)
class StoredFile:
    """One ledger as the index holds it."""

    id: int
    path: str
    sha256: bytes
    parser: int
    entries: int
    points: int
    counts: dict[str, Any]


@dataclass(frozen=True)
class State:
    """What the index holds, read in one snapshot. Without a head it is empty."""

    head: Head | None = None
    files: dict[str, StoredFile] = field(default_factory=dict)
    behind: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def points(self) -> int:
        """Vector points that the published generation wants."""
        return sum(stored.points for stored in self.files.values())


@dataclass(frozen=True)
class Change:
    """One file that differs. `now` is None when the ledger is gone."""

    path: str
    now: LedgerFile | None
    stored: StoredFile | None
    plan: FilePlan


@dataclass(frozen=True)
class Comparison:
    """The index's state and what would change; read-only.

    `again` names the earlier generations that held exactly these ledgers and were replaced.
    """

    state: State
    changes: tuple[Change, ...]
    again: tuple[int, ...] = ()


@contextmanager
def sound(target: Target) -> Iterator[None]:
    """Say that the index is damaged where its rows make no sense, rather than that this is a bug.

    Raises:
        Refused: They make none.
    """
    try:
        yield
    except (KeyError, ValueError, TypeError) as error:
        raise Refused(
            f"the index {target.shown} is damaged: {type(error).__name__}: {error}",
            next_step=REBUILD,
        ) from error


class Index:
    """The SOT index behind one database target."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.database = Database(target, deadline)
        self.deadline = deadline

    def compare(self, ledgers: Sequence[LedgerFile]) -> Comparison:
        """Read the state and plan the writes; creates nothing."""
        if self.database.missing():
            return compare_with_nothing(ledgers)
        with self.database.reading() as cx, sound(self.database.target):
            return compare(cx, ledgers, self.deadline)

    def state(self) -> State:
        """Read the state alone."""
        if self.database.missing():
            return State()
        with self.database.reading() as cx, sound(self.database.target):
            return read_state(cx)

    def labels(self, path: str) -> list[tuple[int, str]]:
        """Return kind and id of every row of a ledger, in order."""
        s, f = schema.segment.c, schema.file.c
        joined = schema.segment.join(schema.file, f.id == s.file)
        query = sa.select(s.kind, s.ident).select_from(joined).where(f.path == path)
        with self.database.reading() as cx:
            return [(row[0], row[1]) for row in cx.execute(query.order_by(s.pos))]

    def file_bytes(self, path: str) -> Iterator[bytes]:
        """Yield a ledger's exact bytes from the database alone, segment by segment.

        Raises:
            Refused: The database holds no such ledger, or its bytes do not match their digest.
        """
        known: list[str] = []
        if not self.database.missing():
            with self.database.reading() as cx, sound(self.database.target):
                files = read_state(cx).files
                known = sorted(files)
                if path in files:
                    yield from _file_bytes(cx, files[path])
                    return
        raise Refused(
            f"the index {self.database.target.shown} holds no ledger {path!r}",
            next_step=f"use one of: {', '.join(known)}" if known
            else "python -m flows.sot_sync --db-only --execute",
        )  # fmt: skip


def compare_with_nothing(ledgers: Sequence[LedgerFile]) -> Comparison:
    """Return the comparison against an empty index."""
    changes = (Change(f.ledger.path, f, None, plan_load(f.segments)) for f in ledgers)
    return Comparison(State(), tuple(changes))


def read_state(cx: Connection) -> State:
    """Read the index's state; missing tables are an empty index.

    Raises:
        Refused: The tables were made by a newer program.
    """
    if not sa.inspect(cx).has_table(schema.meta.name):
        return State()
    version = cx.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.name == "schema"))
    if int(version or 0) > schema.SCHEMA_VERSION:
        raise Refused(
            f"the index has schema {version}, this program knows {schema.SCHEMA_VERSION}",
            next_step="update this checkout, or point --database-url at another database",
        )
    g = schema.generation
    row = cx.execute(
        sa.select(g.c.number, g.c.manifest, g.c.checkout, g.c.commit_id).join(
            schema.head, schema.head.c.generation == g.c.number
        )
    ).first()
    files = {stored.path: stored for stored in _read_files(cx)}
    behind = _behind(cx, {stored.id: stored.points for stored in files.values()})
    findings = tuple(_read_findings(cx, {stored.id: path for path, stored in files.items()}))
    head = Head(row[0], bytes(row[1]), row[2], row[3]) if row else None
    return State(head, files, behind, findings)


def _behind(cx: Connection, points: dict[int, int]) -> int:
    """Return how many entries' vectors may be behind; a whole file counts all its points."""
    rows = cx.execute(sa.select(schema.outbox.c.file, schema.outbox.c.ident))
    return sum(points.get(row[0], 1) if row[1] == EVERYTHING else 1 for row in rows)


def _read_files(cx: Connection) -> Iterator[StoredFile]:
    f = schema.file.c
    columns = (f.id, f.path, f.sha256, f.parser, f.entries, f.points, f.counts)
    for row in cx.execute(sa.select(*columns)):
        yield StoredFile(row[0], row[1], bytes(row[2]), row[3], row[4], row[5], json.loads(row[6]))


def _read_findings(cx: Connection, paths: dict[int, str]) -> Iterator[Finding]:
    f = schema.finding.c
    rows = cx.execute(
        sa.select(f.file, f.code, f.severity, f.line, f.message).order_by(f.file, f.number)
    )
    for row in rows:
        yield Finding(row[1], row[2], paths[row[0]], row[3], row[4])


def compare(cx: Connection, ledgers: Sequence[LedgerFile], deadline: Deadline) -> Comparison:
    """Return what differs between the ledgers and the index that `cx` reads."""
    state = read_state(cx)
    whole = _whole_files(cx) if state.files else set()
    changes = []
    for now in ledgers:
        deadline.check(f"comparing {now.ledger.path}")
        stored = state.files.get(now.ledger.path)
        if stored is None or stored.id not in whole:
            cleared = _row_count(cx, stored.id) if stored else 0
            plan = plan_load(now.segments, cleared=cleared)
            changes.append(Change(now.ledger.path, now, stored, plan))
        elif (stored.sha256, stored.parser) != (now.sha256, PARSER):
            changes.append(Change(now.ledger.path, now, stored, _plan(cx, now, stored)))
    here = {now.ledger.path for now in ledgers}
    for path, stored in state.files.items():
        if path not in here:
            changes.append(Change(path, None, stored, _plan_removal(cx, stored)))
    again = _superseded(cx, manifest(ledgers), state) if changes and state.head else ()
    return Comparison(state, tuple(changes), tuple(again))


def manifest(ledgers: Sequence[LedgerFile]) -> bytes:
    """Return one digest over the paths and bytes of all ledgers."""
    lines = (f"{f.ledger.path} {f.sha256.hex()}\n".encode() for f in ledgers)
    return sha256(b"".join(lines)).digest()


def _superseded(cx: Connection, wanted: bytes, state: State) -> Iterator[int]:
    g = schema.generation.c
    head = state.head.number if state.head else 0
    rows = cx.execute(sa.select(g.number).where(g.manifest == wanted, g.number < head))
    yield from (row[0] for row in rows)


def _plan(cx: Connection, now: LedgerFile, stored: StoredFile) -> FilePlan:
    pages = _read_pages(cx, stored.id)
    window = changed_window(now.segments, pages)
    gone = pages[window.first_page : window.last_page]
    if max(window.last - window.first, sum(page.count for page in gone)) <= RELOAD_FROM:
        old = _read_rows(cx, stored.id, gone[0].pos, gone[-1].last) if gone else []
        plan = plan_window(now.segments, window, pages, old)
        if plan is not None:
            return plan
    return plan_load(now.segments, cleared=sum(page.count for page in pages))


def _plan_removal(cx: Connection, stored: StoredFile) -> FilePlan:
    return plan_load(None, cleared=_row_count(cx, stored.id))


def _row_count(cx: Connection, file_id: int) -> int:
    query = sa.select(sa.func.count()).where(schema.segment.c.file == file_id)
    return cx.scalar(query) or 0


def _whole_files(cx: Connection) -> set[int]:
    """Return the files whose rows add up to the bytes of the file; others are loaded anew."""
    f, s = schema.file.c, schema.segment.c
    sums = cx.execute(sa.select(s.file, sa.func.sum(s.size)).group_by(s.file))
    sizes = {row[0]: int(row[1]) for row in sums}
    wanted = cx.execute(sa.select(f.id, f.size))
    return {row[0] for row in wanted if sizes.get(row[0], 0) == row[1]}


def _read_pages(cx: Connection, file_id: int) -> list[Page]:
    p = schema.page.c
    rows = cx.execute(
        sa.select(p.pos, p.last, p.count, p.size, p.digest).where(p.file == file_id).order_by(p.pos)
    )
    return [Page(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows]


def _read_rows(cx: Connection, file_id: int, first: int, last: int) -> list[Row]:
    s = schema.segment.c
    rows = cx.execute(
        sa.select(s.pos, s.kind, s.ident, s.digest, s.size)
        .where(s.file == file_id, s.pos >= first, s.pos <= last)
        .order_by(s.pos)
    )
    return [Row(row[0], row[1], row[2], bytes(row[3]), row[4]) for row in rows]


def _file_bytes(cx: Connection, stored: StoredFile) -> Iterator[bytes]:
    s, b = schema.segment, schema.blob
    joined = s.join(b, sa.and_(b.c.file == s.c.file, b.c.digest == s.c.digest))
    query = (
        sa.select(b.c.content)
        .select_from(joined)
        .where(s.c.file == stored.id)
        .order_by(s.c.pos)
        .execution_options(yield_per=1000)
    )
    digest = sha256()
    for (content,) in cx.execute(query):
        digest.update(content)
        yield bytes(content)
    if digest.digest() != stored.sha256:
        raise Refused(
            f"{stored.path}: the rebuilt bytes do not match the digest of their generation",
            next_step=REBUILD,
        )

"""Load a whole ledger: COPY on PostgreSQL, executemany on SQLite, streamed from its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count, islice, repeat
from typing import Any

from sqlalchemy.engine import Connection

from autopack.deadline import Deadline
from autopack.io import schema
from autopack.sot.pages import cut_pages
from autopack.sot.plan import GAP
from autopack.sot.segments import Segments

_BATCH = 5_000
_KEYED = ((schema.segment, "file, pos"), (schema.blob, "file, digest"), (schema.page, "file, pos"))


def unkey(cx: Connection) -> None:
    """Drop the keys of new, empty tables on PostgreSQL: building them after the load is faster."""
    if cx.dialect.name == "postgresql":
        for table, _ in _KEYED:
            cx.exec_driver_sql(f"ALTER TABLE {table.name} DROP CONSTRAINT {table.name}_pkey")


def rekey(cx: Connection) -> None:
    """Build the keys and the secondary indexes once the first load is in."""
    if cx.dialect.name == "postgresql":
        for table, key in _KEYED:
            cx.exec_driver_sql(f"ALTER TABLE {table.name} ADD PRIMARY KEY ({key})")
    for statement in schema.SECONDARY:
        cx.exec_driver_sql(statement)


def load_file(cx: Connection, file_id: int, segments: Segments, deadline: Deadline) -> None:
    """Write every segment, blob and page of one file that the index does not hold."""
    digests: list[bytes] = []
    put: Callable[..., None] = _copy if cx.dialect.name == "postgresql" else _insert
    put(cx, schema.blob, ("int2", "bytea", "bytea"), _blobs(file_id, segments, digests), deadline)
    types = ("int2", "int8", "int2", "text", "bytea", "int4")
    put(cx, schema.segment, types, _rows(file_id, segments, digests), deadline)
    positions = range(GAP, GAP * (len(segments) + 1), GAP)
    pages = (
        (file_id, page.pos, page.last, page.count, page.size, page.digest)
        for page in cut_pages(segments, 0, positions)
    )
    put(cx, schema.page, ("int2", "int8", "int8", "int4", "int8", "bytea"), pages, deadline)


def _blobs(
    file_id: int, segments: Segments, digests: list[bytes]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield each distinct content once; leave every segment's digest behind in `digests`."""
    seen: set[bytes] = set()
    data = segments.data
    for start, length in zip(segments.starts, segments.lengths, strict=True):
        content = data[start : start + length]
        digest = sha256(content).digest()
        digests.append(digest)
        if digest not in seen:
            seen.add(digest)
            yield file_id, digest, content


def _rows(file_id: int, segments: Segments, digests: list[bytes]) -> Iterator[tuple[Any, ...]]:
    return zip(
        repeat(file_id), count(GAP, GAP), segments.kinds, segments.idents, digests, segments.lengths
    )


def _copy(
    cx: Connection, table: Any, types: tuple[str, ...], rows: Iterator[Any], deadline: Deadline
) -> None:
    raw: Any = cx.connection.driver_connection
    with (
        raw.cursor() as cursor,
        cursor.copy(f"COPY {table.name} FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(types)
        while batch := list(islice(rows, _BATCH)):
            deadline.check(f"loading {table.name}")
            for row in batch:
                copy.write_row(row)


def _insert(
    cx: Connection, table: Any, types: tuple[str, ...], rows: Iterator[Any], deadline: Deadline
) -> None:
    marks = ", ".join("?" * len(types))
    while batch := list(islice(rows, _BATCH)):
        deadline.check(f"loading {table.name}")
        statement = f"INSERT INTO {table.name} VALUES ({marks})"  # noqa: S608 - our own table
        cx.exec_driver_sql(statement, batch)

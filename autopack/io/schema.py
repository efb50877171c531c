"""Tables of the SOT index: the same on SQLite and PostgreSQL, prefixed `sot_`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

SCHEMA_VERSION = 1

metadata = MetaData()


def _key(name: str, kind: type[Integer] = Integer) -> Column[int]:
    return Column(name, kind, primary_key=True, autoincrement=False)


meta = Table("sot_meta", metadata, Column("name", Text, primary_key=True), Column("value", Text))

generation = Table(
    "sot_generation",
    metadata,
    _key("number"),
    Column("manifest", LargeBinary, nullable=False),
    Column("published_at", Text, nullable=False),
    Column("checkout", Text, nullable=False),
    Column("commit_id", Text),
    Column("program", Text, nullable=False),
    Column("inserted", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("deleted", Integer, nullable=False),
)

head = Table("sot_head", metadata, _key("id"), Column("generation", Integer, nullable=False))

file = Table(
    "sot_file",
    metadata,
    _key("id", SmallInteger),
    Column("path", Text, nullable=False, unique=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("parser", Integer, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("points", Integer, nullable=False),
    Column("counts", Text, nullable=False),
)

segment = Table(
    "sot_segment",
    metadata,
    _key("file", SmallInteger),
    _key("pos", BigInteger),
    Column("kind", SmallInteger, nullable=False),
    Column("ident", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
)

blob = Table(
    "sot_blob",
    metadata,
    _key("file", SmallInteger),
    Column("digest", LargeBinary, primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

page = Table(
    "sot_page",
    metadata,
    _key("file", SmallInteger),
    _key("pos", BigInteger),
    Column("last", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)

finding = Table(
    "sot_finding",
    metadata,
    _key("file", SmallInteger),
    _key("number"),
    Column("code", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("line", Integer),
    Column("message", Text, nullable=False),
)

outbox = Table(
    "sot_outbox",
    metadata,
    _key("file", SmallInteger),
    Column("ident", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
)
"""Ids whose vectors may be behind; the id `*` means every entry of the file."""

SECONDARY = ("CREATE INDEX sot_segment_digest ON sot_segment (file, digest)",)
"""Built after a bulk load, not row by row during it."""

ENTRY_VIEW = """
CREATE VIEW sot_entry AS
SELECT f.path, s.kind, s.ident,
       ROW_NUMBER() OVER (PARTITION BY s.file, s.kind, s.ident ORDER BY s.pos) AS ordinal,
       s.file, s.pos, s.digest, s.size, b.content
FROM sot_segment s
JOIN sot_file f ON f.id = s.file
JOIN sot_blob b ON b.file = s.file AND b.digest = s.digest
"""

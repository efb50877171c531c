"""Bring the vectors in line with the ledgers: what the outbox names, or everything by digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

import sqlalchemy as sa

from autopack.errors import Unreachable
from autopack.io import schema
from autopack.io.files import LedgerFile
from autopack.io.publish import LOCK
from autopack.io.sql import EVERYTHING, Index, manifest
from autopack.io.vectors import Point, VectorIndex
from autopack.sot.entries import Key, key_id, keyed, payload
from autopack.sot.ids import point_id
from autopack.sot.plan import SEARCHED_KINDS
from autopack.sot.query import searchable
from autopack.sot.segments import Kind

if TYPE_CHECKING:
    from autopack.io.locks import Fence

CONTROL = point_id("", "control", "", 0)
"""A point without an entry: its digest says which ledgers the vectors were last made from."""


@dataclass(frozen=True)
class Place:
    """Where an entry stands: its file, its segment and its key."""

    file: LedgerFile
    segment: int
    key: Key

    @property
    def digest(self) -> str:
        """The sha256 of the entry's bytes, in hex."""
        return sha256(self.file.segments.content(self.segment)).hexdigest()


@dataclass(frozen=True)
class Difference:
    """Vectors to write and to delete; `wanted` holds the digest every id must have afterwards.

    `absent` are those of the stale ones that are not held at all.
    """

    stale: dict[str, Place] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    wanted: dict[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """True when there is nothing to write and nothing to delete."""
        return not self.stale and not self.gone


@dataclass(frozen=True)
class Fed:
    """What was written to the vectors."""

    upserted: int = 0
    deleted: int = 0


def places(
    ledgers: Sequence[LedgerFile], idents: Mapping[str, Set[str]] | None = None
) -> Iterator[tuple[str, Place]]:
    """Yield the id and place of every point; `idents` limits it to ids by path."""
    for file in ledgers:
        only = None if idents is None else idents.get(file.ledger.path, frozenset())
        if only is None or only:
            for i, key in keyed(file.segments, only):
                yield key_id(file.ledger, key), Place(file, i, key)


def difference(vectors: VectorIndex, ledgers: Sequence[LedgerFile]) -> Difference:
    """Compare every id and digest that the vectors hold with the ledgers; read-only."""
    held = vectors.digests()
    held.pop(CONTROL, None)
    stale, wanted = {}, {}
    for point, place in places(ledgers):
        wanted[point] = place.digest
        if held.get(point) != wanted[point]:
            stale[point] = place
    gone = tuple(held.keys() - wanted.keys())
    return Difference(stale, gone, wanted, frozenset(stale.keys() - held.keys()))


def feed(
    vectors: VectorIndex, ledgers: Sequence[LedgerFile], todo: Difference, check: Callable[[], None]
) -> Fed:
    """Write a difference, read it back, and mark which ledgers the vectors stand for.

    `check` raises when this run has lost its lock; vectors have no transaction, so it is asked
    while they are written, before what is deleted, and before the mark.

    Raises:
        Unreachable: What is read back is not what was written.
    """
    upserted = vectors.upsert(_checked(_points(todo), check))
    check()
    deleted = vectors.delete(todo.gone) if todo.gone else 0
    _verify(vectors, todo)
    mark = manifest(ledgers).hex()
    check()
    if vectors.read_back([CONTROL]).get(CONTROL) != mark:
        vectors.upsert([Point(CONTROL, mark, "", {"kind": "control", "digest": mark})])
    return Fed(upserted, deleted)


def _checked(points: Iterable[Point], check: Callable[[], None]) -> Iterator[Point]:
    """Ask before every hundredth point."""
    for n, point in enumerate(points):
        if n % 100 == 0:
            check()
        yield point


def _points(todo: Difference) -> Iterator[Point]:
    for point, place in todo.stale.items():
        content = place.file.segments.content(place.segment)
        shown = payload(place.file.ledger, place.key, content, todo.wanted[point])
        text = searchable(shown["title"], content.decode("utf-8", "replace"))
        yield Point(point, todo.wanted[point], text, shown)


def _verify(vectors: VectorIndex, todo: Difference) -> None:
    touched = [*todo.stale, *todo.gone]
    held = vectors.read_back(touched) if touched else {}
    wrong = [p for p in todo.stale if held.get(p) != todo.wanted[p]]
    wrong += [p for p in todo.gone if p in held]
    if wrong:
        raise Unreachable(
            f"{len(wrong)} of {len(touched)} vectors are not what was written",
            next_step="python -m flows.sot_sync --qdrant-only --execute compares every vector",
        )


class Outbox:
    """The ids whose vectors may be behind the published generation."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def todo(self, vectors: VectorIndex, ledgers: Sequence[LedgerFile]) -> Difference:
        """Return what the vectors lack: by the outbox if they stand where it began, else by all."""
        with self.index.database.reading() as cx:
            o, f = schema.outbox.c, schema.file.c
            joined = schema.outbox.outerjoin(schema.file, f.id == o.file)
            rows = cx.execute(sa.select(f.path, o.ident).select_from(joined)).all()
            fed = cx.scalar(sa.select(schema.meta.c.value).where(schema.meta.c.name == "vectors"))
        idents: dict[str, set[str]] = {}
        for path, ident in rows:
            idents.setdefault(path, set()).add(ident)
        whole = any(EVERYTHING in group for group in idents.values())
        if whole or not self._stands(vectors, fed):
            return difference(vectors, ledgers)
        return self._incremental(vectors, ledgers, idents)

    def _stands(self, vectors: VectorIndex, fed: str | None) -> bool:
        """Tell whether the vectors are exactly what the last feeding from here left."""
        if not fed:
            return False
        mark, _, count = fed.partition(":")
        marked = vectors.read_back([CONTROL]).get(CONTROL) == mark
        return marked and vectors.count() == int(count)

    def _incremental(
        self,
        vectors: VectorIndex,
        ledgers: Sequence[LedgerFile],
        idents: Mapping[str, Set[str]],
    ) -> Difference:
        found = dict(places(ledgers, idents))
        wanted = {point: place.digest for point, place in found.items()}
        held = vectors.read_back(list(wanted)) if wanted else {}
        stale = {p: place for p, place in found.items() if held.get(p) != wanted[p]}
        return Difference(stale, tuple(_vanished(vectors, found.values(), idents)), wanted)

    def settle(
        self, vectors: VectorIndex, ledgers: Sequence[LedgerFile], upto: int, fence: Fence
    ) -> None:
        """Empty the outbox up to a generation and remember what the vectors now hold."""
        value = f"{manifest(ledgers).hex()}:{vectors.count()}"
        with self.index.database.writing(LOCK, fence) as cx:
            cx.execute(sa.delete(schema.outbox).where(schema.outbox.c.generation <= upto))
            cx.execute(sa.delete(schema.meta).where(schema.meta.c.name == "vectors"))
            cx.execute(schema.meta.insert(), {"name": "vectors", "value": value})


def _vanished(
    vectors: VectorIndex, found: Iterable[Place], idents: Mapping[str, Set[str]]
) -> Iterator[str]:
    """Yield points of these ids behind their last wanted ordinal, for as long as they are held."""
    last = {
        (path, kind.name.lower(), ident): 0
        for path, group in idents.items()
        for ident in group
        for kind in SEARCHED_KINDS
    }
    for place in found:
        kind = Kind(place.key.kind).name.lower()
        last[place.file.ledger.path, kind, place.key.ident] = place.key.ordinal
    probes = {point_id(*key, ordinal + 1): (key, ordinal + 1) for key, ordinal in last.items()}
    while probes:
        held = vectors.read_back(list(probes))
        yield from held
        found_keys = [probes[point] for point in held]
        probes = {point_id(*key, ordinal + 1): (key, ordinal + 1) for key, ordinal in found_keys}

"""What both vector engines share: points, hits, the protocol and the sparse encoding."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from autopack.errors import UsageError
from autopack.sot.results import Hit

if TYPE_CHECKING:
    from qdrant_edge import Bm25

SPARSE = "bm25"
DENSE = "dense"
BATCH = 500
"""Points in one request; the deadline is checked in between."""
PAGE = 5_000
"""Points in one page of a scroll."""
RRF_K = 60
"""Constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""


@dataclass(frozen=True)
class Point:
    """One entry: its id, the sha256 of its bytes, the text to encode, and what a hit shows."""

    id: str
    digest: str
    text: str
    payload: dict[str, Any]


class Embedder(Protocol):
    """Turns texts into dense vectors. The name must change when the vectors would."""

    name: str
    dim: int

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector of `dim` numbers for each text."""


class VectorIndex(Protocol):
    """What the sync and the search need of a vector engine.

    Every method raises `Unreachable` when the engine fails, and `DeadlineExceeded` when the
    run's time is over.
    """

    def ping(self) -> None:
        """Make sure that the engine answers."""

    def digests(self) -> dict[str, str]:
        """Return the digest of every point held, by id."""

    def read_back(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the digests of those of these points that are held, by id."""

    def count(self) -> int:
        """Return how many points are held."""

    def entry_ids(self) -> dict[str, str]:
        """Return the entry that every point held stands for, by the point's id."""

    def count_by_path(self) -> Counter[str]:
        """Return how many points are held of each ledger file."""

    def upsert(self, points: Iterable[Point]) -> int:
        """Write points and return how many; they are durable when this returns."""

    def delete(self, ids: Sequence[str]) -> int:
        """Delete points and return how many ids were named."""

    def search(self, text: str, limit: int, ledger: str | None = None) -> list[Hit]:
        """Return the best points for a text, best first, of one ledger or of all."""

    def close(self) -> None:
        """Let go of the engine."""


def collection(embedder: Embedder | None) -> str:
    """Return the collection's name: `QDRANT_COLLECTION`, one of its own for each embedder."""
    name = os.environ.get("QDRANT_COLLECTION") or "autopack_sot"
    name = f"{name}_{embedder.name}" if embedder else name
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UsageError(
            f"{name[:80]!r} cannot name a collection",
            next_step="set QDRANT_COLLECTION to letters, digits, _, - and dots",
        )
    return name


def batched(points: Iterable[Point]) -> Iterator[list[Point]]:
    """Yield lists of at most `BATCH` points."""
    rest = iter(points)
    while batch := list(islice(rest, BATCH)):
        yield batch


def sparse_document(text: str) -> tuple[list[int], list[float]]:
    """Return a text's BM25 weights by Qdrant's own encoder, the same for both engines."""
    vector = _bm25().embed_document(text)
    return list(vector.indices), list(vector.values)


def sparse_query(text: str) -> tuple[list[int], list[float]]:
    """Return a query's BM25 weights."""
    vector = _bm25().embed_query(text)
    return list(vector.indices), list(vector.values)


@cache
def _bm25() -> Bm25:
    from qdrant_edge import Bm25, Bm25Config

    return Bm25(Bm25Config())

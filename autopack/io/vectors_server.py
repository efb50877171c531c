"""A Qdrant server over REST: every request is bounded by the run's deadline."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopack.deadline import Deadline
from autopack.errors import AutopackError, DeadlineExceeded, Unreachable
from autopack.io.points import (
    DENSE,
    PAGE,
    SPARSE,
    Embedder,
    Hit,
    Point,
    batched,
    collection,
    sparse_document,
    sparse_query,
)
from autopack.settings import Target, redact

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

REQUEST_S = 10.0
"""Longest wait for one answer, in seconds; the deadline may make it shorter."""


class ServerIndex:
    """One collection of a Qdrant server; a missing one reads as empty."""

    def __init__(
        self, target: Target, deadline: Deadline, embedder: Embedder | None, *, create: bool
    ) -> None:
        self.target = target
        self.deadline = deadline
        self.embedder = embedder
        self.name = collection(embedder)
        self._client = self._connect()
        self.ping()
        with self._translated("opening the collection"):
            self._exists = self._client.collection_exists(self.name)
            if create and not self._exists:
                self._create()

    def ping(self) -> None:
        """Make sure that a Qdrant answers."""
        with self._translated("greeting it"):
            title = self._client.info().title
        if "qdrant" not in title.lower():
            raise self._failure(f"another service answers there: {title[:60]!r}")

    def digests(self) -> dict[str, str]:
        """Return the digest of every point held, by id."""
        found: dict[str, str] = {}
        offset: Any = None
        while self._exists:
            with self._translated("reading vectors"):
                records, offset = self._client.scroll(
                    self.name, limit=PAGE, offset=offset, with_payload=["digest"],
                    with_vectors=False, timeout=self._seconds(),
                )  # fmt: skip
            found.update(_digest(record) for record in records)
            if offset is None:
                break
        return found

    def read_back(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the digests of those of these points that are held, by id."""
        found: dict[str, str] = {}
        for at in range(0, len(ids) if self._exists else 0, PAGE):
            with self._translated("reading vectors back"):
                records = self._client.retrieve(
                    self.name, list(ids[at : at + PAGE]), with_payload=["digest"],
                    with_vectors=False, timeout=self._seconds(),
                )  # fmt: skip
            found.update(_digest(record) for record in records)
        return found

    def count(self) -> int:
        """Return how many points are held."""
        if not self._exists:
            return 0
        with self._translated("counting vectors"):
            return self._client.count(self.name, exact=True, timeout=self._seconds()).count

    def upsert(self, points: Iterable[Point]) -> int:
        """Write points; each request waits until the server has them on disk."""
        written = 0
        for batch in batched(points):
            with self._translated("writing vectors"):
                self._client.upsert(self.name, self._encoded(batch), wait=True)
            written += len(batch)
        return written

    def delete(self, ids: Sequence[str]) -> int:
        """Delete points."""
        from qdrant_client import models

        for at in range(0, len(ids), PAGE):
            selector = models.PointIdsList(points=list(ids[at : at + PAGE]))
            with self._translated("deleting vectors"):
                self._client.delete(self.name, selector, wait=True)
        return len(ids)

    def search(self, text: str, limit: int, ledger: str | None = None) -> list[Hit]:
        """Return the best points, best first."""
        if not self._exists:
            return []
        with self._translated("searching"):
            found = self._client.query_points(
                self.name, **self._request(text, limit, ledger), limit=limit, with_payload=True,
                timeout=self._seconds(),
            )  # fmt: skip
        return [Hit(str(hit.id), hit.score, dict(hit.payload or {})) for hit in found.points]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _seconds(self) -> int:
        return max(1, math.ceil(self.deadline.cap(REQUEST_S, "talking to Qdrant")))

    def _connect(self) -> QdrantClient:
        from qdrant_client import QdrantClient

        with warnings.catch_warnings():
            # An API key over plain HTTP is the operator's choice.
            warnings.simplefilter("ignore")
            return QdrantClient(
                url=self.target.url,
                api_key=self.target.api_key,
                timeout=self._seconds(),
                check_compatibility=False,
            )

    def _create(self) -> None:
        from qdrant_client import models

        dense = {}
        if self.embedder is not None:
            dense[DENSE] = models.VectorParams(
                size=self.embedder.dim, distance=models.Distance.COSINE
            )
        sparse = {SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)}
        self._client.create_collection(
            self.name, vectors_config=dense, sparse_vectors_config=sparse, timeout=self._seconds()
        )
        keyword = models.PayloadSchemaType.KEYWORD
        self._client.create_payload_index(self.name, "ledger", keyword, wait=True)
        self._exists = True

    def _encoded(self, batch: Sequence[Point]) -> list[models.PointStruct]:
        from qdrant_client import models

        dense = self.embedder.encode([p.text for p in batch]) if self.embedder else None
        out = []
        for i, point in enumerate(batch):
            vector: dict[str, Any] = {}
            if point.text:
                indices, values = sparse_document(point.text)
                vector[SPARSE] = models.SparseVector(indices=indices, values=values)
                if dense is not None:
                    vector[DENSE] = dense[i]
            payload = {**point.payload, "digest": point.digest}
            out.append(models.PointStruct(id=point.id, vector=vector, payload=payload))
        return out

    def _request(self, text: str, limit: int, ledger: str | None) -> dict[str, Any]:
        from qdrant_client import models

        match = models.MatchValue(value=ledger) if ledger else None
        only = (
            models.Filter(must=[models.FieldCondition(key="ledger", match=match)])
            if match
            else None
        )
        indices, values = sparse_query(text)
        sparse = models.SparseVector(indices=indices, values=values)
        if self.embedder is None:
            return {"query": sparse, "using": SPARSE, "query_filter": only}
        dense = self.embedder.encode([text])[0]
        pairs: list[tuple[Any, str]] = [(sparse, SPARSE), (dense, DENSE)]
        both = [
            models.Prefetch(query=query, using=using, limit=limit * 4, filter=only)
            for query, using in pairs
        ]
        return {"query": models.FusionQuery(fusion=models.Fusion.RRF), "prefetch": both}

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Turn the client's errors into one line that holds no secret."""
        from pydantic import ValidationError
        from qdrant_client.http.exceptions import ApiException, UnexpectedResponse

        self.deadline.check(doing)
        try:
            yield
        except UnexpectedResponse as error:
            raise self._refused(doing, error) from None
        except (ApiException, ValidationError, ValueError) as error:
            raise self._silent(doing, error) from None

    def _refused(self, doing: str, error: Any) -> Unreachable:
        if error.status_code in {401, 403}:
            return self._failure("it rejects the API key", "set QDRANT_API_KEY to the server's key")
        body = redact(" ".join((error.content or b"").decode("utf-8", "replace").split()))
        return self._failure(f"HTTP {error.status_code} while {doing}: {body[:160]}")

    def _silent(self, doing: str, error: Exception) -> AutopackError:
        source = getattr(error, "source", error)
        if "Timeout" in type(source).__name__:
            if self.deadline.remaining() < 1:
                return DeadlineExceeded(
                    f"--max-seconds {self.deadline.max_seconds:g} ran out while {doing} at Qdrant "
                    f"{self.target.shown}",
                    next_step="run again with a larger --max-seconds, or check that Qdrant answers",
                )
            return self._failure(f"no answer while {doing}")
        reason = redact(" ".join(str(source).split()))[:160]
        return self._failure(f"{reason or type(source).__name__} while {doing}")

    def _failure(self, reason: str, hint: str = "") -> Unreachable:
        return Unreachable(
            f"Qdrant {self.target.shown}: {reason}",
            next_step=hint or f"check {self.target.source} and that Qdrant runs there",
        )


def _digest(record: Any) -> tuple[str, str]:
    return str(record.id), (record.payload or {}).get("digest", "")

"""A Qdrant server over REST: every request is bounded by the run's deadline."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from autopack.deadline import Deadline
from autopack.errors import AutopackError, DeadlineExceeded, Unreachable
from autopack.io.points import (
    DENSE,
    PAGE,
    RRF_K,
    SPARSE,
    Embedder,
    Point,
    batched,
    collection,
    sparse_document,
    sparse_query,
)
from autopack.settings import Target, redact
from autopack.sot.results import Hit

if TYPE_CHECKING:
    from qdrant_client import QdrantClient, models

REQUEST_S = 10.0
"""Longest wait for one answer, in seconds; the deadline may make it shorter."""
OLDEST = (1, 10)
"""The first version that weighs words by how rare they are, and has the query API."""
OLDEST_FUSING = (1, 16)
"""The first version whose fusion takes a constant; asked for with an embedder only."""


_LATER = "run again a little later"


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
        try:
            self.ping()
            self._exists = self._found()
            if create:
                self._prepare()
        except BaseException:
            self.close()
            raise

    def ping(self) -> None:
        """Make sure that a Qdrant answers, and one that is not too old."""
        with self._translated("greeting it"):
            info = self._client.info()
        if "qdrant" not in info.title.lower():
            reason = f"another service answers there: {info.title[:60]!r}"
            raise self._failure(reason, permanent=True)
        oldest = OLDEST_FUSING if self.embedder else OLDEST
        version = re.match(r"v?(\d+)\.(\d+)", info.version)
        if version and (int(version[1]), int(version[2])) < oldest:
            needed = ".".join(map(str, oldest))
            raise self._failure(
                f"it is version {info.version[:20]}, and {needed} or newer is needed",
                "upgrade that server, or use --qdrant-host embedded",
                permanent=True,
            )

    def digests(self) -> dict[str, str]:
        """Return the digest of every point held, by id."""
        return dict(self._scroll("digest"))

    def entry_ids(self) -> dict[str, str]:
        """Return the entry that every point held stands for, by the point's id."""
        return dict(self._scroll("entry_id"))

    def count_by_path(self) -> Counter[str]:
        """Return how many points are held of each ledger file."""
        return Counter(path for _, path in self._scroll("path") if path)

    def _scroll(self, field: str) -> Iterator[tuple[str, str]]:
        offset: Any = None
        while self._exists:
            with self._translated("reading vectors"):
                records, offset = self._client.scroll(
                    self.name, limit=PAGE, offset=offset, with_payload=[field],
                    with_vectors=False,
                )  # fmt: skip
            for record in records:
                yield str(record.id), (record.payload or {}).get(field, "")
            if offset is None:
                return

    def read_back(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the digests of those of these points that are held, by id."""
        found: dict[str, str] = {}
        for at in range(0, len(ids) if self._exists else 0, PAGE):
            with self._translated("reading vectors back"):
                records = self._client.retrieve(
                    self.name, list(ids[at : at + PAGE]), with_payload=["digest"],
                    with_vectors=False,
                )  # fmt: skip
            found.update(_digest(record) for record in records)
        return found

    def count(self) -> int:
        """Return how many points are held."""
        if not self._exists:
            return 0
        with self._translated("counting vectors"):
            return self._client.count(self.name, exact=True).count

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
                self.name, **self._request(text, limit, ledger), limit=limit, with_payload=True
            )  # fmt: skip
        return [Hit(str(hit.id), hit.score, dict(hit.payload or {})) for hit in found.points]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _connect(self) -> QdrantClient:
        from qdrant_client import QdrantClient

        from autopack.io.qdrant_http import hooks

        with warnings.catch_warnings():
            # An API key over plain HTTP is the operator's choice.
            warnings.simplefilter("ignore")
            return QdrantClient(
                url=self.target.url,
                api_key=self.target.api_key,
                check_compatibility=False,
                event_hooks=hooks(self.deadline, REQUEST_S),
            )

    def _found(self) -> bool:
        with self._translated("looking for the collection"):
            return self._client.collection_exists(self.name)

    def _prepare(self) -> None:
        """Make the collection, or make sure that the one that is there can take our points."""
        if not self._exists:
            try:
                with self._translated("making the collection"):
                    self._create()
            except Unreachable:
                if not self._found():  # another run may have been faster
                    raise
            self._exists = True
        with self._translated("reading the collection"):
            info = self._client.get_collection(self.name)
        sparse = (info.config.params.sparse_vectors or {}).get(SPARSE)
        if sparse is None or str(getattr(sparse.modifier, "value", "")) != "idf":
            raise self._failure(
                f"its collection {self.name!r} was made for something else",
                "delete or rename that collection, or set QDRANT_COLLECTION to another name",
                permanent=True,
            )
        if "ledger" not in (info.payload_schema or {}):
            self._make_index()

    def _create(self) -> None:
        from qdrant_client import models

        dense = {}
        if self.embedder is not None:
            dense[DENSE] = models.VectorParams(
                size=self.embedder.dim, distance=models.Distance.COSINE
            )
        sparse = {SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)}
        self._client.create_collection(
            self.name, vectors_config=dense, sparse_vectors_config=sparse
        )

    def _make_index(self) -> None:
        """Index the ledgers' names: a strict server refuses to filter by what is not indexed."""
        from qdrant_client import models

        keyword = models.PayloadSchemaType.KEYWORD
        with self._translated("indexing the collection"):
            self._client.create_payload_index(self.name, "ledger", keyword, wait=True)

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
        return {"query": models.RrfQuery(rrf=models.Rrf(k=RRF_K)), "prefetch": both}

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Turn the client's errors into one line that holds no secret."""
        from pydantic import ValidationError
        from qdrant_client.common.client_exceptions import QdrantException
        from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

        self.deadline.check(doing)
        try:
            yield
        except UnexpectedResponse as error:
            raise self._refused(doing, error) from None
        except ResponseHandlingException as error:
            raise self._silent(doing, error.source) from None
        except QdrantException as error:
            raise self._failure(f"too busy while {doing}: {_short(error)}", _LATER) from None
        except (ValidationError, ValueError, AssertionError) as error:
            raise self._silent(doing, error) from None

    def _refused(self, doing: str, error: Any) -> Unreachable:
        if error.status_code in {401, 403}:
            hint = "set QDRANT_API_KEY to the server's key"
            return self._failure("it rejects the API key", hint, permanent=True)
        body = _short((error.content or b"").decode("utf-8", "replace"))
        reason = f"HTTP {error.status_code} while {doing}{': ' if body else ''}{body}"
        return self._failure(reason, _LATER if error.status_code == 429 else "")

    def _silent(self, doing: str, error: Any) -> Exception:
        from pydantic import ValidationError

        if isinstance(error, AutopackError):  # the run was interrupted inside the client
            return error
        if "Timeout" in type(error).__name__:
            if self.deadline.remaining() < 1:
                return DeadlineExceeded(
                    f"--max-seconds {self.deadline.max_seconds:g} ran out while {doing} at Qdrant "
                    f"{self.target.shown}",
                    next_step="run again with a larger --max-seconds, or check that Qdrant answers",
                )
            return self._failure(f"no answer while {doing}")
        if isinstance(error, ValidationError | ValueError | AssertionError):
            reason = f"its answer is not one of Qdrant's while {doing}"
            return self._failure(reason, permanent=True)
        return self._failure(f"{_short(error) or type(error).__name__} while {doing}")

    def _failure(self, reason: str, hint: str = "", *, permanent: bool = False) -> Unreachable:
        return Unreachable(
            f"Qdrant {self.target.shown}: {reason}",
            next_step=hint or f"check {self.target.source} and that Qdrant runs there",
            permanent=permanent,
        )


def _short(text: object) -> str:
    return redact(" ".join(str(text).split()))[:160]


def _digest(record: Any) -> tuple[str, str]:
    return str(record.id), (record.payload or {}).get("digest", "")

"""Qdrant's engine inside this process: one shard, one process at a time, rebuilt when damaged."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopack.deadline import Deadline
from autopack.errors import Unreachable
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
from autopack.io.shard_guards import (
    ROOM_TO_READ,
    ROOM_TO_WRITE,
    acquire,
    need_room,
    quiet,
)
from autopack.settings import Target
from autopack.sot.results import Hit

if TYPE_CHECKING:
    from qdrant_edge import EdgeConfig, EdgeShard, Filter

OPTIMIZE_FROM = 1_000
"""After writing this many points the engine is asked to optimize: large shards then open fast."""
OPTIMIZE_S = 30.0
"""Seconds that must be left for that: it takes 2 s at 100,000 points and can't be interrupted."""
_SYSTEM = (
    "No space left",
    "Permission denied",
    "Read-only file system",
    "Too many open files",
    "Cannot allocate memory",
)
"""What the engine says when the machine fails it, not its files."""


class EmbeddedIndex:
    """One shard below `.autonomous_runs/_index/`; a missing one reads as empty."""

    def __init__(
        self, target: Target, deadline: Deadline, embedder: Embedder | None, *, create: bool
    ) -> None:
        self.deadline = deadline
        self.writable = create
        self.embedder = embedder
        self.folder = Path(target.url)
        self.path = self.folder / collection(embedder)
        self._lock: int | None = None
        self._shard: EdgeShard | None = None
        if not create and not self.path.exists():
            return
        with self._translated("opening"):
            if create:
                self.folder.mkdir(parents=True, exist_ok=True)
            need_room(self.folder, ROOM_TO_WRITE if create else ROOM_TO_READ)
            self._lock = acquire(self.folder, deadline)
        try:
            self._shard = self._open()
        except BaseException:
            self.close()
            raise

    def ping(self) -> None:
        """Nothing to ask: opening the shard was the question."""

    def digests(self) -> dict[str, str]:
        """Return the digest of every point held, by id."""
        return dict(self._scroll("digest"))

    def entry_ids(self) -> dict[str, str]:
        """Return the entry that every point held stands for, by the point's id."""
        return dict(self._scroll("entry_id"))

    def count_by_path(self) -> Counter[str]:
        """Return how many points are held of each ledger file."""
        return Counter(path for _, path in self._scroll("path") if path)

    def read_back(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the digests of those of these points that are held, by id."""
        if self._shard is None:
            return {}
        found: dict[str, str] = {}
        with self._translated("reading"):
            for at in range(0, len(ids), PAGE):
                self.deadline.check("reading vectors back")
                records = self._shard.retrieve(
                    list(ids[at : at + PAGE]), with_payload=["digest"], with_vector=False
                )
                found.update((str(r.id), (r.payload or {}).get("digest", "")) for r in records)
        return found

    def count(self) -> int:
        """Return how many points are held."""
        from qdrant_edge import CountRequest

        if self._shard is None:
            return 0
        with self._translated("counting"):
            # `info()` counts a point twice after a kill right behind `optimize`.
            return int(self._shard.count(CountRequest(exact=True)))

    def upsert(self, points: Iterable[Point]) -> int:
        """Write points; durable when this returns."""
        from qdrant_edge import UpdateOperation

        shard, written = self._open_shard(), 0
        for batch in batched(points):
            self.deadline.check("writing vectors")
            need_room(self.folder, ROOM_TO_WRITE + 4 * sum(len(p.text) for p in batch))
            with self._translated("writing"):
                shard.update(UpdateOperation.upsert_points(self._encoded(batch)))
            written += len(batch)
        with self._translated("writing"):
            shard.flush()
            if written >= OPTIMIZE_FROM and self._may_optimize() and shard.optimize():
                shard.flush()
        return written

    def delete(self, ids: Sequence[str]) -> int:
        """Delete points; durable when this returns."""
        from qdrant_edge import UpdateOperation

        shard = self._open_shard()
        with self._translated("deleting"):
            for at in range(0, len(ids), PAGE):
                self.deadline.check("deleting vectors")
                shard.update(UpdateOperation.delete_points(list(ids[at : at + PAGE])))
            shard.flush()
        return len(ids)

    def search(self, text: str, limit: int, ledger: str | None = None) -> list[Hit]:
        """Return the best points, best first."""
        if self._shard is None:
            return []
        with self._translated("searching"):
            found = self._shard.query(self._request(text, limit, ledger))
        return [Hit(str(hit.id), float(hit.score), dict(hit.payload or {})) for hit in found]

    def close(self) -> None:
        """Close the shard and let the next process in."""
        shard, self._shard = self._shard, None
        lock, self._lock = self._lock, None
        try:
            if shard is not None:
                shard.close()
        finally:
            if lock is not None:
                os.close(lock)

    def _open_shard(self) -> EdgeShard:
        if self._shard is None:
            raise RuntimeError("opened for reading: nothing may be written")
        return self._shard

    def _may_optimize(self) -> bool:
        """Return whether there is time for it, and room for a second copy of the segments."""
        size = sum(f.stat().st_blocks for f in self.path.rglob("*")) * 512
        room = shutil.disk_usage(self.folder).free - ROOM_TO_WRITE
        return self.deadline.remaining() > OPTIMIZE_S and room > 2 * size

    def _open(self) -> EdgeShard:
        """Load the shard, or make it. A damaged one is set aside when writing: it is derived."""
        from qdrant_edge import EdgeShard

        if self.path.exists():
            try:
                with self._translated("opening"), quiet():
                    return EdgeShard.load(str(self.path))
            except Unreachable:
                if self.path.exists():
                    raise
        with self._translated("creating"):
            # Made beside its place: a shard that stands there is whole.
            fresh = self.path.with_name(f"{self.path.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            self._create(fresh)
            fresh.rename(self.path)
            return EdgeShard.load(str(self.path))

    def _create(self, folder: Path) -> None:
        from qdrant_edge import EdgeShard, KeywordIndexParams, Memory, UpdateOperation

        shard = EdgeShard.create(str(folder), self._config())
        # Without it, a search for a ledger with few entries reads every point: 0.6 s at 100,000.
        by_ledger = KeywordIndexParams(memory=Memory.Cold)
        shard.update(UpdateOperation.create_field_index("ledger", by_ledger))
        shard.flush()
        shard.close()

    def _config(self) -> EdgeConfig:
        from qdrant_edge import (
            Distance,
            EdgeConfig,
            EdgeSparseVectorParams,
            EdgeVectorParams,
            Modifier,
        )

        dense = {}
        if self.embedder is not None:
            dense[DENSE] = EdgeVectorParams(size=self.embedder.dim, distance=Distance.Cosine)
        sparse = {SPARSE: EdgeSparseVectorParams(modifier=Modifier.Idf)}
        return EdgeConfig(vectors=dense, sparse_vectors=sparse)

    def _encoded(self, batch: Sequence[Point]) -> list[Any]:
        from qdrant_edge import Point as EdgePoint
        from qdrant_edge import SparseVector

        dense = self.embedder.encode([p.text for p in batch]) if self.embedder else None
        out = []
        for i, point in enumerate(batch):
            vector: dict[str, Any] = {}
            if point.text:
                vector[SPARSE] = SparseVector(*sparse_document(point.text))
                if dense is not None:
                    vector[DENSE] = dense[i]
            out.append(EdgePoint(point.id, vector, {**point.payload, "digest": point.digest}))
        return out

    def _request(self, text: str, limit: int, ledger: str | None) -> Any:
        from qdrant_edge import Fusion, Prefetch, Query, QueryRequest, SparseVector

        only = _ledger_filter(ledger)
        sparse = Query.Nearest(SparseVector(*sparse_query(text)), using=SPARSE)
        if self.embedder is None:
            return QueryRequest(limit=limit, query=sparse, filter=only, with_payload=True)
        dense = Query.Nearest(self.embedder.encode([text])[0], using=DENSE)
        both = [Prefetch(limit=limit * 4, query=q, filter=only) for q in (sparse, dense)]
        fused: Any = Fusion.Rrf(k=RRF_K)  # the stub calls it unrelated to Fusion
        return QueryRequest(limit=limit, query=fused, prefetches=both, with_payload=True)

    def _scroll(self, field: str) -> Iterator[tuple[str, str]]:
        from qdrant_edge import ScrollRequest

        offset = None
        while self._shard is not None:
            self.deadline.check("reading vectors")
            with self._translated("reading"):
                request = ScrollRequest(
                    offset=offset, limit=PAGE, with_payload=[field], with_vector=False
                )
                records, offset = self._shard.scroll(request)
            for record in records:
                yield str(record.id), (record.payload or {}).get(field, "")
            if offset is None:
                return

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Turn the engine's errors, panics included, into one line."""
        try:
            yield
        except OSError as error:
            raise self._failure(doing, error.strerror or str(error)) from None
        except BaseException as error:
            # The engine raises plain `Exception`; a Rust panic is no `Exception` at all.
            if type(error) is not Exception and type(error).__name__ != "PanicException":
                raise
            said = " ".join(str(error).split())[:200]
            if self.writable and not any(known in said for known in _SYSTEM):
                self._set_aside()
                said += "; it was set aside"
            raise self._failure(doing, said) from None

    def _failure(self, doing: str, reason: str) -> Unreachable:
        hint = "python -m flows.sot_sync --full --execute --qdrant-host embedded rebuilds it"
        if any(known in reason for known in _SYSTEM):
            hint = f"make {self.folder} writable with free space, then run again"
        # What a writer found damaged is set aside: another try finds its place free.
        text = f"embedded Qdrant, {doing}: {reason}"
        return Unreachable(text, next_step=hint, permanent=not self.writable)

    def _set_aside(self) -> None:
        """Move a shard that fails out of the way; whoever opens it next makes a new one."""
        shard, self._shard = self._shard, None
        if shard is not None:
            with suppress(BaseException):  # it may panic once more
                shard.close()
        aside = self.path.with_name(f"{self.path.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        with suppress(OSError):
            self.path.rename(aside)


def _ledger_filter(ledger: str | None) -> Filter | None:
    from qdrant_edge import FieldCondition, Filter, MatchValue

    if ledger is None:
        return None
    return Filter(must=[FieldCondition(key="ledger", match=MatchValue(ledger))])

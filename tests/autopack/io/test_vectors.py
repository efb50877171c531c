"""Both vector engines: the same answers, nothing created by reading, errors in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, UsageError
from autopack.io.vectors import Point, VectorIndex, open_vectors
from autopack.settings import Target, qdrant_target
from tests.autopack.io.points import Letters, point


@pytest.fixture(params=["embedded", "server"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    if request.param == "server":
        found = qdrant_target(request.getfixturevalue("qdrant_server").host, tmp_path, {})
    else:
        found = qdrant_target("embedded", tmp_path, {})
    assert found
    return found


@pytest.fixture
def index(target: Target) -> Callable[..., VectorIndex]:
    return lambda create=True, **more: open_vectors(
        target, Deadline.after(60), create=create, **more
    )


def test_what_is_written_is_read_back(index) -> None:
    vectors = index()
    points = [point(n) for n in range(20)]
    assert vectors.upsert(points) == 20
    assert vectors.count() == 20
    assert vectors.digests() == {p.id: p.digest for p in points}
    assert vectors.read_back([points[3].id, point(99).id]) == {points[3].id: points[3].digest}
    vectors.close()
    again = index()
    assert again.count() == 20
    assert again.delete([points[0].id]) == 1
    assert points[0].id not in again.digests()
    again.close()


def test_a_second_upsert_replaces(index) -> None:
    vectors = index()
    vectors.upsert([point(1)])
    vectors.upsert([point(1, "other words")])
    assert vectors.digests() == {point(1).id: point(1, "other words").digest}
    vectors.close()


def test_many_points_come_back_over_many_pages(index, monkeypatch) -> None:
    monkeypatch.setattr("autopack.io.vectors_embedded.PAGE", 30)
    monkeypatch.setattr("autopack.io.vectors_server.PAGE", 30)
    monkeypatch.setattr("autopack.io.points.BATCH", 30)
    vectors = index()
    vectors.upsert(point(n) for n in range(100))
    ids = [point(n).id for n in range(100)]
    assert len(vectors.digests()) == len(vectors.read_back(ids)) == 100
    vectors.delete(ids[:70])
    assert vectors.count() == 30
    vectors.close()


def test_search_ranks_by_words_and_filters_by_ledger(index) -> None:
    vectors = index()
    vectors.upsert(
        [
            point(1, "the lock of the queue is stale"),
            point(2, "retry policy of the network"),
            point(3, "a stale lock blocks the queue", "DEBUG_LOG"),
            Point(point(4).id, "0" * 64, "", {"kind": "control"}),
        ]
    )
    found = vectors.search("stale locks", 10)
    assert {hit.payload["n"] for hit in found} == {1, 3}
    assert [hit.payload["n"] for hit in vectors.search("stale locks", 10, "DEBUG_LOG")] == [3]
    assert found[0].score >= found[1].score > 0
    assert vectors.search("nothing of that kind", 10) == []
    vectors.close()


def test_both_engines_rank_alike(qdrant_server, tmp_path: Path) -> None:
    texts = [f"{w} {v} lock queue" for w in ("stale", "fresh", "retry") for v in ("disk", "net")]
    rankings = []
    for host in ("embedded", qdrant_server.host):
        target = qdrant_target(host, tmp_path, {})
        assert target
        vectors = open_vectors(target, Deadline.after(60), create=True)
        vectors.upsert(point(n, text) for n, text in enumerate(texts))
        rankings.append([(h.id, round(h.score, 4)) for h in vectors.search("stale disk", 2)])
        vectors.close()
    assert rankings[0] == rankings[1]


def test_dense_vectors_join_the_ranking(index) -> None:
    vectors = index(embedder=Letters())
    vectors.upsert([point(1, "banana"), point(2, "kiwi"), point(3, "lock")])
    found = vectors.search("papaya", 3)
    assert found[0].payload["n"] == 1
    vectors.close()
    assert index(create=False).count() == 0, "each embedder has a collection of its own"


def test_reading_what_is_not_there_creates_nothing(index, target, tmp_path: Path) -> None:
    vectors = index(create=False)
    assert vectors.digests() == {}
    assert vectors.count() == 0
    assert vectors.read_back([point(1).id]) == {}
    assert vectors.search("x", 5) == []
    vectors.close()
    assert not (tmp_path / ".autonomous_runs").exists()


def test_a_collection_has_the_name_that_is_set(index, monkeypatch) -> None:
    monkeypatch.setenv("QDRANT_COLLECTION", "mine-1.5")
    mine = index()
    mine.upsert([point(1)])
    mine.close()
    monkeypatch.setenv("QDRANT_COLLECTION", "mine-1.6")
    assert index(create=False).count() == 0
    monkeypatch.setenv("QDRANT_COLLECTION", "../mine")
    with pytest.raises(UsageError, match="cannot name a collection"):
        index()


def test_a_passed_deadline_stops_between_batches(target, monkeypatch) -> None:
    monkeypatch.setattr("autopack.io.points.BATCH", 2)
    now = [0.0]
    vectors = open_vectors(target, Deadline.after(60, clock=lambda: now[0]), create=True)

    def points():
        for n in range(10):
            if n == 4:
                now[0] = 61.0
            yield point(n)

    with pytest.raises(DeadlineExceeded):
        vectors.upsert(points())
    vectors.close()

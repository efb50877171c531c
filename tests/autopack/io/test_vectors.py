"""Both vector engines: the same answers, nothing created by reading, errors in one line."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest

from autopack.deadline import Deadline
from autopack.errors import AutopackError, Busy, DeadlineExceeded, Unreachable
from autopack.io.vectors import Point, VectorIndex, open_vectors
from autopack.settings import Target, qdrant_target
from tests.support import session


def point(n: int, text: str | None = None, ledger: str = "BUILD_HISTORY") -> Point:
    words = text or f"entry number {n} about topic{n}"
    digest = hashlib.sha256(words.encode()).hexdigest()
    return Point(str(uuid5(NAMESPACE_URL, str(n))), digest, words, {"n": n, "ledger": ledger})


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


class Letters:
    """A dense embedder that can be computed by hand: how often each vowel occurs."""

    name, dim = "letters", 5

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        return [[text.count(vowel) + 0.01 for vowel in "aeiou"] for text in texts]


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


# --- the embedded engine ----------------------------------------------------------------------


@pytest.fixture
def embedded(tmp_path: Path) -> Target:
    found = qdrant_target("embedded", tmp_path, {})
    assert found
    return found


def test_a_second_process_waits_and_names_the_first(embedded: Target) -> None:
    first = open_vectors(embedded, Deadline.after(60), create=True)
    with pytest.raises(Busy, match=r"in use by process \d+"):
        open_vectors(embedded, Deadline.after(0.2), create=False)
    first.close()
    open_vectors(embedded, Deadline.after(5), create=False).close()


def test_a_damaged_shard_is_named_by_a_reader_and_rebuilt_by_a_writer(embedded: Target) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    vectors.upsert([point(1)])
    vectors.close()
    shard = Path(embedded.url) / "autopack_sot"
    (shard / "edge_config.json").write_text("{")
    with pytest.raises(Unreachable, match="sot_sync --full --execute"):
        open_vectors(embedded, Deadline.after(60), create=False)
    rebuilt = open_vectors(embedded, Deadline.after(60), create=True)
    assert rebuilt.count() == 0
    rebuilt.close()


WRITER = """
import sys
from autopack.deadline import Deadline
from autopack.io.vectors import open_vectors
from autopack.settings import Target
from tests.autopack.io.test_vectors import point
vectors = open_vectors(Target(sys.argv[1], "embedded", "test"), Deadline.after(60), create=True)
print("open", flush=True)
for start in range(0, 5000, 50):
    vectors.upsert(point(n) for n in range(start, start + 50))
    print(start + 50, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_reported(embedded: Target, soak_rounds) -> None:
    env = session.clean_environment()
    for turn in range(soak_rounds(8, 200)):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, embedded.url],
            stdout=subprocess.PIPE, text=True, env=env, cwd=session.REPOSITORY,
        )  # fmt: skip
        assert child.stdout
        assert child.stdout.readline() == "open\n"
        time.sleep(0.013 * (turn % 13))
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        vectors = open_vectors(embedded, Deadline.after(60), create=True)
        done = int(said[-1]) if said else 0
        held = vectors.read_back([point(n).id for n in range(done)])
        assert held == {point(n).id: point(n).digest for n in range(done)}
        vectors.close()


# --- the server -------------------------------------------------------------------------------


def server_error(host: str, seconds: float = 5.0, env: dict[str, str] | None = None) -> str:
    target = qdrant_target(host, Path("/nonexistent"), env or {})
    assert target
    with pytest.raises(AutopackError) as caught:
        open_vectors(target, Deadline.after(seconds), create=True)
    assert isinstance(caught.value, Unreachable | DeadlineExceeded)
    assert caught.value.next_step
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_dead_port_is_unreachable(dead_port: int) -> None:
    assert "Connection refused" in server_error(f"127.0.0.1:{dead_port}")


def test_a_black_hole_ends_with_the_deadline(black_hole: int) -> None:
    began = time.monotonic()
    server_error(f"127.0.0.1:{black_hole}", seconds=1.5)
    assert time.monotonic() - began < 10


def test_another_service_is_not_taken_for_qdrant(tmp_path: Path) -> None:
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert "Qdrant http://127.0.0.1" in server_error(f"127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_a_wrong_api_key_is_named_and_never_shown(serve_qdrant) -> None:
    server = serve_qdrant(api_key="right-key")
    said = server_error(server.host, env={"QDRANT_API_KEY": "wrong-key"})
    assert "rejects the API key" in said
    assert "QDRANT_API_KEY" in said
    assert "wrong-key" not in said
    target = qdrant_target(server.host, Path("/nonexistent"), {"QDRANT_API_KEY": "right-key"})
    assert target
    open_vectors(target, Deadline.after(30), create=True).close()


def test_a_server_that_dies_midway_is_unreachable(qdrant_server) -> None:
    target = qdrant_target(qdrant_server.host, Path("/nonexistent"), {})
    assert target
    vectors = open_vectors(target, Deadline.after(30), create=True)
    qdrant_server.kill()
    with pytest.raises(Unreachable, match="while writing vectors"):
        vectors.upsert([point(1)])
    vectors.close()

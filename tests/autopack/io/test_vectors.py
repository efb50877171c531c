"""Both vector engines: the same answers, nothing created by reading, errors in one line."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest

from autopack.deadline import Deadline
from autopack.errors import AutopackError, Busy, DeadlineExceeded, Unreachable
from autopack.io.vectors import Point, VectorIndex, open_vectors
from autopack.settings import Target, qdrant_target
from tasks.timing import time_limit
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


def test_damage_that_only_reading_shows_is_mended_by_the_next_writer(embedded: Target) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    vectors.upsert(point(n) for n in range(50))
    vectors.close()
    (page,) = (Path(embedded.url) / "autopack_sot").rglob("payload_storage/page_0.dat")
    with page.open("r+b") as file:
        file.write(b"\xff" * 4096)
    reader = open_vectors(embedded, Deadline.after(60), create=False)
    with pytest.raises(Unreachable, match="sot_sync --full --execute"):
        reader.digests()
    reader.close()
    writer = open_vectors(embedded, Deadline.after(60), create=True)
    with pytest.raises(Unreachable, match="set aside"):
        writer.digests()
    writer.close()
    again = open_vectors(embedded, Deadline.after(60), create=True)
    assert again.digests() == {}
    again.close()


def test_a_panic_of_the_engine_prints_nothing(embedded: Target, capfd) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    vectors.upsert([point(1)])
    vectors.close()
    (status,) = (Path(embedded.url) / "autopack_sot").rglob("deleted/status.dat")
    status.write_bytes(b"")
    with pytest.raises(Unreachable, match="index out of bounds"):
        open_vectors(embedded, Deadline.after(60), create=False)
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_stops_before_the_engine_is_killed_by_it(embedded, monkeypatch) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    usage = shutil.disk_usage(embedded.url)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(Unreachable, match=r"0 MB free.*free some disk space"):
        vectors.upsert([point(1)])
    vectors.close()
    with pytest.raises(Unreachable, match="16 needed"):
        open_vectors(embedded, Deadline.after(60), create=False)


WRITER = """
import sys
from autopack.deadline import Deadline
from autopack.io.vectors import open_vectors
from autopack.settings import Target
from tests.autopack.io.test_vectors import point
import qdrant_edge
print("start", flush=True)
vectors = open_vectors(Target(sys.argv[1], "embedded", "test"), Deadline.after(60), create=True)
for start in range(0, 5000, 50):
    vectors.upsert(point(n) for n in range(start, start + 50))
    print(start + 50, flush=True)
    vectors.delete([point(start + 1).id])
    vectors.upsert([point(start + 1)])
"""


def test_a_killed_writer_loses_nothing_it_reported_and_the_next_one_converges(
    embedded: Target, soak_rounds
) -> None:
    rounds = soak_rounds(15, 300)
    env = session.clean_environment()
    moments = random.Random(rounds)
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, embedded.url],
            stdout=subprocess.PIPE, text=True, env=env, cwd=session.REPOSITORY,
        )  # fmt: skip
        assert child.stdout
        assert child.stdout.readline() == "start\n"
        time.sleep(moments.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        vectors = open_vectors(embedded, Deadline.after(60), create=True)
        done = int(said[-1]) if said else 0
        held = vectors.digests()
        lost = {point(n).id for n in range(done)} - held.keys()
        assert lost <= {point(done + 1 - 50).id}, "it was being deleted and written again"
        wanted = {point(n).id: point(n).digest for n in range(1000)}
        vectors.upsert(point(n) for n in range(1000) if point(n).id not in held)
        vectors.delete(sorted(held.keys() - wanted.keys()))
        assert vectors.digests() == wanted
        assert vectors.count() == len(wanted)
        assert vectors.search("topic17", 1)[0].payload["n"] == 17
        vectors.delete(sorted(wanted)[:500])
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


Answer = Callable[[BaseHTTPRequestHandler], None]
GREETING = {"title": "qdrant - vector search engine", "version": "1.20.0"}


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], str]]:
    """Return a function that starts a server with this answer to everything."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def saying(status: int, body: object, **headers: str) -> Answer:
    """Answer with this status and body; a greeting is a greeting."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def greeting_then(answer: Answer) -> Answer:
    greet = saying(200, GREETING)
    return lambda handler: greet(handler) if handler.path == "/" else answer(handler)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (saying(200, b"hello"), "not one of Qdrant's"),
        (saying(200, b""), "not one of Qdrant's"),
        (saying(200, None), "not one of Qdrant's"),
        (saying(200, {"tagline": "You Know, for Search"}), "not one of Qdrant's"),
        (saying(200, {"title": "chroma", "version": "1.0"}), "another service answers there"),
        (saying(200, GREETING | {"version": "1.7.4"}), "version 1.7.4, and 1.10 or newer"),
        (saying(404, b"no"), "HTTP 404"),
        (saying(302, b"", Location="http://127.0.0.1:1/"), "HTTP 302"),
        (saying(429, {"status": {"error": "slow down"}}, Retry_After="3"), "run again a little"),
        (saying(429, {}), "run again a little later"),
        (greeting_then(saying(403, b"")), "rejects the API key"),
        (greeting_then(saying(200, None)), "not one of Qdrant's"),
        (greeting_then(saying(500, {"status": {"error": "No space left"}})), "No space left"),
    ],
)  # fmt: skip
def test_a_strange_answer_is_one_line(answering, capfd, answer: Answer, said: str) -> None:
    assert said in server_error(answering(answer))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("then", [lambda a: a, greeting_then])
def test_a_peer_that_drips_ends_with_the_deadline(answering, then) -> None:
    stop = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not stop.wait(0.1):
            handler.wfile.write(b" ")

    began = time.monotonic()
    try:
        assert "--max-seconds 1 ran out" in server_error(answering(then(drip)), seconds=1.0)
    finally:
        stop.set()
    assert time.monotonic() - began < 5


def test_an_alarm_inside_a_request_stays_what_it_is(black_hole: int) -> None:
    def ran_out() -> DeadlineExceeded:
        return DeadlineExceeded("the alarm rang", next_step="be quicker")

    with time_limit(0.3, ran_out):
        assert "the alarm rang" in server_error(f"127.0.0.1:{black_hole}", seconds=60)


def test_an_older_server_serves_without_an_embedder_only(serve_qdrant) -> None:
    server = serve_qdrant(version="1.12.4")
    target = qdrant_target(server.host, Path("/nonexistent"), {})
    assert target
    open_vectors(target, Deadline.after(30), create=True).close()
    with pytest.raises(Unreachable, match=r"1\.12\.4, and 1\.16 or newer"):
        open_vectors(target, Deadline.after(30), create=True, embedder=Letters())


def test_a_collection_made_for_something_else_is_left_alone(qdrant_server) -> None:
    body = json.dumps({"vectors": {"other": {"size": 3, "distance": "Cosine"}}}).encode()
    url = f"http://{qdrant_server.host}/collections/autopack_sot"
    urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")).close()
    assert "was made for something else" in server_error(qdrant_server.host)


def test_two_runs_may_make_the_collection_at_once(qdrant_server, monkeypatch) -> None:
    target = qdrant_target(qdrant_server.host, Path("/nonexistent"), {})
    assert target
    open_vectors(target, Deadline.after(30), create=True).close()
    found = iter([False, True])
    monkeypatch.setattr("autopack.io.vectors_server.ServerIndex._found", lambda self: next(found))
    second = open_vectors(target, Deadline.after(30), create=True)
    assert second.upsert([point(1)]) == 1
    second.close()


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

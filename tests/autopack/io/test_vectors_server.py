"""The server engine: whatever answers there, one clear line, in time."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import AutopackError, DeadlineExceeded, Unreachable
from autopack.io.vectors import open_vectors
from autopack.settings import qdrant_target
from tasks.timing import time_limit
from tests.autopack.io.points import Letters, point
from tests.support.loopback import Quiet, listening


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
    servers = ExitStack()

    def start(answer: Answer) -> str:
        class Handler(Quiet):
            def do_GET(self) -> None:
                answer(self)

        return servers.enter_context(listening(Handler))

    with servers:
        yield start


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

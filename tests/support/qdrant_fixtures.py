"""A Qdrant server in a process of its own, and peers that do not behave."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import session


@dataclass(frozen=True)
class QdrantServer:
    """Where the server answers, and its process."""

    port: int
    process: subprocess.Popen[str]

    @property
    def host(self) -> str:
        """The server as `--qdrant-host` takes it."""
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serving(
    path: Path, port: int = 0, api_key: str | None = None, version: str | None = None
) -> Iterator[QdrantServer]:
    """Run a server on a folder; it is killed at the end."""
    command = [sys.executable, "-m", "tests.support.qdrant_server", "--path", str(path)]
    command += ["--port", str(port), *(["--api-key", api_key] if api_key else [])]
    command += ["--version", version] if version else []
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=session.REPOSITORY,
        env=session.clean_environment(),
    )  # fmt: skip
    try:
        assert process.stdout
        yield QdrantServer(int(process.stdout.readline()), process)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def serve_qdrant(tmp_path: Path) -> Iterator[Callable[..., QdrantServer]]:
    """Return `serve_qdrant(name="qdrant", port=0, api_key=None, version=None) -> QdrantServer`."""
    with ExitStack() as stack:

        def start(name: str = "qdrant", port: int = 0, **more: str | None) -> QdrantServer:
            return stack.enter_context(serving(tmp_path / name, port, **more))

        yield start


@pytest.fixture
def qdrant_server(serve_qdrant: Callable[..., QdrantServer]) -> QdrantServer:
    """Run an empty Qdrant server for one test."""
    return serve_qdrant()


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Return a loopback port that accepts connections and never answers."""
    door = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                held.append(door.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield door.getsockname()[1]
    door.shutdown(socket.SHUT_RDWR)
    door.close()
    thread.join(5)
    for connection in held:
        connection.close()


@pytest.fixture
def dead_port() -> int:
    """Return a loopback port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return int(door.getsockname()[1])

"""The Prefect server a run talks to: one that answers, or a temporary one of its own.

Nothing here imports Prefect. A temporary server is a child that leaves when the pipe from this
process closes: at exit, after Ctrl-C and after kill -9 alike.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from autopack.errors import Unreachable
from autopack.settings import mask, redact
from tasks import api, leftovers

PROBE_S = 0.3
ASKED_FOR_S = 5.0
"""How long a server may take to answer: the one that may be on this machine, and one that is named,
in seconds."""
START_S = 90.0


def api_url() -> str:
    """Return the API URL that this process talks to, as Prefect sees it once it is imported."""
    if "prefect" in sys.modules:
        from prefect.settings import PREFECT_API_URL

        if url := PREFECT_API_URL.value():
            return str(url)
    return _asked_url()


def _asked_url() -> str:
    """Return the address that the environment names, else the one of a server on this machine."""
    port = os.environ.get("PREFECT_SERVER_API_PORT") or "4200"
    return os.environ.get("PREFECT_API_URL") or f"http://127.0.0.1:{port}/api"


def answers() -> str | None:
    """Return the API URL of a Prefect server that lets us in, else None."""
    return _asked_url() if look(patience()) == "prefect" else None


def patience(left: float = float("inf")) -> float:
    """Return how long to wait for an answer, where `left` remains for the whole run, in seconds."""
    named = "PREFECT_API_URL" in os.environ
    return max(PROBE_S, min(ASKED_FOR_S, left / 4)) if named else PROBE_S


Look = Literal["prefect", "locked", "silent"]


def look(limit: float) -> Look:
    """Return what is there: Prefect, Prefect that wants another password, or nothing of the kind.

    Other servers answer /health too, but with no version.
    """
    url, until = _asked_url(), time.monotonic() + limit
    try:
        if api.call(url, "/health", until) != (200, True):
            return "silent"
        if os.environ.get("PREFECT_API_KEY"):  # Prefect Cloud shows no version
            return "prefect"
        status, version = api.call(url, "/admin/version", until)
    except api.NoAnswer:
        return "silent"
    if status == 401:
        return "locked"
    known = status == 200 and isinstance(version, str) and version[:1].isdigit()
    return "prefect" if known else "silent"


def best(left: float, *, alone: Literal["temporary", "direct"]) -> str:
    """Return the engine `server` if one answers, else the one for a run that is `alone`.

    Raises:
        Unreachable: One answers that does not let us in, and its runs would be recorded elsewhere.
    """
    found = look(patience(left))
    if found == "locked" and alone == "temporary":
        raise no_server(_asked_url(), found)
    return "server" if found == "prefect" else alone


def no_server(url: str, found: Look) -> Unreachable:
    """Return the error for a server that is not there, or does not let us in."""
    if found == "locked":
        return Unreachable(
            f"the Prefect server at {mask(url)} refuses our password",
            next_step="set PREFECT_API_AUTH_STRING to the user:password that the server was given, "
            "or use --engine temporary or --engine direct",
        )
    return Unreachable(
        f"no Prefect server answers at {mask(url)}",
        next_step="make serve, or use --engine temporary or --engine direct",
    )


def connect(engine: str, left: float) -> Callable[[], None]:
    """Point `PREFECT_API_URL` at this engine's server; the result waits until it is ready.

    Raises:
        Unreachable: No server answers, or none can be started.
    """
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    if engine == "temporary":
        return _start(left)
    url = _asked_url()
    if (found := look(max(PROBE_S, min(ASKED_FOR_S, left)))) != "prefect":
        raise no_server(url, found)
    os.environ["PREFECT_API_URL"] = url
    with contextlib.suppress(api.NoAnswer):
        leftovers.sweep(url, min(1.0, max(left, 0.1)))
    return lambda: None


@dataclass
class Temporary:
    """A server child: where it answers, and the pipe end that keeps it alive."""

    url: str
    child: subprocess.Popen[bytes]
    keep: int
    log: IO[bytes]

    def wait(self, until: float) -> None:
        """Wait for the first answer; a request sits in the socket's queue until the server is up.

        Raises:
            Unreachable: The child ended, or it is not ready by then.
        """
        why = "it is not ready in time"
        while time.monotonic() < until:
            try:
                if api.call(self.url, "/health", until) == (200, True):
                    return
            except api.NoAnswer as error:
                why = str(error)
            if self.child.poll() is not None:
                why = _last_line(self.log) or f"it ended with {self.child.returncode}"
                break
            time.sleep(0.05)
        raise Unreachable(
            f"the temporary Prefect server did not start: {why}",
            next_step="run `prefect server database upgrade -y`, or use --engine direct",
        )

    def stop(self, limit: float = 10.0) -> None:
        """Let the server flush and leave; end it when it does not."""
        os.close(self.keep)
        try:
            self.child.wait(limit)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def launch(tag: str, env: Mapping[str, str]) -> Temporary:
    """Start a server child for the process that `tag` names; it answers when it has started."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}/api"
        keep_read, keep_write = os.pipe()
        log = tempfile.TemporaryFile()  # noqa: SIM115 - it is read when the start fails
        fds = [door.fileno(), keep_read]
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "tasks.temporary", *map(str, fds), url, tag],
            pass_fds=fds,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**env, "PREFECT_API_URL": url, "PYTHONPATH": _python_path(env)},
        )
    os.close(keep_read)
    return Temporary(url, child, keep_write, log)


def _start(left: float) -> Callable[[], None]:
    for name in ("NO_PROXY", "no_proxy"):  # loopback never goes through a proxy
        hosts = os.environ.get(name)
        os.environ[name] = f"{hosts},127.0.0.1" if hosts else "127.0.0.1"
    for key in ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"):
        os.environ.pop(key, None)
    server = launch(leftovers.this_process().tag, os.environ)
    os.environ["PREFECT_API_URL"] = server.url
    _running.append(server)
    # Registered before Prefect is imported, so it runs after Prefect sent its last logs and events.
    atexit.register(server.stop)
    until = time.monotonic() + min(left, START_S)
    return lambda: server.wait(until)


_running: list[Temporary] = []


def _python_path(env: Mapping[str, str]) -> str:
    root = str(Path(__file__).resolve().parents[1])
    rest = env.get("PYTHONPATH")
    return f"{root}{os.pathsep}{rest}" if rest else root


def _last_line(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").split("\n")
    return redact(next((line.strip() for line in reversed(lines) if line.strip()), ""))


def farewell(words: str) -> None:
    """Tell the temporary server why this process ends; it goes into the run it must close."""
    for server in _running:
        with contextlib.suppress(OSError):
            os.write(server.keep, redact(words).encode("utf-8", "replace")[:500])

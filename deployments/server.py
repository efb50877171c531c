"""python -m deployments.server stop|env: the Prefect server that `make serve` started.

One process serves per Prefect home; it holds the flock of the home's record for as long as it
lives, and the record says which server it started. A record without its lock is what a killed
process left: the server it names is used again, or stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from autopack.errors import AutopackError, Busy, ExitCode, Unreachable
from autopack.settings import mask, redact
from deployments import environment
from tasks import leftovers
from tasks import server as prefect
from tasks.run import Run, bug

START_S = 120.0
STOP_S = 30.0
WATCH_S, LEAVE_S = 2.0, 10.0
_PROBE_S = 2.0
ROOM_BYTES = 64 * 2**20
"""What a server needs at least for its database and log; with less it fails halfway."""


def home() -> Path:
    """Return where Prefect keeps this user's database, and we the record and the server's log."""
    return Path(os.environ.get("PREFECT_HOME") or "~/.prefect").expanduser()


def log_path() -> Path:
    """Return the log of the server."""
    return home() / "autopack-server.log"


def _record_path() -> Path:
    return home() / "autopack-serve.json"


@dataclass(frozen=True)
class Station:
    """Who serves, which server it started (empty: none of its own), and where that answers."""

    serving: str
    server: str
    url: str


def read() -> Station | None:
    """Return the record, None where there is none."""
    try:
        found = json.loads(_record_path().read_text(encoding="utf-8"))
        return Station(found["serving"], found["server"], found["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def alive(tag: str) -> bool:
    """Return whether the process of a tag is there; one of another host or container is not."""
    return bool(tag) and leftovers.is_dead(tag) is False


@contextmanager
def only_one() -> Iterator[int]:
    """Hold the record's lock for the body and give its descriptor.

    Raises:
        Busy: Another process serves.
    """
    home().mkdir(parents=True, exist_ok=True)
    fd = os.open(_record_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = read()
            at = f" at {mask(found.url.removesuffix('/api'))}" if found else ""
            raise Busy(f"deployments are served already{at}", next_step="make down") from None
        yield fd
    finally:
        os.close(fd)


def write(fd: int, station: Station | None) -> None:
    """Put the record in place; None empties it."""
    data = json.dumps(vars(station)).encode() if station else b""
    os.ftruncate(fd, 0)
    os.pwrite(fd, data, 0)


# --- start ------------------------------------------------------------------------------------


def ensure(fd: int, began: float) -> Station:
    """Return a server that answers: the one at `PREFECT_API_URL`, the local one, or a new one.

    Raises:
        Unreachable: It does not answer, will not start, has no room, or its port is taken by
            something else.
        Refused: It would be open to other machines.
    """
    me = leftovers.this_process().tag
    if os.environ.get("PREFECT_API_URL"):
        return _recorded(fd, Station(me, "", answering()))
    url = environment.local_url(os.environ)
    os.environ["PREFECT_API_URL"] = url
    before = read()
    ours = before.server if before and before.url == url and alive(before.server) else ""
    found = prefect.look(_PROBE_S)
    if ours or found != "silent":
        if ours and found == "silent":
            _wait(url, None, began + START_S)
        return _recorded(fd, Station(me, ours, answering()))
    _refuse_taken(url)
    _refuse_full()
    return _start(fd, me, url, began)


def _recorded(fd: int, station: Station) -> Station:
    write(fd, station)
    return station


def answering() -> str:
    """Return the URL of the server that must be there.

    Raises:
        Unreachable: It does not answer, or refuses our password.
    """
    found, url = prefect.look(prefect.ASKED_FOR_S), prefect.api_url()
    if found == "silent":
        raise Unreachable(
            f"no Prefect server answers at {mask(url)}",
            next_step="make serve, which starts one where PREFECT_API_URL is unset",
        )
    if found != "prefect":
        raise prefect.no_server(url, found)
    return url


def _refuse_taken(url: str) -> None:
    at = urlsplit(url)
    port = at.port or environment.PORT
    family = socket.AF_INET6 if ":" in (at.hostname or "") else socket.AF_INET
    with socket.socket(family) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((at.hostname, port))
        except OSError as error:
            raise Unreachable(
                f"port {port} is taken, and not by Prefect ({error.strerror})",
                next_step=f"export PREFECT_SERVER_API_PORT={port % 65535 + 1}, and run it again",
            ) from None


def _refuse_full() -> None:
    free = shutil.disk_usage(home()).free
    if free < ROOM_BYTES:
        raise Unreachable(
            f"{home()} has {free >> 20} MB free, and a Prefect server needs {ROOM_BYTES >> 20}",
            next_step="make room there, or set PREFECT_HOME to a folder on another disk",
        )


def _start(fd: int, me: str, url: str, began: float) -> Station:
    """Start a server in a session of its own, so that Ctrl-C reaches the serving process alone."""
    env = {**os.environ, **environment.current()}
    with log_path().open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start"],
            env={k: v for k, v in env.items() if k != "PREFECT_API_URL"},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    tag = leftovers.process(child.pid).tag
    try:
        station = _recorded(fd, Station(me, tag, url))
        _wait(url, child, began + START_S)
    except BaseException:
        end(tag)
        write(fd, None)
        raise
    return station


def _wait(url: str, child: subprocess.Popen[bytes] | None, until: float) -> None:
    while (found := prefect.look(_PROBE_S)) == "silent":
        if child and child.poll() is not None:
            raise Unreachable(
                f"the Prefect server did not start: {_last_line() or child.returncode}",
                next_step=f"see {log_path()}",
            )
        if time.monotonic() > until:
            raise Unreachable(
                f"the Prefect server at {url} does not answer", next_step=f"see {log_path()}"
            )
        time.sleep(0.1)
    if found != "prefect":
        raise prefect.no_server(url, found)


def _last_line() -> str:
    text = log_path().read_text("utf-8", "replace")
    said = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in said if line != "Server stopped!"]
    return redact(told[-1]) if told else ""


@contextmanager
def watched(tag: str) -> Iterator[None]:
    """End this process if the server that it started ends during the body; none has no tag.

    Prefect's runner would go on asking a server that is gone, and nothing would run any more.

    Raises:
        Unreachable: The server ended.
    """
    over = threading.Event()

    def gone() -> bool:
        return bool(tag) and _gone(tag, leftovers.pid_of(tag))

    def look() -> None:
        while not over.wait(WATCH_S):
            if gone():
                os.kill(os.getpid(), signal.SIGTERM)
                if not over.wait(LEAVE_S):  # the runner waits for answers that never come
                    sys.stderr.write(redact(f"{_ended()}\n"))
                    os._exit(int(ExitCode.UNREACHABLE))
                return

    if tag:
        threading.Thread(target=look, name="watch", daemon=True).start()
    try:
        yield
    except BaseException:
        if not gone():
            raise
    finally:
        over.set()
    if gone():
        raise _ended()


def _ended() -> Unreachable:
    return Unreachable(
        f"the Prefect server ended: {_last_line() or 'it said nothing'}",
        next_step=f"see {log_path()}, and serve again",
    )


# --- stop -------------------------------------------------------------------------------------


def stop() -> list[str]:
    """Stop what serves and the server it started; return what was done, a line each."""
    station, done = read(), []
    if station is not None:
        lines = {
            station.serving: "stopped serving",
            station.server: f"stopped the Prefect server at {mask(station.url)}",
        }
        for tag in [tag for tag in lines if alive(tag)]:
            end(tag)
            done.append(lines[tag])
        with contextlib.suppress(Busy), only_one() as fd:
            write(fd, None)
    return done or ["nothing is served"]


def end(tag: str, limit: float = STOP_S) -> None:
    """End a process: SIGTERM, and SIGKILL for it and its session when it is still there."""
    pid, until = leftovers.pid_of(tag), time.monotonic() + limit
    _signal(pid, signal.SIGTERM)
    while not _gone(tag, pid):
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) == pid and os.getsid(pid) == pid:
                    os.killpg(pid, signal.SIGKILL)
            _signal(pid, signal.SIGKILL)
            until = time.monotonic() + limit
        time.sleep(0.05)


def _signal(pid: int, how: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def _gone(tag: str, pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):  # it may be nobody's child of ours
        os.waitpid(pid, os.WNOHANG)
    return not alive(tag)


def reported(work: Any) -> int:
    """Do the work; return its exit code, an error told in one line."""
    redact.learn_environment(os.environ)
    try:
        return int(work())
    except AutopackError as error:
        sys.stderr.write(redact(f"{error}\n"))
        return int(error.code)
    except OSError as error:
        said = f"{error.filename or home()}: {error.strerror or error}"
        fix = f"PREFECT_HOME is {home()}: it must be writable, with space"
        sys.stderr.write(redact(f"{said}. Next: {fix}\n"))
        return int(ExitCode.UNREACHABLE)
    except Exception as error:  # noqa: BLE001 - an uncaught one would exit 1: findings
        report = bug(Run("deployments", {}), error)
        sys.stderr.write(f"{report.message}\n")
        return report.exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do what it says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.server", description=(__doc__ or "").partition("\n")[2].strip()
    )
    parser.add_argument("what", choices=("stop", "env"), help="stop it, or print its settings")
    what = parser.parse_args(argv).what

    def work() -> int:
        said = stop() if what == "stop" else environment.shown(environment.current()).splitlines()
        sys.stdout.write("".join(f"{line}\n" for line in said))
        return int(ExitCode.CLEAN)

    return reported(work)


if __name__ == "__main__":
    sys.exit(main())

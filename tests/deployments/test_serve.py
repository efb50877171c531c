"""`make serve` and `make down` with real processes: from nothing to a scheduled run, and back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from autopack.errors import Refused, UsageError
from deployments import environment
from tasks import leftovers
from tests.support.figures import record
from tests.support.prefect_home import furnish
from tests.support.process import Finished, run_bounded, stop
from tests.support.session import REPOSITORY, clean_environment

PASSWORD = "never-printed-anywhere"
EVERY_2_S = """
deployments:
  - name: every-2-seconds
    entrypoint: flows/sot_counts.py:sot_counts
    parameters: {execute: false}
    schedules: [{interval: 2, slug: every-2-seconds}]
    concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}
"""


class Place:
    """A Prefect home and a port of its own, and what is started there."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.home = folder / "prefect"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.log = folder / "serve.log"
        self.env = clean_environment(
            PREFECT_HOME=str(self.home), PREFECT_SERVER_API_PORT=str(self.port),
            **env,
        )  # fmt: skip
        self.children: list[subprocess.Popen[bytes]] = []

    def command(self, module: str, *words: object, **env: str) -> Finished:
        line = [sys.executable, "-m", module, *map(str, words)]
        return run_bounded(line, cwd=REPOSITORY, env={**self.env, **env}, seconds=180)

    def serve(self, *words: object) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "deployments.serve", *map(str, words)],
                cwd=REPOSITORY, env=self.env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.children.append(child)
        return child

    def until(self, holds: Callable[[], Any], limit: float = 150.0) -> Any:
        ends = time.monotonic() + limit
        while not (got := holds()):
            assert time.monotonic() < ends, self.said()
            time.sleep(0.2)
        return got

    def said(self) -> str:
        server = self.home / "autopack-server.log"
        return self.log.read_text() + (server.read_text() if server.exists() else "")

    def processes(self) -> list[psutil.Process]:
        """Return what runs with this home, zombies left out."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("PREFECT_HOME") == str(self.home)
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
                continue
        return found

    def record(self) -> dict[str, str]:
        return json.loads((self.home / "autopack-serve.json").read_text() or "{}")

    def end(self) -> None:
        for child in self.children:
            stop(child, seconds=40)
        for process in self.processes():
            process.kill()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.end()


@pytest.fixture
def guarded_place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, PREFECT_SERVER_API_AUTH_STRING=f"operator:{PASSWORD}")
    yield made
    made.end()


def asked(place: Place, auth: tuple[str, str] | None, path: str, body: Any = None) -> Any:
    how = {"auth": auth} if auth else {}
    return httpx.request("POST", place.url + path, json=body or {}, timeout=30, **how)


def test_from_nothing_to_a_scheduled_run_and_back(
    guarded_place: Place, make_workspace, tmp_path: Path
) -> None:
    place, root = guarded_place, make_workspace({})
    served = tmp_path / "prefect.yaml"
    served.write_text(EVERY_2_S)
    words, auth = ("--file", served, "--workspace", root), ("operator", PASSWORD)

    def green(after: int = 0) -> Any:
        runs = asked(place, auth, "/flow_runs/filter", {"limit": 200}).json()
        done = [run for run in runs if run["state_type"] == "COMPLETED"]
        return done if len(done) > after else None

    began = time.monotonic()
    first = place.serve(*words)
    place.until(lambda: "serving 1 deployments" in place.log.read_text() or first.poll())
    lines = place.log.read_text().splitlines()
    assert lines[0] == (f"UI: http://127.0.0.1:{place.port}  (stop: Ctrl-C or make down)"), (
        place.said()
    )
    assert lines[1] == "limits: 9 created"
    run = place.until(green)[0]
    record("first green scheduled run", seconds=round(time.monotonic() - began, 1))
    assert (run["auto_scheduled"], run["state"]["name"]) == (True, "Completed")

    # Who has no password gets nothing, and no web page of another site may ask.
    assert asked(place, None, "/flow_runs/filter").status_code == 401
    origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    assert (
        "access-control-allow-origin"
        not in httpx.options(f"{place.url}/flow_runs/filter", headers=origin).headers
    )

    # A command on a server with a password.
    look = ("flows.sot_sync", "--workspace", root, "--engine", "server", "--json")
    right = place.command(*look, PREFECT_API_AUTH_STRING=f"operator:{PASSWORD}")
    assert right.returncode == 0, right.stderr
    assert right.report["flow_run_id"]
    wrong = place.command(*look, PREFECT_API_AUTH_STRING="operator:wrong-guess")
    assert wrong.returncode == 4
    assert "refuses our password. Next: set PREFECT_API_AUTH_STRING" in wrong.stderr

    # A second one is told; one that was killed is followed by one that takes its server over.
    again = place.command("deployments.serve", *words)
    assert again.returncode == 5
    assert again.stderr == (
        f"deployments are served already at http://127.0.0.1:{place.port}. Next: make down\n"
    )
    server = place.record()["server"]
    first.kill()
    first.wait()
    second = place.serve(*words)
    place.until(lambda: place.log.read_text().count("serving 1 deployments") == 2)
    assert place.record()["server"] == server
    assert "limits: 9 kept" in place.log.read_text()
    seen = len(green())
    place.until(lambda: green(seen))

    down = place.command("deployments.server", "stop")
    told = f"stopped serving\nstopped the Prefect server at {place.url}\n"
    assert (down.returncode, down.stdout) == (0, told)
    assert second.wait(10) == 0
    assert "never awaited" not in place.log.read_text()
    assert place.processes() == []
    assert place.record() == {}
    assert place.command("deployments.server", "stop").stdout == "nothing is served\n"
    assert PASSWORD not in place.said() + right.stderr + right.stdout + wrong.stderr


@pytest.mark.parametrize(
    "how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name
)
def test_a_signal_while_the_server_starts_leaves_nothing(place: Place, how: int) -> None:
    child = place.serve()
    place.until(lambda: (place.home / "autopack-serve.json").exists() and place.record())
    child.send_signal(how)
    child.wait(60)
    place.until(lambda: not place.processes(), 30)
    assert place.record() == {}


def test_a_port_that_something_else_has_is_4_in_one_line(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        done = place.command("deployments.serve")
    assert done.returncode == 4
    assert done.stderr == (
        f"port {place.port} is taken, and not by Prefect (Address already in use). "
        f"Next: export PREFECT_SERVER_API_PORT={place.port + 1}, and run it again\n"
    )
    assert place.processes() == []


def test_a_server_that_cannot_start_is_4_and_names_its_log(place: Place) -> None:
    url = "postgresql+asyncpg://nobody:hidden-word@127.0.0.1:9/none"
    done = place.command("deployments.serve", PREFECT_SERVER_DATABASE_CONNECTION_URL=url)
    assert done.returncode == 4
    assert done.stderr.startswith("the Prefect server did not start: ")
    assert done.stderr.endswith(f"Next: see {place.home / 'autopack-server.log'}\n")
    assert "hidden-word" not in done.stderr
    assert place.processes() == []


def test_serving_ends_when_its_server_does(place: Place, make_workspace) -> None:
    furnish(place.home)
    child = place.serve("--workspace", make_workspace({}))
    place.until(lambda: "serving " in place.log.read_text())
    os.kill(leftovers.pid_of(place.record()["server"]), signal.SIGKILL)
    assert child.wait(60) == 4, "a service manager starts it again"
    last = place.log.read_text().splitlines()[-1]
    assert last.startswith("the Prefect server ended: ")
    assert last.endswith(f"Next: see {place.home / 'autopack-server.log'}, and serve again")
    place.until(lambda: not place.processes(), 30)


IN_A_CALLBACK = """
import asyncio, os, signal, weakref
import prefect
from deployments import serve
from prefect.runner import Runner

class Thing: pass

def told(_):
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000): pass

async def work():
    signal.signal(signal.SIGTERM, Runner(name="x").handle_sigterm)
    thing = Thing()
    seen = weakref.ref(thing, told)
    del thing
    await asyncio.sleep(20)
    print("lost")

def serving(*_, **__):
    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        print("ended")

prefect.serve = serving
serve._serve([])
"""


def test_a_signal_in_the_middle_of_a_weak_callback_is_not_lost(place: Place) -> None:
    line = [sys.executable, "-c", IN_A_CALLBACK]
    done = run_bounded(line, cwd=REPOSITORY, env=place.env, seconds=90)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr


def test_a_record_of_a_dead_process_stops_nobody(place: Place) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        place.home.mkdir()
        stat = Path(f"/proc/{bystander.pid}/stat").read_text().split()
        theirs = leftovers.process(bystander.pid)
        assert theirs.start == int(stat[21])
        reused = leftovers.Process(theirs.place, theirs.pid, theirs.start - 1).tag
        record = {"serving": reused, "server": reused, "url": place.url}
        (place.home / "autopack-serve.json").write_text(json.dumps(record))
        assert place.command("deployments.server", "stop").stdout == "nothing is served\n"
        assert bystander.poll() is None
    finally:
        stop(bystander)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"serving": 1}'])
def test_a_damaged_record_is_no_record(place: Place, text: str) -> None:
    place.home.mkdir()
    (place.home / "autopack-serve.json").write_text(text)
    assert place.command("deployments.server", "stop").stdout == "nothing is served\n"


# --- the settings ----------------------------------------------------------------------------


def test_what_a_server_is_given_is_known_to_prefect(prefect_server) -> None:
    code = (
        "from prefect.settings import get_current_settings as g; s = g().server; v = s.services; "
        "print(s.events.retention_period.days, v.db_vacuum.retention_period.days, "
        "sorted(v.db_vacuum.enabled_vacuum_types), v.repossessor.loop_seconds, "
        "s.analytics_enabled, s.api.host, s.api.port, s.concurrency.lease_storage, "
        "s.api.cors_allowed_origins)"
    )
    env = clean_environment(**environment.server_settings({}))
    done = run_bounded([sys.executable, "-c", code], cwd=REPOSITORY, env=env)
    assert done.stdout.split(" ", 2)[:2] == ["30", "90"], done.stderr
    assert done.stdout.endswith(
        "['events', 'flow_runs', 'orphans'] 5.0 False 127.0.0.1 4200 "
        "prefect.server.concurrency.lease_storage.filesystem "
        "http://127.0.0.1:4200,http://localhost:4200\n"
    )


def test_what_somebody_sets_stays() -> None:
    given = {"PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P365D", "PREFECT_SERVER_API_PORT": "4201"}
    made = environment.server_settings(given)
    assert {name: made[name] for name in given} == given
    assert "localhost:4201" in made["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "server.example"])
def test_a_server_for_other_machines_has_a_password(host: str) -> None:
    env = {"PREFECT_SERVER_API_HOST": host}
    with pytest.raises(Refused, match="let everybody in"):
        environment.server_settings(env)
    env["PREFECT_SERVER_API_AUTH_STRING"] = "operator:word"
    assert environment.server_settings(env)["PREFECT_SERVER_API_HOST"] == host


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "４２"])
def test_a_port_is_a_number(port: str) -> None:
    with pytest.raises(UsageError):
        environment.server_settings({"PREFECT_SERVER_API_PORT": port})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:4200/api"),
        ("0.0.0.0", "http://127.0.0.1:4200/api"),
        ("10.0.0.5", "http://10.0.0.5:4200/api"),
    ],
)
def test_where_this_machine_reaches_its_server(host: str, url: str) -> None:
    assert environment.local_url({"PREFECT_SERVER_API_HOST": host}) == url


def test_clients_log_in_as_the_server_says_unless_told_otherwise() -> None:
    server = {"PREFECT_SERVER_API_AUTH_STRING": "a:b"}
    assert environment.client_credentials({}) is None
    assert environment.client_credentials(server) == "a:b"
    assert environment.client_credentials({**server, "PREFECT_API_AUTH_STRING": "c:d"}) == "c:d"


def test_the_settings_are_printed_for_a_service_manager(place: Place) -> None:
    done = place.command("deployments.server", "env")
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert lines == environment.server_settings(place.env)
    assert os.environ.get("PREFECT_API_URL") is None

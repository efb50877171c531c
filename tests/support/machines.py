"""Several machines on loopback: PostgreSQL, Redis, two Prefect servers, services and workers.

Every process is a child of this one, in a session of its own, and ends with the fleet.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deployments import environment
from tasks import api
from tests.support.postgres import Postgres
from tests.support.process import run_bounded, stop
from tests.support.session import REPOSITORY, clean_environment

REDIS = shutil.which("redis-server")
DEPLOYMENT = """
name: machines
deployments:
  - name: machines
    entrypoint: tests/support/witness_flow.py:witness
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Fleet:
    """The machines; `start` and `kill` take the name of one."""

    folder: Path
    postgres: Postgres
    workspace: Path
    workers: int = 3
    per_worker: int = 1
    ports: dict[str, int] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    password: str = field(default_factory=secrets.token_hex)

    def __post_init__(self) -> None:
        self.ports = {name: free_port() for name in ("server-0", "server-1", "redis")}
        redis = f"redis://:{self.password}@127.0.0.1:{self.ports['redis']}"
        database = self.postgres.url(self.postgres.create())
        own = self.postgres.url(self.postgres.create())
        settings = environment.server_settings({})
        settings |= {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database.replace("://", "+asyncpg://", 1),
            "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "5",
            "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "5",
            "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
            "PREFECT_SERVER_EVENTS_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            "PREFECT_REDIS_MESSAGING_URL": f"{redis}/0",
            "PREFECT_SERVER_DOCKET_URL": f"{redis}/1",
            "PREFECT_API_AUTH_STRING": f"operator:{self.password}",
            "PREFECT_SERVER_API_AUTH_STRING": f"operator:{self.password}",
        }
        settings.pop("PREFECT_SERVER_API_PORT")
        self.witness = self.folder / "witness.jsonl"
        self.env = clean_environment(
            **settings, WITNESS=str(self.witness), DATABASE_URL=own,
            QDRANT_HOST="embedded",
            AUTOPACK_WORKSPACE_ROOTS=str(self.workspace), PREFECT_FLOWS_HEARTBEAT_FREQUENCY="30",
            PREFECT_CLIENT_RETRY_EXTRA_CODES="500",
            PREFECT_WORKER_QUERY_SECONDS="2", PREFECT_LOGGING_LEVEL="WARNING",
        )  # fmt: skip
        os.environ["PREFECT_API_AUTH_STRING"] = self.env["PREFECT_API_AUTH_STRING"]

    def url(self, server: int = 0) -> str:
        return f"http://127.0.0.1:{self.ports[f'server-{server}']}/api"

    # --- processes ---------------------------------------------------------------------------

    def names(self) -> list[str]:
        return ["redis", "server-0", "server-1", "services", *self.worker_names()]

    def worker_names(self) -> list[str]:
        return [f"worker-{n}" for n in range(self.workers)]

    def command(self, name: str) -> tuple[list[str], dict[str, str]]:
        prefect = [sys.executable, "-m", "prefect"]
        home = {"PREFECT_HOME": str(self.folder / name)}
        kind, _, number = name.partition("-")
        if kind == "redis":
            assert REDIS
            words = (
                "--bind",
                "127.0.0.1",
                "--requirepass",
                self.password,
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            )
            return [REDIS, "--port", str(self.ports["redis"]), *words], {}
        if kind == "server":
            port = str(self.ports[name])
            words = ("server", "start", "--no-services")
            return [*prefect, *words], {**home, "PREFECT_SERVER_API_PORT": port}
        if kind == "services":
            return [*prefect, "server", "services", "start"], home
        at = self.url(int(number) % 2)
        words = ("worker", "start", "--pool", "autopack", "--type", "process", "--name", name)
        limit = ("--limit", str(self.per_worker))
        return [*prefect, *words, *limit], {**home, "PREFECT_API_URL": at}

    def start(self, name: str) -> None:
        words, more = self.command(name)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with (folder / "log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                words, cwd=folder if name == "redis" else REPOSITORY, env={**self.env, **more},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self, name: str) -> list[int]:
        """Kill one machine and everything that it runs, as a power cut does; return the PIDs."""
        root = psutil.Process(self.running[name].pid)
        doomed = [*root.children(recursive=True), root]
        for process in doomed:
            process.suspend()
        for process in doomed:
            process.kill()
        self.running[name].wait()
        return [process.pid for process in doomed]

    def stop(self) -> None:
        for name in reversed(self.names()):
            child = self.running.get(name)
            if child is None or child.poll() is not None:
                continue
            left = psutil.Process(child.pid).children(recursive=True)
            stop(child, signal.SIGTERM, 15)
            for process in left:
                if process.is_running():
                    process.kill()

    def log(self, name: str) -> str:
        return (self.folder / name / "log").read_text("utf-8", "replace")

    # --- the API -----------------------------------------------------------------------------

    def ask(self, path: str, body: dict[str, Any] | None = None, server: int = 0) -> Any:
        """Return the JSON answer of one API call."""
        status, answer = api.call(self.url(server), path, time.monotonic() + 30, body)
        assert status < 300, (path, status, answer)
        return answer

    def healthy(self, server: int) -> bool:
        try:
            return api.call(self.url(server), "/ready", time.monotonic() + 5)[0] == 200
        except api.NoAnswer:
            return False

    def until(self, holds: Callable[[], Any], what: str, limit: float = 300.0) -> Any:
        ends = time.monotonic() + limit
        while True:
            try:
                if got := holds():
                    return got
            except (api.NoAnswer, AssertionError):
                pass  # a server that was killed is on its way back
            if time.monotonic() > ends:
                tails = [f"--- {name}\n{self.log(name)[-1500:]}" for name in self.running]
                raise AssertionError("\n".join([f"not in {limit:g} s: {what}", *tails]))
            time.sleep(0.5)

    def python(self, *words: str, good: tuple[int, ...] = (0,)) -> None:
        done = run_bounded(
            [sys.executable, "-m", *words],
            cwd=REPOSITORY,
            env={**self.env, "PREFECT_API_URL": self.url(), "PREFECT_HOME": str(self.folder)},
            seconds=180,
        )
        assert done.returncode in good, done.stdout + done.stderr

    def look(self) -> None:
        """Run the health page as its deployment does; what it finds is no error here."""
        where = ("--workspace", str(self.workspace), "--engine", "server")
        self.python("flows.status", *where, "--execute", good=(0, 1))

    def deploy(self, text: str = DEPLOYMENT) -> str:
        """Create pool, limits and deployments; return the id of one."""
        self.python("deployments.limits")
        self.python("deployments.automations")
        given = self.folder / "prefect.yaml"
        given.write_text(text)
        where = ("--workspace", str(self.workspace), "--file", str(given))
        self.python("deployments.deploy", *where)
        return str(self.ask("/deployments/filter", {})[0]["id"])

    def request(self, deployment: str, number: int, **parameters: Any) -> list[str]:
        """Ask for so many runs at once, of both servers in turn; return their ids."""
        body = {"parameters": parameters}
        path = f"/deployments/{deployment}/create_flow_run"
        return [str(self.ask(path, body, server=n % 2)["id"]) for n in range(number)]

    def runs(self, ids: list[str]) -> list[dict[str, Any]]:
        """Return these runs as the database has them."""
        wanted = {"flow_runs": {"id": {"any_": ids}}, "limit": 200}
        return list(self.ask("/flow_runs/filter", wanted))

    def memory(self) -> dict[str, float]:
        """Return the resident memory of servers, services and workers in MB."""
        return {
            name: psutil.Process(child.pid).memory_info().rss / 1e6
            for name, child in self.running.items()
            if name != "redis"
        }


@contextmanager
def fleet(folder: Path, postgres: Postgres, workspace: Path, **options: int) -> Iterator[Fleet]:
    """Run the machines for the body; `deploy` has been done when it starts."""
    made = Fleet(folder, postgres, workspace, **options)
    try:
        made.start("redis")
        done = run_bounded(
            [sys.executable, "-m", "tests.support.prefect_schema"],
            cwd=REPOSITORY,
            env={**made.env, "PREFECT_HOME": str(folder)},
            seconds=180,
        )
        assert done.returncode == 0, done.stderr
        # On an empty database two servers that start at once both register the block types, and
        # one of them ends; a service manager would start it again.
        made.start("server-0")
        made.until(lambda: made.healthy(0), "the first server", 180)
        made.start("server-1")
        made.start("services")
        made.until(lambda: made.healthy(1), "the second server", 180)
        yield made
    finally:
        made.stop()
        os.environ.pop("PREFECT_API_AUTH_STRING", None)

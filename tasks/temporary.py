"""python -m tasks.temporary DOOR KEEP URL TAG: a Prefect API that lives as long as its parent.

DOOR is a listening socket, KEEP a pipe whose other end the parent holds. When KEEP closes, the
parent's open runs (TAG) are marked Crashed, logs and events are flushed, and the server leaves.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tasks import api, leftovers

KILLED = "the process of this run ended without closing it"
LEAVES_WITHIN_S = 10.0


class Watch:
    """Waits for the parent's end, and sees to it that this process ends soon after."""

    def __init__(self, keep: int, url: str, tag: str) -> None:
        self.keep, self.url, self.tag = keep, url, tag
        self.server: Any = None
        self.migrating = False
        self.gone = threading.Event()

    def run(self) -> None:
        """Read the pipe to its end, close the parent's runs, then stop the server."""
        words = b""
        while chunk := os.read(self.keep, 4096):
            words += chunk
        self.gone.set()
        threading.Timer(LEAVES_WITHIN_S, os._exit, (1,)).start()
        if self.server is None or not self.server.started:
            if not self.migrating:
                os._exit(0)
            return  # a half-migrated database would be worse than a late exit
        with contextlib.suppress(api.NoAnswer):
            leftovers.close(self.url, self.tag, words.decode("utf-8", "replace") or KILLED)
        self.server.should_exit = True

    def after_start(self, first_use: _FirstUse) -> None:
        """Once the server is up, let others start, and close what dead processes left open."""
        while not self.server.started:
            time.sleep(0.02)
        first_use.done()
        self.migrating = False
        if self.gone.is_set():
            self.server.should_exit = True
            return
        with contextlib.suppress(api.NoAnswer):
            leftovers.sweep(self.url, limit=10.0)


class _FirstUse:
    """Lets one server at a time migrate a database that this version has not used before."""

    def __init__(self, home: Path, version: str, database: str) -> None:
        key = hashlib.sha256(database.encode()).hexdigest()[:12]
        self.marker = home / f"autopack-migrated-{version}-{key}"
        self.lock: int | None = None
        file = database.partition(":///")[2].partition("?")[0]
        exists = not database.startswith("sqlite") or (file and Path(file).exists())
        if not (exists and self.marker.exists()):
            home.mkdir(parents=True, exist_ok=True)
            self.lock = os.open(home / "autopack-migrate.lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self.lock, fcntl.LOCK_EX)

    def done(self) -> None:
        """Remember that the database is migrated and let the next server start."""
        if self.lock is not None:
            self.marker.touch()
            os.close(self.lock)


def serve(door: int, keep: int, url: str, tag: str) -> None:
    """Serve until the parent is gone."""
    os.environ.update(PREFECT_UI_ENABLED="0", PREFECT_SERVER_ANALYTICS_ENABLED="false")
    os.environ.update(PREFECT__SERVER_EPHEMERAL="1", PREFECT__SERVER_FINAL="1")
    # No block is used here; registering them costs 2 s on a fresh database.
    os.environ["PREFECT_API_BLOCKS_REGISTER_ON_START"] = "0"
    watch = Watch(keep, url, tag)
    threading.Thread(target=watch.run, daemon=True).start()

    import uvicorn
    from prefect import __version__
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_HOME

    database = PREFECT_API_DATABASE_CONNECTION_URL.value()
    secret = getattr(database, "get_secret_value", None)
    first_use = _FirstUse(
        Path(PREFECT_HOME.value()), __version__, str(secret() if secret else database)
    )
    watch.migrating = first_use.lock is not None
    config = uvicorn.Config(
        create_app(ephemeral=True, final=True),
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=2,
    )
    watch.server = uvicorn.Server(config)
    threading.Thread(target=watch.after_start, args=(first_use,), daemon=True).start()
    watch.server.run(sockets=[socket.socket(fileno=door)])
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])

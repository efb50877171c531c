"""Prefect homes whose database has its tables: to make them takes a server five seconds."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from fasteners import InterProcessLock

from tests.support.process import run_bounded
from tests.support.session import REPOSITORY, SHARED, clean_environment

_MAKE = """
import asyncio
from prefect.server.database.alembic_commands import alembic_upgrade
from prefect.utilities.asyncutils import run_sync_in_worker_thread
asyncio.run(run_sync_in_worker_thread(alembic_upgrade))
"""


def furnish(home: Path) -> Path:
    """Make a Prefect home with a database that has its tables and nothing in them."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(_tables(), home / "prefect.db")
    return home


def _tables() -> Path:
    made = SHARED / "prefect.db"
    with InterProcessLock(SHARED / "prefect.lock"):
        if not made.exists():
            folder = SHARED / "prefect"
            env = clean_environment(PREFECT_HOME=str(folder))
            done = run_bounded([sys.executable, "-c", _MAKE], cwd=REPOSITORY, env=env)
            assert done.returncode == 0, done.stderr
            with closing(sqlite3.connect(folder / "prefect.db")) as database:
                database.execute("VACUUM INTO ?", (str(SHARED / "whole.db"),))
            (SHARED / "whole.db").rename(made)
    return made

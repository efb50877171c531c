"""python -m tests.support.prefect_schema: Prefect's tables in a PostgreSQL without pg_trgm.

The PostgreSQL of the tests comes from a wheel without contrib modules. The extension serves six
indexes that make a search for part of a name fast, and nothing else: they are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import alembic.op
from prefect.server.database.alembic_commands import alembic_upgrade
from prefect.utilities.asyncutils import run_sync_in_worker_thread


def without_trigrams(execute: Callable[..., Any]) -> Callable[..., None]:
    """Return `op.execute` for everything but the extension and its indexes."""

    def run(statement: Any, *args: Any, **options: Any) -> None:
        if "trgm" not in str(statement):
            execute(statement, *args, **options)

    return run


if __name__ == "__main__":
    alembic.op.execute = without_trigrams(alembic.op.execute)
    asyncio.run(run_sync_in_worker_thread(alembic_upgrade))

"""python -m deployments.limits: create the global concurrency limits that queue runs.

Safe to run again: a limit that is there is kept, one that was changed or switched off is mended.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from autopack.errors import ExitCode
from autopack.locks.names import FAMILIES, RANKS, parse
from deployments import server
from tasks.slots import fault

NAMES = tuple(dict.fromkeys((*RANKS, *(parse(f"{family}:any").limit for family in FAMILIES))))
"""One writer at a time for each: the limits' only purpose is to queue and to show who waits."""


def create() -> dict[str, str]:
    """Make every limit exist, active, with one slot; return what was done to each."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return {name: _ensure(client, name) for name in NAMES}


def _ensure(client: Any, name: str) -> str:
    """Make one limit as it should be; somebody may do the same at this moment."""
    from prefect.client.schemas.actions import (
        GlobalConcurrencyLimitCreate,
        GlobalConcurrencyLimitUpdate,
    )
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    right: dict[str, Any] = {"limit": 1, "active": True, "slot_decay_per_second": 0.0}
    try:
        found = client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        try:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, **right))
        except ObjectAlreadyExists:
            return "kept"
        return "created"
    if not fault(found.model_dump()):
        return "kept"
    client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(**right))
    return "mended"


def main() -> int:
    """Create the limits on the server at `PREFECT_API_URL`; return the exit code."""

    def work() -> int:
        os.environ["PREFECT_API_URL"] = server.answering()
        for name, what in create().items():
            sys.stdout.write(f"{name:<12} {what}\n")
        return int(ExitCode.CLEAN)

    return server.reported(work)


if __name__ == "__main__":
    sys.exit(main())

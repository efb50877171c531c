"""python -m deployments.limits: create the global concurrency limits that queue runs.

Safe to run again: a limit that is there is kept, one that was changed or switched off is mended.
"""

from __future__ import annotations

import os
import sys

from autopack.errors import ExitCode
from tasks import server

NAMES = ("queue", "runs", "archive", "docs", "index", "tidy", "db", "storage", "maintenance")
"""One writer at a time for each: the limits' only purpose is to queue and to show who waits."""


def create() -> dict[str, str]:
    """Make every limit exist, active, with one slot; return what was done to each."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import (
        GlobalConcurrencyLimitCreate,
        GlobalConcurrencyLimitUpdate,
    )

    done = {}
    with get_client(sync_client=True) as client:
        known = {limit.name: limit for limit in client.read_global_concurrency_limits(limit=200)}
        for name in NAMES:
            limit = known.get(name)
            if limit is None:
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=name, limit=1)
                )
                done[name] = "created"
            elif limit.limit != 1 or not limit.active:
                client.update_global_concurrency_limit(
                    name, GlobalConcurrencyLimitUpdate(limit=1, active=True)
                )
                done[name] = "mended"
            else:
                done[name] = "kept"
    return done


def main() -> int:
    """Create the limits on the server at `PREFECT_API_URL`; return the exit code."""
    url = server.answers(server.ASKED_FOR_S)
    if url is None:
        sys.stderr.write("no Prefect server answers. Next: prefect server start\n")
        return int(ExitCode.UNREACHABLE)
    os.environ["PREFECT_API_URL"] = url
    for name, what in create().items():
        sys.stdout.write(f"{name:<12} {what}\n")
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())

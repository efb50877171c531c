"""python -m deployments.serve: serve every flow from this checkout to the Prefect UI.

A click starts faster here than with a worker. Schedules are in `prefect.yaml`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from autopack.errors import ExitCode
from tasks import server
from tasks.engine import as_prefect, flow_name

FLOWS = ("flows.sot_sync:sot_sync",)
"""Every flow that people may start, as module:function."""


def load(flow: str) -> Any:
    """Return the Prefect Flow of a `module:function`."""
    module, _, name = flow.partition(":")
    return as_prefect(getattr(import_module(module), name))


def main(flows: Sequence[str] = FLOWS) -> int:
    """Serve until stopped; return the exit code."""
    url = server.answers(server.ASKED_FOR_S)
    if url is None:
        sys.stderr.write("no Prefect server answers. Next: prefect server start\n")
        return int(ExitCode.UNREACHABLE)
    os.environ["PREFECT_API_URL"] = url
    from prefect import serve

    made = [load(flow) for flow in flows]
    serve(*(flow.to_deployment(name=f"{flow_name(flow)}-local", tags=["local"]) for flow in made))
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())

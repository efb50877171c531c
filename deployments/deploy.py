"""python -m deployments.deploy --workspace PATH: `prefect.yaml` for the workers of a work pool.

The same deployments as `make serve`, for one workspace: runs start in it, so it is also the only
one they may touch unless `AUTOPACK_WORKSPACE_ROOTS` of the worker names more. The workers have this
project on their PYTHONPATH. Safe to run again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from autopack.errors import ExitCode
from deployments import server
from deployments.serve import CONFIGURATION, described


def deploy(pool: str, workspace: str, configuration: Path = CONFIGURATION) -> list[str]:
    """Create the pool and put every deployment into it; return the deployments' names."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists

    with get_client(sync_client=True) as client, contextlib.suppress(ObjectAlreadyExists):
        client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    made = described(configuration)
    for deployment in made:
        deployment.tags.remove("local")
        deployment.job_variables = {"working_dir": workspace}
        deployment.apply(work_pool_name=pool)
    return [deployment.name for deployment in made]


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and deploy; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.deploy", description=(__doc__ or "").partition("\n")[2].strip()
    )
    parser.add_argument(
        "--workspace", required=True, metavar="PATH",
        help="the checkout that runs work on, where the workers see it",
    )  # fmt: skip
    parser.add_argument("--pool", default="autopack", help="the work pool (default: autopack)")
    parser.add_argument(
        "--file", type=Path, default=CONFIGURATION, metavar="YAML", help="instead of prefect.yaml"
    )
    given = parser.parse_args(argv)
    if not os.path.isabs(given.workspace):
        parser.error("--workspace is an absolute path: workers start elsewhere")

    def work() -> int:
        os.environ["PREFECT_API_URL"] = server.answering()
        names = deploy(given.pool, given.workspace, given.file)
        sys.stdout.write(f"{len(names)} deployments in {given.pool} for {given.workspace}\n")
        return int(ExitCode.CLEAN)

    return server.reported(work)


if __name__ == "__main__":
    sys.exit(main())

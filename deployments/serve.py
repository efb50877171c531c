"""python -m deployments.serve: serve what `prefect.yaml` describes from this checkout.

Every deployment with its schedule, parameters and limit, without a work pool; a click starts faster
here than with a worker.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from autopack.errors import ExitCode
from tasks import server
from tasks.engine import as_prefect, flow_name

CONFIGURATION = Path(__file__).resolve().parents[1] / "prefect.yaml"


def load(flow: str) -> Any:
    """Return the Prefect Flow of a `module:function`."""
    module, _, name = flow.partition(":")
    return as_prefect(getattr(import_module(module), name))


def described() -> list[Any]:
    """Return the deployments of `prefect.yaml`, ready to be served."""
    import yaml
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.events import DeploymentEventTrigger

    made = []
    for given in yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))["deployments"]:
        limit = given.get("concurrency_limit")
        made.append(
            load(entrypoint(given)).to_deployment(
                name=given["name"],
                description=given.get("description"),
                tags=[*given.get("tags", ()), "local"],
                parameters=given.get("parameters", {}),
                schedules=[_schedule(schedule) for schedule in given.get("schedules", ())],
                triggers=[DeploymentEventTrigger(**t) for t in given.get("triggers", ())],
                concurrency_limit=ConcurrencyLimitConfig(**limit) if limit else None,
            )
        )
    return made


def entrypoint(given: dict[str, Any]) -> str:
    """Return a deployment's flow as `module:function`."""
    path, _, name = str(given["entrypoint"]).partition(":")
    return f"{path.removesuffix('.py').replace('/', '.')}:{name}"


def _schedule(given: dict[str, Any]) -> Any:
    from prefect.schedules import Cron

    return Cron(given["cron"], timezone=given.get("timezone", "UTC"), slug=given.get("slug"))


def main(flows: Sequence[str] = ()) -> int:
    """Serve these flows, or everything in `prefect.yaml`, until stopped; return the exit code."""
    url = server.answers(server.ASKED_FOR_S)
    if url is None:
        sys.stderr.write("no Prefect server answers. Next: prefect server start\n")
        return int(ExitCode.UNREACHABLE)
    os.environ["PREFECT_API_URL"] = url
    from prefect import serve

    made = [load(flow) for flow in flows]
    local = [f.to_deployment(name=f"{flow_name(f)}-local", tags=["local"]) for f in made]
    serve(*(local or described()))
    return int(ExitCode.CLEAN)


if __name__ == "__main__":
    sys.exit(main())

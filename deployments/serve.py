"""python -m deployments.serve: serve what `prefect.yaml` describes from this checkout.

It starts a Prefect server if none answers, sets up the limits and the automations, and serves every
deployment with its schedule, parameters and limit, without a work pool; a click starts faster here
than with a worker. Ctrl-C, SIGTERM or `make down` end it and the server that it started.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from autopack.errors import ExitCode
from autopack.settings import mask, workspace_root
from deployments import automations, environment, limits, server
from tasks import api, leftovers
from tasks.engine import as_prefect, flow_name

CONFIGURATION = Path(__file__).resolve().parents[1] / "prefect.yaml"
POLL_S = "2"
"""How often to look for runs that are due, in seconds; Prefect's 10 are long after a click."""


def load(flow: str) -> Any:
    """Return the Prefect Flow of a `module:function`."""
    module, _, name = flow.partition(":")
    return as_prefect(getattr(import_module(module), name))


def described(configuration: Path = CONFIGURATION) -> list[Any]:
    """Return the deployments of a `prefect.yaml`, ready to be served."""
    import yaml
    from prefect.client.schemas.objects import ConcurrencyLimitConfig
    from prefect.events import DeploymentEventTrigger
    from prefect.types.entrypoint import EntrypointType

    made = []
    for given in yaml.safe_load(configuration.read_text(encoding="utf-8"))["deployments"]:
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
                entrypoint_type=EntrypointType.MODULE_PATH,  # a run may start in any folder
            )
        )
    return made


def entrypoint(given: dict[str, Any]) -> str:
    """Return a deployment's flow as `module:function`."""
    path, _, name = str(given["entrypoint"]).partition(":")
    return f"{path.removesuffix('.py').replace('/', '.')}:{name}"


def _schedule(given: dict[str, Any]) -> Any:
    from prefect.schedules import Cron, Interval

    if "interval" in given:
        return Interval(timedelta(seconds=given["interval"]), slug=given.get("slug"))
    return Cron(given["cron"], timezone=given.get("timezone", "UTC"), slug=given.get("slug"))


def everything(workspace: str, configuration: Path) -> None:
    """Serve what a `prefect.yaml` describes until stopped; runs start in the workspace.

    Raises:
        UsageError: The workspace has no `docs/`.
        Busy: Another process serves already.
        Unreachable: No server answers, none can be started, or the one that was started ended.
        Refused: The server would be open to other machines.
    """
    began, root = time.monotonic(), workspace_root(workspace)
    paths = (str(CONFIGURATION.parent), os.environ.get("PYTHONPATH"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with server.only_one() as record:
        station = server.ensure(record, began)
        try:
            _say(f"UI: {mask(station.url.removesuffix('/api'))}  (stop: Ctrl-C or make down)")
            end_torn(station.url)
            _say(_summary("limits", limits.create()))
            made = described(configuration)
            os.chdir(root)
            _say(_summary("automations", automations.create()))
            _say(f"serving {len(made)} deployments for {root}")
            with server.watched(station.server):
                _serve(made, print_starting_message=False)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if station.server:
                server.end(station.server)
            server.write(record, None)
            _say("stopped")


def end_torn(url: str) -> None:
    """End what a power cut left, so that the next run of the same deployment is not dropped."""
    with contextlib.suppress(api.NoAnswer):  # each run looks again
        if left := leftovers.sweep(url, limit=10.0):
            _say(f"ended {left} runs that dead processes of this machine had left")


def only(flows: Sequence[str]) -> None:
    """Serve these flows, each a `module:function`, on the server that answers.

    Raises:
        Unreachable: None does.
    """
    os.environ["PREFECT_API_URL"] = server.answering()
    made = [load(flow) for flow in flows]
    _serve([f.to_deployment(name=f"{flow_name(f)}-local", tags=["local"]) for f in made])


def _serve(made: Sequence[Any], **how: Any) -> None:
    """Serve until stopped; SIGTERM ends it as Ctrl-C does.

    Prefect leaves by an exception out of its handler, which is lost where it comes in the middle of
    a weak reference's callback; asyncio answers an interrupt by cancelling its main task.
    """
    from prefect import serve
    from prefect.runner import Runner

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    Runner.handle_sigterm = interrupt  # type: ignore[assignment, method-assign]
    serve(*made, **how)


def _summary(what: str, done: dict[str, str]) -> str:
    kinds = dict.fromkeys(done.values())
    return f"{what}: " + ", ".join(
        f"{sum(1 for how in done.values() if how == kind)} {kind}" for kind in kinds
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _end_on_signals() -> None:
    """Make SIGTERM and a closed terminal end this process as Ctrl-C does: with its server."""

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    def hang_up(_number: int, _frame: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, hang_up)


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and serve until stopped; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m deployments.serve", description=(__doc__ or "").partition("\n")[2].strip()
    )
    parser.add_argument(
        "flows", nargs="*", metavar="MODULE:FUNCTION", help="serve these alone, without a schedule"
    )
    parser.add_argument(
        "--workspace", default=str(CONFIGURATION.parent), metavar="PATH",
        help="the checkout that runs work on unless they name another one (default: this one)",
    )  # fmt: skip
    parser.add_argument(
        "--file", type=Path, default=CONFIGURATION, metavar="YAML", help="instead of prefect.yaml"
    )
    given = parser.parse_args(argv)
    if credentials := environment.client_credentials(os.environ):
        os.environ["PREFECT_API_AUTH_STRING"] = credentials
    os.environ.setdefault("PREFECT_RUNNER_POLL_FREQUENCY", POLL_S)

    def work() -> int:
        _end_on_signals()
        try:
            only(given.flows) if given.flows else everything(given.workspace, given.file)
        except KeyboardInterrupt:
            return int(ExitCode.INTERRUPTED)
        return int(ExitCode.CLEAN)

    return server.reported(work)


if __name__ == "__main__":
    sys.exit(main())

"""`flow` and `task`: Prefect's inside a Prefect flow run, plain functions anywhere else.

A task decides at each call. `as_prefect(f)` and `plain(f)` give either side of a flow, whatever
was imported first. Retries, delays and timeouts are the same on both sides: a timeout is always
ours (SIGALRM in the main thread, never later than the run's deadline), retries are Prefect's
inside a flow run and a small loop elsewhere.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from autopack.errors import STATUS, AutopackError, ExitCode, Unreachable, UsageError
from autopack.report import Finding, Report
from autopack.settings import redact, secrets_of
from tasks.marks import (
    Between,
    CommandLineOnly,
    Flags,
    Positional,
    Remainder,
    form_signature,
)
from tasks.redacting import masked, protect, protect_logging, redact_error
from tasks.roots import check_paths
from tasks.run import Run, current, draft, failed, perform, running
from tasks.timing import StepTimeout, time_limit

__all__ = [
    "Between",
    "CommandLineOnly",
    "Flags",
    "Positional",
    "Remainder",
    "as_prefect",
    "draft",
    "flow",
    "flow_name",
    "options_of",
    "plain",
    "run_direct",
    "run_prefect",
    "task",
]

P = ParamSpec("P")
R = TypeVar("R")

# --- tasks ------------------------------------------------------------------------------------


def inside_prefect() -> bool:
    """Return whether this is the body of a Prefect flow run."""
    context = sys.modules.get("prefect.context")
    return context is not None and context.FlowRunContext.get() is not None


@dataclass(frozen=True)
class _Retry:
    times: int
    delays: tuple[float, ...]
    jitter: float
    wanted: Callable[[BaseException], bool]

    def delay(self, attempt: int) -> float:
        """Return the pause after failed attempt number `attempt` (1 is the first)."""
        if not self.delays:
            return 0.0
        base = self.delays[min(attempt, len(self.delays)) - 1]
        return base * (1 + random.uniform(0, self.jitter))  # noqa: S311

    def again(self, error: BaseException, attempt: int) -> bool:
        """Return whether to try again; a pause that outlasts the run's deadline is no chance."""
        run = current()
        left = run.left() if run else float("inf")
        pause = self.delays[min(attempt, len(self.delays)) - 1] if self.delays else 0.0
        return self.wanted(error) and pause < left


def task(**options: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator: a Prefect task inside a Prefect flow run, the function anywhere else.

    Options are Prefect's (`name`, `retries`, `retry_delay_seconds`, `retry_jitter_factor`,
    `timeout_seconds`, `tags`, …), and `retry_if`: an error to whether it is worth another try.
    """
    options = dict(options)
    limit: float | None = options.pop("timeout_seconds", None)
    wanted = options.pop("retry_if", lambda _error: True)
    delays = options.get("retry_delay_seconds") or ()
    retry = _Retry(
        options.get("retries") or 0,
        tuple(delays) if isinstance(delays, (list, tuple)) else (float(delays),),
        options.get("retry_jitter_factor") or 0.0,
        wanted,
    )

    def wrap(fn: Callable[P, R]) -> Callable[P, R]:
        name = options.get("name") or getattr(fn, "__name__", "task").replace("_", "-")
        built: list[Any] = []

        def late() -> Exception:
            return StepTimeout(f"step {name!r} took longer than its {limit:g} s")

        @functools.wraps(fn)
        def once(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                with time_limit(limit, late):
                    return fn(*args, **kwargs)
            except Exception as error:
                # Prefect stores an error's text in the task run's state.
                redact_error(error)
                raise

        @functools.wraps(fn)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if inside_prefect():
                if not built:
                    built.append(_prefect_task(once, {**options, "name": name}, retry))
                return built[0](*args, **kwargs)  # type: ignore[no-any-return]
            attempt = 1
            while True:
                try:
                    return once(*args, **kwargs)
                except Exception as error:
                    if attempt > retry.times or not retry.again(error, attempt):
                        raise
                time.sleep(retry.delay(attempt))
                attempt += 1

        setattr(call, "fn", fn)  # noqa: B010
        return call

    return wrap


def _prefect_task(fn: Callable[..., Any], options: dict[str, Any], retry: _Retry) -> Any:
    import prefect
    from prefect.cache_policies import NO_CACHE

    def condition(_task: Any, run: Any, state: Any) -> bool:
        error = state.data
        return isinstance(error, BaseException) and retry.again(error, max(1, run.run_count))

    return prefect.task(
        **{
            "persist_result": False,
            "cache_policy": NO_CACHE,
            "retry_condition_fn": condition,
            **options,
        }
    )(fn)


# --- flows --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FlowOptions:
    """A flow's Prefect options, and when it runs direct although it may write."""

    prefect: dict[str, Any]
    direct_when: Callable[[Mapping[str, Any]], bool]
    max_seconds: Callable[[Mapping[str, Any]], float | None] = lambda _values: None


def flow(
    *,
    direct_when: Callable[[Mapping[str, Any]], bool] = lambda _values: False,
    max_seconds: Callable[[Mapping[str, Any]], float | None] = lambda _values: None,
    **options: Any,
) -> Callable[[Callable[P, Report]], Callable[P, Report]]:
    """Return a decorator: a Prefect Flow where Prefect is already imported, else the function.

    `direct_when(values)` true means: with no server at hand, do not start one for this call.
    `max_seconds(values)` is the deadline where none is given and it depends on the other values.
    """

    def wrap(fn: Callable[P, Report]) -> Callable[P, Report]:
        setattr(fn, "flow_options", FlowOptions(options, direct_when, max_seconds))  # noqa: B010
        return as_prefect(fn) if "prefect" in sys.modules else fn

    return wrap


def plain(fn: Any) -> Callable[..., Report]:
    """Return the function under the decorators."""
    return inspect.unwrap(getattr(fn, "fn", fn))  # type: ignore[no-any-return]


def options_of(fn: Any) -> FlowOptions:
    """Return what `flow(...)` was given for this function."""
    return getattr(plain(fn), "flow_options", FlowOptions({}, lambda _values: False))


def completed(fn: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a call, with the deadline that they imply."""
    if "max_seconds" not in values or values["max_seconds"] is not None:
        return dict(values)
    return {**values, "max_seconds": options_of(fn).max_seconds(values)}


def flow_name(fn: Any) -> str:
    """Return the flow's name, as reports and Prefect show it."""
    inner = plain(fn)
    return str(options_of(inner).prefect.get("name") or inner.__name__.replace("_", "-"))


# --- Prefect ----------------------------------------------------------------------------------


def as_prefect(fn: Any) -> Any:
    """Return the Prefect Flow of a flow function, whatever was imported first."""
    import prefect

    if isinstance(fn, prefect.Flow):
        return fn
    inner = plain(fn)
    known: Any = getattr(inner, "prefect_flow", None)
    if known is not None:
        return known

    from prefect.runtime import deployment

    @functools.wraps(inner)
    def body(*args: Any, **kwargs: Any) -> Any:
        passed = inspect.signature(inner).bind(*args, **kwargs)
        passed.apply_defaults()
        run = _run_under_prefect(inner, passed.arguments)
        gate = _gate(run)
        report = failed(run, gate) if gate else perform(inner, run)
        return _as_state(report, deployed=bool(deployment.id))

    signature = form_signature(inner)
    setattr(body, "__signature__", signature)  # noqa: B010
    body.__annotations__ = {key: p.annotation for key, p in signature.parameters.items()}
    body.__annotations__["return"] = signature.return_annotation
    options = {"persist_result": False, "name": flow_name(inner), **options_of(inner).prefect}
    made = prefect.flow(**options)(body)
    setattr(inner, "prefect_flow", made)  # noqa: B010
    return made


def _run_under_prefect(inner: Callable[..., Any], values: dict[str, Any]) -> Run:
    """Return the run that `cli` announced, or a new one for a deployment or a direct call."""
    from prefect.runtime import deployment, flow_run

    run = current()
    if run is None or run.flow != flow_name(inner) or run.report is not None:
        protect(values)
        run = Run(flow_name(inner), completed(inner, values), engine="server")
    run.flow_run_id = flow_run.id
    if deployment.id:
        _arrive(str(flow_run.id))
    return run


def _arrive(run_id: str) -> None:
    """Let later runs know this process, and end what dead ones of this host have left."""
    from tasks import api, leftovers, server

    url = server.api_url()
    with contextlib.suppress(api.NoAnswer):  # its next heartbeats, or their absence, say the same
        leftovers.sign(url, run_id)
        leftovers.sweep(url, limit=1.0)


def _gate(run: Run) -> AutopackError | None:
    """Return why a run may not start: a password typed into a form, or a path out of bounds."""
    from prefect.runtime import deployment

    url, deployed = run.values.get("database_url"), bool(deployment.id)
    if deployed and isinstance(url, str) and secrets_of(url):
        return UsageError(
            "a password in database_url is stored with the flow run",
            next_step="change that password and set DATABASE_URL in the worker's environment",
        )
    try:
        check_paths(run.values, deployed=deployed)
    except AutopackError as error:
        return error
    return None


def _as_state(report: Report, *, deployed: bool) -> Any:
    """Return the Prefect state that says the same as the exit code.

    A deployment's failed run has no data: Prefect looks for an exception there, and would log the
    whole report as one that it is not.
    """
    from prefect.states import Completed, Failed

    line = report.message or f"{report.status} (exit {report.exit_code})"
    if report.exit_code == ExitCode.CLEAN:
        return Completed(data=report, message=line)
    if report.exit_code == ExitCode.FINDINGS:
        return Completed(name="Findings", data=report, message=line)
    name = STATUS.get(ExitCode(report.exit_code), "failed").title()
    return Failed(name=name, data=None if deployed else report, message=line)


def stored_parameters(fn: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters to hand to Prefect, which stores them: secrets masked.

    The real values reach the flow inside this process, by the run in progress.
    """
    shown = form_signature(plain(fn)).parameters
    return masked({key: values.get(key, shown[key].default) for key in shown})


def run_direct(fn: Any, run: Run) -> Report:
    """Run a flow without Prefect."""
    return perform(plain(fn), run)


def run_prefect(fn: Any, run: Run, ready: Callable[[], None] = lambda: None) -> Report:
    """Run a flow as a Prefect flow run of the server at `PREFECT_API_URL`, in this process.

    `ready` waits for the server; it is called when Prefect is imported.
    """
    from prefect import tags
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from tasks import leftovers

    protect_logging()
    _quieten_console()
    made = as_prefect(fn)
    ready()
    try:
        with (
            temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
            tags(*leftovers.own_tags()),
            running(run),
        ):
            made(**stored_parameters(fn, run.values), return_state=True)
    except AutopackError:
        raise
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("prefect", "httpx", "httpcore"):
            raise
        return _not_recorded(run, error)
    if run.report is None:
        raise RuntimeError("Prefect ended the flow run without a report")
    return run.report


def _not_recorded(run: Run, error: Exception) -> Report:
    """Return the report although the server failed: the flow's own, if it got that far."""
    line = f"the Prefect server failed: {type(error).__name__}: {error}"
    if run.report is None:
        raise Unreachable(line, next_step="run again, or use --engine direct") from error
    warning = Finding("not_recorded", "warning", "", None, redact(" ".join(line.split())))
    run.report.findings.append(warning)
    return run.report


def _quieten_console() -> None:
    """Keep Prefect's log lines for the server; the report is what the terminal gets."""
    import logging

    # It says "Still processing" at every exit.
    logging.getLogger("prefect.EventsWorker").setLevel(logging.ERROR)
    if "PREFECT_LOGGING_LEVEL" in os.environ:
        return
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs", ""):
        for handler in logging.getLogger(name).handlers:
            if type(handler).__name__ == "PrefectConsoleHandler":
                handler.setLevel(logging.CRITICAL)

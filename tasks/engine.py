"""`flow` and `task`: Prefect's inside a Prefect flow run, plain functions anywhere else.

A task decides at each call. `as_prefect(f)` and `plain(f)` give either side of a flow, whatever
was imported first. Retries, delays and timeouts are the same on both sides: a timeout is always
ours (SIGALRM in the main thread, never later than the run's deadline), retries are Prefect's
inside a flow run and a small loop elsewhere.
"""

from __future__ import annotations

import functools
import inspect
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin

from autopack.errors import (
    STATUS,
    AutopackError,
    DeadlineExceeded,
    ExitCode,
    Unreachable,
    UsageError,
)
from autopack.report import Finding, Report
from autopack.settings import redact, secrets_of

P = ParamSpec("P")
R = TypeVar("R")

ALARM_GRACE_S = 0.25
"""A run's own deadline checks name what was being done, so the alarm gives them this lead."""


class Flags:
    """Marks a `Literal` whose values are switches of their own, at most one of them."""


class Positional:
    """Marks a parameter that stands on the command line without a flag."""


class CommandLineOnly:
    """Marks a parameter that the Prefect form does not show."""


@dataclass(frozen=True)
class Between:
    """Marks a number's bounds, both allowed; the command line and the Prefect form check them."""

    low: float
    high: float


class StepTimeout(AutopackError):
    """One step took longer than its own limit; the run's deadline has not passed."""

    code = ExitCode.DEADLINE


class Budget(float):
    """The seconds that are left, shown as the number the operator gave."""

    def __new__(cls, left: float, given: float) -> Budget:
        budget = super().__new__(cls, max(left, 0.001))
        budget.given = given
        return budget

    given: float

    def __format__(self, spec: str) -> str:
        return format(self.given, spec)


@dataclass
class Run:
    """What is known about the run in progress; `cli` and `perform` share it."""

    flow: str
    values: dict[str, Any]
    engine: str = "direct"
    began: float = field(default_factory=time.monotonic)
    ends: float | None = None
    flow_run_id: str | None = None
    draft: Report | None = None
    report: Report | None = None
    published: bool = False

    @property
    def execute(self) -> bool:
        """Whether this run was allowed to write."""
        return self.values.get("execute") is True

    def left(self) -> float:
        """Return the seconds until the deadline; without one there is no end."""
        return float("inf") if self.ends is None else max(0.0, self.ends - time.monotonic())

    @property
    def workspace(self) -> Path:
        """The checkout this run works on, as it was given."""
        return Path(str(self.values.get("workspace", "."))).expanduser()


_run: ContextVar[Run | None] = ContextVar("autopack_run", default=None)


def current() -> Run | None:
    """Return the run in progress in this context."""
    return _run.get()


def draft(report: Report) -> Report:
    """Keep the report a flow is filling in: if the run fails, its steps and writes are shown."""
    if run := current():
        run.draft = report
    return report


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Make `run` the run in progress."""
    token = _run.set(run)
    try:
        yield run
    finally:
        _run.reset(token)


# --- timeouts ---------------------------------------------------------------------------------


@contextmanager
def time_limit(seconds: float | None, error: Callable[[], Exception]) -> Iterator[None]:
    """Raise `error()` in the body after `seconds`; an outer limit that is sooner stays armed.

    Only the main thread can be interrupted; elsewhere this does nothing.
    """
    left = signal.getitimer(signal.ITIMER_REAL)[0]
    main = threading.current_thread() is threading.main_thread()
    if not main or seconds is None or 0 < left <= seconds:
        yield
        return
    armed = True

    def ring(_number: int, _frame: object) -> None:
        if armed:
            raise error()

    began, outer = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
            yield
        finally:
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, outer)
        if left:
            again = left - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(again, 0.001))


def out_of_time(given: float) -> DeadlineExceeded:
    """Return the error for a run that `--max-seconds` cut short."""
    return DeadlineExceeded(
        f"--max-seconds {given:g} ran out",
        next_step="run again with a larger --max-seconds; finished work is kept",
    )


# --- tasks ------------------------------------------------------------------------------------


def _inside_prefect() -> bool:
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
                _redact_error(error)
                raise

        @functools.wraps(fn)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if _inside_prefect():
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


def _redact_error(error: BaseException) -> None:
    """Take every known secret out of an error's text, in place."""
    if redact(repr(error)) == repr(error) and redact(str(error)) == str(error):
        return
    error.args = tuple(redact(a) if isinstance(a, str) else redact(repr(a)) for a in error.args)
    for key, value in list(vars(error).items()):
        if isinstance(value, str):
            setattr(error, key, redact(value))


# --- flows ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FlowOptions:
    """A flow's Prefect options, and when it runs direct although it may write."""

    prefect: dict[str, Any]
    direct_when: Callable[[Mapping[str, Any]], bool]


def flow(
    *, direct_when: Callable[[Mapping[str, Any]], bool] = lambda _values: False, **options: Any
) -> Callable[[Callable[P, Report]], Callable[P, Report]]:
    """Return a decorator: a Prefect Flow where Prefect is already imported, else the function.

    `direct_when(values)` true means: with no server at hand, do not start one for this call.
    """

    def wrap(fn: Callable[P, Report]) -> Callable[P, Report]:
        setattr(fn, "flow_options", FlowOptions(options, direct_when))  # noqa: B010
        return as_prefect(fn) if "prefect" in sys.modules else fn

    return wrap


def plain(fn: Any) -> Callable[..., Report]:
    """Return the function under the decorators."""
    return inspect.unwrap(getattr(fn, "fn", fn))  # type: ignore[no-any-return]


def options_of(fn: Any) -> FlowOptions:
    """Return what `flow(...)` was given for this function."""
    return getattr(plain(fn), "flow_options", FlowOptions({}, lambda _values: False))


def flow_name(fn: Any) -> str:
    """Return the flow's name, as reports and Prefect show it."""
    inner = plain(fn)
    return str(options_of(inner).prefect.get("name") or inner.__name__.replace("_", "-"))


def perform(fn: Any, run: Run) -> Report:
    """Run the plain function once; whatever happens becomes its report, stamped and published.

    Interrupts and termination pass through.
    """
    from tasks.publish import publish

    inner, values = plain(fn), dict(run.values)
    given = values.get("max_seconds")
    if isinstance(given, (int, float)):
        run.ends = run.ends if run.ends is not None else run.began + given
        values["max_seconds"] = Budget(run.ends - time.monotonic(), given)
    with running(run):
        try:
            with deadline_alarm(run, given):
                report = inner(**values)
        except AutopackError as error:
            report = failed(run, error)
        except Exception as error:  # noqa: BLE001 - an uncaught one would exit 1: findings
            report = bug(run, error)
        report.engine, report.flow_run_id = run.engine, run.flow_run_id
        report.seconds = time.monotonic() - run.began
        run.report = report
        with deadline_alarm(run, given):
            publish(run, report)
    return report


@contextmanager
def deadline_alarm(run: Run, given: float | None) -> Iterator[None]:
    """Raise `DeadlineExceeded` in the main thread shortly after the run's deadline."""
    if run.ends is None or given is None:
        yield
        return
    with time_limit(run.left() + ALARM_GRACE_S, lambda: out_of_time(float(given))):
        yield


def failed(run: Run, error: AutopackError) -> Report:
    """Return the report of a run that could not do its job."""
    report = run.draft or Report(run.flow, execute=run.execute)
    report.exit_code = int(error.code)
    report.message = redact(" ".join(str(error).split()))
    report.engine, report.flow_run_id = run.engine, run.flow_run_id
    report.seconds = time.monotonic() - run.began
    return report


def bug(run: Run, error: BaseException) -> Report:
    """Return the report of a bug; its traceback goes to a file that the message names."""
    path = _write_traceback(run, error)
    first = " ".join(str(error).split())[:300]
    text = f"bug: {type(error).__name__}: {first}" if first else f"bug: {type(error).__name__}"
    return failed(run, AutopackError(text, next_step=f"report it with the traceback in {path}"))


def _write_traceback(run: Run, error: BaseException) -> str:
    import traceback

    text = redact("".join(traceback.format_exception(error)))
    name = f"traceback-{run.flow}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.txt"
    folder = run.workspace / ".autonomous_runs" / "reports"
    try:
        if not (run.execute and (run.workspace / "docs").is_dir()) and not folder.is_dir():
            raise NotADirectoryError(folder)  # a dry run creates no directory
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        return str(folder / name)
    except OSError:
        import tempfile

    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix=name[:-4] + "-",
            suffix=".txt",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as file:
            file.write(text)
    except OSError as full:
        return f"no file ({full.strerror})"
    return file.name


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

    @functools.wraps(inner)
    def body(*args: Any, **kwargs: Any) -> Any:
        passed = inspect.signature(inner).bind(*args, **kwargs)
        passed.apply_defaults()
        run = _run_under_prefect(inner, passed.arguments)
        stored = _stored_password(run)
        return _as_state(failed(run, stored) if stored else perform(inner, run))

    signature = _form_signature(inner)
    setattr(body, "__signature__", signature)  # noqa: B010
    body.__annotations__ = {key: p.annotation for key, p in signature.parameters.items()}
    body.__annotations__["return"] = signature.return_annotation
    options = {"persist_result": False, "name": flow_name(inner), **options_of(inner).prefect}
    made = prefect.flow(**options)(body)
    setattr(inner, "prefect_flow", made)  # noqa: B010
    return made


def _run_under_prefect(inner: Callable[..., Any], values: dict[str, Any]) -> Run:
    """Return the run that `cli` announced, or a new one for a deployment or a direct call."""
    from prefect.runtime import flow_run

    run = current()
    if run is None or run.flow != flow_name(inner) or run.report is not None:
        protect(values)
        run = Run(flow_name(inner), dict(values), engine="server")
    run.flow_run_id = flow_run.id
    return run


def _stored_password(run: Run) -> UsageError | None:
    """Return the error for a password that somebody typed into a deployment's form."""
    from prefect.runtime import deployment

    url = run.values.get("database_url")
    if deployment.id and isinstance(url, str) and secrets_of(url):
        return UsageError(
            "a password in database_url is stored with the flow run",
            next_step="change that password and set DATABASE_URL in the worker's environment",
        )
    return None


def _form_signature(inner: Callable[..., Any]) -> inspect.Signature:
    """Return the signature the UI form is made of: bounds as pydantic fields, no marks."""
    from pydantic import Field

    signature = inspect.signature(inner, eval_str=True)
    shown = []
    for parameter in signature.parameters.values():
        kind: Any = parameter.annotation
        marks: list[Any] = []
        if get_origin(kind) is Annotated:
            kind, *marks = get_args(kind)
        if any(isinstance(mark, CommandLineOnly) for mark in marks):
            continue
        for mark in marks:
            if isinstance(mark, Between):
                kind = Annotated[kind, Field(ge=mark.low, le=mark.high)]
        shown.append(parameter.replace(annotation=kind))
    return signature.replace(parameters=shown)


def _as_state(report: Report) -> Any:
    """Return the Prefect state that says the same as the exit code."""
    from prefect.states import Completed, Failed

    line = report.message or f"{report.status} (exit {report.exit_code})"
    if report.exit_code == ExitCode.CLEAN:
        return Completed(data=report, message=line)
    if report.exit_code == ExitCode.FINDINGS:
        return Completed(name="Findings", data=report, message=line)
    name = STATUS.get(ExitCode(report.exit_code), "failed").title()
    return Failed(name=name, data=report, message=line)


def masked_parameters(fn: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters to hand to Prefect, which stores them: secrets masked.

    The real values reach the flow inside this process, by the run in progress.
    """
    from autopack.settings import mask

    shown = {}
    for key, parameter in _form_signature(plain(fn)).parameters.items():
        value = values.get(key, parameter.default)
        shown[key] = redact(mask(value)) if isinstance(value, str) and secrets_of(value) else value
        if isinstance(shown[key], str):
            shown[key] = redact(shown[key])
    return shown


def run_direct(fn: Any, run: Run) -> Report:
    """Run a flow without Prefect."""
    return perform(fn, run)


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
            made(**masked_parameters(fn, run.values), return_state=True)
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


# --- secrets ----------------------------------------------------------------------------------


def protect(values: Mapping[str, Any]) -> None:
    """Let the redactor know every secret of this run, and the log records pass through it."""
    redact.learn_environment(os.environ)
    redact.learn(*(v for v in values.values() if isinstance(v, str) and "://" in v))
    protect_logging()


def protect_logging() -> None:
    """Redact every log record, its traceback included, before any handler sees it; once."""
    import logging

    made = logging.getLogRecordFactory()
    if getattr(made, "redacts", False):
        return

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        try:
            record.msg, record.args = redact(record.getMessage()), None
        except (TypeError, ValueError):  # a bad format string; logging reports it itself
            return record
        if record.exc_info:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return record

    setattr(factory, "redacts", True)  # noqa: B010
    logging.setLogRecordFactory(factory)

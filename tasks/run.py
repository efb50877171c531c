"""One run of a flow: what is known about it, and how every end becomes its report."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autopack.errors import AutopackError, ExitCode, Refused, Unreachable
from autopack.report import Report
from autopack.settings import Target, redact, user_path
from autopack.state_files import REPORTS
from tasks.timing import ALARM_GRACE_S, Budget, clock_stopped, out_of_time, time_limit

_COMMAND = re.compile(r"python -m flows\.\w+(?: [a-z][\w-]*)?(?![\w-])")
"""A command of ours in running text, with its subcommand if it has one."""
_SERVE = re.compile(r"make serve(?! WORKSPACE=)")


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
    recorded: bool = False
    anchor: Target | None = None
    """The database that keeps the head of the audit chain when this run's record is in it."""
    # Nobody reads along: `--json` is for programs.
    quiet: bool = False

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
        return user_path(str(self.values.get("workspace", ".")))


_run: ContextVar[Run | None] = ContextVar("autopack_run", default=None)


def current() -> Run | None:
    """Return the run in progress in this context."""
    return _run.get()


@contextmanager
def waiting_for_a_person() -> Iterator[None]:
    """Stop the clock of the run in progress while somebody is asked; hold no lock meanwhile."""
    run = current()
    began, ends = time.monotonic(), run.ends if run else None
    if run and ends is not None:
        run.ends = float("inf")
    try:
        with clock_stopped():
            yield
    finally:
        if run and ends is not None:
            run.ends = ends + time.monotonic() - began


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


def perform(fn: Callable[..., Report], run: Run) -> Report:
    """Run the plain function once; whatever happens becomes its report, stamped and published.

    Interrupts and termination pass through, with their audit record written.
    """
    from tasks.publish import publish

    values = dict(run.values)
    given = values.get("max_seconds")
    if isinstance(given, (int, float)):
        run.ends = run.ends if run.ends is not None else run.began + given
        values["max_seconds"] = Budget(run.ends - time.monotonic(), given)
    with running(run):
        try:
            with deadline_alarm(run, given):
                report = fn(**values)
        except AutopackError as error:
            report = failed(run, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - uncaught, it would exit 0 or 1
            report = bug(run, error)
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt)
            cut_short(run, ExitCode.INTERRUPTED if interrupted else ExitCode.TERMINATED)
            raise
        report.engine, report.flow_run_id = run.engine, run.flow_run_id
        report.seconds = time.monotonic() - run.began
        name_workspace(report, str(run.values.get("workspace", ".")))
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
    report = _snapshot(run.draft) if run.draft else Report(run.flow, execute=run.execute)
    report.exit_code = int(error.code)
    report.message = redact(" ".join(str(error).split()))
    report.engine, report.flow_run_id = run.engine, run.flow_run_id
    report.seconds = time.monotonic() - run.began
    name_workspace(report, str(run.values.get("workspace", ".")))
    return report


def about_workspace(text: str, workspace: str) -> str:
    """Return a text whose commands of ours work on a workspace."""
    if workspace == "." or "--workspace" in text:
        return text
    place = shlex.quote(workspace)
    text = _SERVE.sub(lambda match: f"{match[0]} WORKSPACE={place}", text)
    return _COMMAND.sub(lambda match: f"{match[0]} --workspace {place}", text)


def name_workspace(report: Report, workspace: str) -> None:
    """Make the commands a report advises work on the workspace that it is about."""
    if workspace == ".":
        return

    def named(text: str) -> str:
        return about_workspace(text, workspace)

    report.message = named(report.message)
    report.findings = [
        replace(f, fix=fix) if (fix := named(f.fix)) != f.fix else f for f in report.findings
    ]
    report.next_steps = [replace(s, command=named(s.command)) for s in report.next_steps]


def _snapshot(report: Report) -> Report:
    """Return a copy that a flow still at work in another thread can't change under us."""
    return replace(
        report,
        targets=dict(report.targets),
        counts=dict(report.counts),
        writes=replace(report.writes, files=list(report.writes.files)),
        findings=list(report.findings),
        crowds=list(report.crowds),
        steps=list(report.steps),
        next_steps=list(report.next_steps),
        extra=dict(report.extra),
    )


def cut_short(run: Run, code: ExitCode) -> Report:
    """Return the report of an interrupted or terminated run, recorded once."""
    from tasks.publish import record

    word = "interrupted" if code == ExitCode.INTERRUPTED else "terminated"
    error = AutopackError(word, next_step="run it again; every write is repeatable")
    error.code = code
    run.draft = run.report or run.draft
    run.report = failed(run, error)
    record(run, run.report)
    return run.report


def bug(run: Run, error: BaseException) -> Report:
    """Return the report of a bug; its traceback goes to a file that the message names."""
    if isinstance(error, ModuleNotFoundError) and not _ours(error.name or ""):
        return failed(run, _not_installed(error.name or str(error)))
    path = _write_traceback(run, error)
    first = " ".join(str(error).split())[:300]
    text = f"bug: {type(error).__name__}: {first}" if first else f"bug: {type(error).__name__}"
    return failed(run, AutopackError(text, next_step=f"report it with the traceback in {path}"))


def _ours(module: str) -> bool:
    return module.partition(".")[0] in ("autopack", "tasks", "flows", "deployments")


def _not_installed(module: str) -> AutopackError:
    """Return the error of an interpreter that lacks what this project stands on."""
    if module == "fcntl":
        return Refused(
            f"{sys.platform} has no {module}, which writes and records are locked with",
            next_step="run it on Linux or macOS",
        )
    return Unreachable(
        f"{sys.executable} has no module {module!r}",
        next_step="use the checkout's .venv/bin/python, which `make demo` sets up",
    )


def _write_traceback(run: Run, error: BaseException) -> str:
    import traceback

    text = redact("".join(traceback.format_exception(error)))
    name = f"traceback-{run.flow}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.txt"
    folder = run.workspace / REPORTS
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

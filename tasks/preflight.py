"""Steps of preflight: read the manifest, run the checks side by side, keep what passed."""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from autopack.deadline import Deadline
from autopack.errors import (
    AutopackError,
    DeadlineExceeded,
    Refused,
    Unreachable,
    UsageError,
)
from autopack.io import check_cache, check_files
from autopack.io.check_process import Start
from autopack.preflight.checks import Check, longest_first
from autopack.preflight.outcome import Outcome, late, outcome_of_command, outcome_of_findings
from autopack.report import Finding
from tasks import policy
from tasks.engine import inside_prefect, task
from tasks.preflight_builtin import ARGS, BUILTINS, READS, Found, Ground
from tasks.preflight_report import heard, say
from tasks.preflight_session import Preflight, workers

LOOKS_EVERY_S = 0.2
STUCK_S = 2.0
"""How long after its timeout a check that cannot be ended is waited for."""


@task(name="read-manifest", **policy.READ)
def read(preflight: Preflight) -> None:
    """Read the manifest and choose what was asked for.

    Raises:
        UsageError: It is no manifest, or nothing in it was asked for: to run nothing is no pass.
    """
    found = check_files.read_manifest(preflight.root, ARGS)
    preflight.manifest, preflight.checks = found
    preflight.chosen = preflight.wanted.of(preflight.checks)
    if not preflight.chosen:
        raise UsageError(
            f"{preflight.manifest} has no check in tier {preflight.wanted.tier}",
            next_step="python -m flows.preflight --list",
        )
    preflight.passed = check_cache.load(preflight.root)
    preflight.kept = dict(preflight.passed)


def run_checks(preflight: Preflight, ended: Callable[[Outcome], None]) -> None:
    """Run the chosen checks, at most one for each processor at once; what is alone runs last.

    Whatever ends this early ends every command with all that it started.

    Raises:
        DeadlineExceeded: The run's time was over.
    """
    ordered = longest_first(preflight.chosen)
    try:
        together = [check for check in ordered if not check.alone]
        _Board(preflight, together, workers(), ended).play()
        _Board(preflight, [check for check in ordered if check.alone], 1, ended).play()
    except BaseException:
        preflight.running.end_all()
        raise


class _Board:
    """Checks that wait, run and have ended; threads take the next one, the main thread watches."""

    def __init__(
        self,
        preflight: Preflight,
        checks: Sequence[Check],
        threads: int,
        ended: Callable[[Outcome], None],
    ) -> None:
        self.preflight, self.ended = preflight, ended
        self.threads = min(threads, len(checks))
        self.waiting: queue.SimpleQueue[tuple[Check, contextvars.Context]] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[tuple[Check, Outcome | BaseException]] = queue.SimpleQueue()
        self.began: dict[str, float] = {}
        self.left = {check.id: check for check in checks}
        for check in checks:  # a context may be entered once
            self.waiting.put((check, contextvars.copy_context()))

    def play(self) -> None:
        """Run everything, and tell each end."""
        for _ in range(self.threads):
            self._thread()
        while self.left:
            self.preflight.deadline.check(f"running {', '.join(self.began) or 'checks'}")
            try:
                check, result = self.done.get(timeout=self._pause())
            except queue.Empty:
                self._give_up()
                continue
            if isinstance(result, BaseException):
                raise result
            self._end(check, result)

    def _thread(self) -> None:
        threading.Thread(target=self._work, name="preflight", daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                check, context = self.waiting.get_nowait()
            except queue.Empty:
                return
            self.began[check.id] = time.monotonic()
            try:
                result: Any = context.run(run_check, check.id, self.preflight)
                result = result if isinstance(result, Outcome) else result.result()
            except BaseException as error:  # noqa: BLE001 - the main thread raises it
                result = error
            self.done.put((check, result))

    def _pause(self) -> float:
        return min(LOOKS_EVERY_S, max(0.01, self.preflight.deadline.remaining()))

    def _end(self, check: Check, outcome: Outcome) -> None:
        if self.left.pop(check.id, None):
            if outcome.status == "skipped" and check.id in self.preflight.wanted.only:
                outcome = replace(outcome, status="missing")  # it was asked for by name
            self.began.pop(check.id, None)
            self.preflight.outcomes[check.id] = outcome
            _remember(self.preflight, outcome)
            self.ended(outcome)

    def _give_up(self) -> None:
        """Go on without a built-in check that is stuck in this process; its thread is left."""
        for name, began in list(self.began.items()):
            check, took = self.left[name], time.monotonic() - began
            if check.builtin and took > check.timeout_s + STUCK_S:
                self._end(check, late(check, took))
                self._thread()


def _remember(preflight: Preflight, outcome: Outcome) -> None:
    """Take a pass down; forget the one before where there is none now, whoever says so."""
    name = outcome.check.id
    if outcome.key and outcome.status == "passed" and not outcome.findings:
        preflight.passed[name] = outcome.key
    elif preflight.changed or outcome.status != "passed":
        preflight.passed.pop(name, None)


@task(name="check", timeout_seconds=86400.0, task_run_name="{name}")
def run_check(name: str, preflight: Preflight) -> Outcome:
    """Run one check; a repeat runs it again. Its own timeout ends what it started."""
    check, began = preflight.named(name), time.monotonic()
    if sys.platform not in check.platforms:
        return Outcome(check, "skipped", note=f"not for {sys.platform}")
    key = _key(preflight, check) if preflight.changed else ""
    if key and preflight.passed.get(name) == key:
        return Outcome(check, "passed", cached=True, key=key)
    try:
        outcome = (_command if check.command else _builtin)(preflight, check)
    except Unreachable as error:
        optional = check.cadence == "optional"
        outcome = Outcome(
            check, "skipped" if optional else "missing", note=error.message, advice=error.next_step
        )
    return _stated(replace(outcome, seconds=round(time.monotonic() - began, 3), key=key))


def _stated(outcome: Outcome) -> Outcome:
    """Return what gives the task run of a check that did not pass a name that says so."""
    if outcome.status in ("passed", "skipped") or not inside_prefect():
        return outcome
    from prefect.states import Completed

    name = "Findings" if outcome.status == "failed" else outcome.status.title()
    state: Any = Completed(name=name, data=outcome, message=outcome.first)
    return cast(Outcome, state)  # `_Board` takes the outcome out of it


def _command(preflight: Preflight, check: Check) -> Outcome:
    """Run a command until its timeout, never beyond the run's deadline.

    Raises:
        Unreachable: There is no such tool.
        DeadlineExceeded: The run's time was over first.
    """
    command = check_files.resolve(check.command, preflight.root)
    if isinstance(command, str):
        raise Unreachable(command, next_step="install it, or take the check out", permanent=True)
    env = check_files.environment(os.environ, preflight.root, check.id)
    told = (lambda line: say(f"{check.id} | {line}")) if check.stream and heard() else None
    seconds = min(check.timeout_s, preflight.deadline.remaining())
    try:
        ended = preflight.running.run(Start(command, preflight.root, env), seconds, told)
    except OSError as error:
        raise Unreachable(
            f"{check.command[0]}: {error.strerror}", next_step="make it a program", permanent=True
        ) from None
    if ended.code is None:
        preflight.deadline.check(f"running {check.id}")
        return late(check, ended.seconds, ended.lines)

    def file(name: str) -> str:
        return check_files.name_of(preflight.root, name)

    return outcome_of_command(check, ended.code, ended.lines, ended.seconds, file)


def _builtin(preflight: Preflight, check: Check) -> Outcome:
    """Run a rule of ours, outside of any Prefect run: its steps are no tasks of this one.

    Raises:
        Unreachable: Something that it needs is missing.
        DeadlineExceeded: The run's time was over first.
    """
    seconds = min(check.timeout_s, preflight.deadline.remaining())
    ground = Ground(
        check, preflight.root, preflight.files, tuple(preflight.checks), Deadline.after(seconds),
        preflight.running,
    )  # fmt: skip
    try:
        found: Found = contextvars.Context().run(BUILTINS[check.builtin], ground)
    except DeadlineExceeded:
        preflight.deadline.check(f"running {check.id}")
        return late(check, seconds)
    except (UsageError, Refused) as error:
        found = [_as_finding(error)]
    if isinstance(found, str):
        return Outcome(check, "skipped", note=found)
    return outcome_of_findings(check, found, 0.0)


def _as_finding(error: AutopackError) -> Finding:
    return Finding("unreadable", "error", "", None, error.message, error.next_step)


def _key(preflight: Preflight, check: Check) -> str:
    """Return what a pass holds for: inputs, check, tool, interpreter; "" where nothing is named."""
    inputs = check_files.matching(preflight.files, check.inputs)
    if not inputs:
        return ""
    more = check_files.matching(preflight.files, READS.get(check.builtin, ()))
    inputs = sorted({*inputs, *more, *check_files.scripts(check.command, preflight.files)})
    command = check_files.resolve(check.command, preflight.root) if check.command else []
    tool = check_files.tool_version(command) if isinstance(command, list) and command else ""
    # A rule of ours may ask of any name whether it is there.
    own = [check_files.own_version(), *sorted(preflight.files)] if check.builtin else []
    parts = (
        repr(check), tool, *own, sys.executable, sys.version, sys.platform,
        check_files.installed(), check_files.digest(preflight.root, inputs),
    )  # fmt: skip
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def forget(preflight: Preflight) -> None:
    """Forget at once what has passed before and failed now, however the run goes on."""
    lost = preflight.kept.keys() - preflight.passed.keys()
    if lost:
        with contextlib.suppress(OSError):  # `keep` warns
            check_cache.store(preflight.root, {}, {name: preflight.kept[name] for name in lost})


@task(name="keep-passes", **policy.IDEMPOTENT_WRITE)
def keep(preflight: Preflight, written: list[str]) -> None:
    """Keep what passed for the next run; a cache that cannot be written costs only time."""
    try:
        written.append(str(check_cache.store(preflight.root, preflight.passed, preflight.kept)))
    except OSError as error:
        print(f"warning: no cache: {error.strerror}", file=sys.stderr)  # noqa: T201

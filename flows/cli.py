"""`main(flow)`: run a flow as a command, `python -m flows.<name>`.

The whole command line is read first, then an engine is chosen, then the report is printed: as
text, or with `--json` as the only thing on stdout. Every way to end has its exit code.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from autopack.errors import AutopackError, ExitCode
from autopack.report import Report
from autopack.settings import database_target, qdrant_target, redact, workspace_root
from flows.command import Command, parse
from tasks import engine
from tasks.marks import Between, CommandLineOnly, Flags, Positional
from tasks.redacting import learn_urls, protect
from tasks.roots import check_paths
from tasks.run import Run, bug, cut_short, deadline_alarm, failed
from tasks.timing import out_of_time

__all__ = ["Between", "CommandLineOnly", "Flags", "Positional", "main"]

BACKSTOP_S = 0.7
"""A run that is still stuck this long after its deadline is ended from outside its main thread."""
LOOK_AGAIN_S = 5.0
"""How often it is looked at whether the deadline has moved."""
SERVER_NEEDS_S = 30.0
"""A run with less time than this starts no server of its own."""


_INTERRUPTS, _TERMINATES = (signal.SIGINT,), (signal.SIGTERM, getattr(signal, "SIGHUP", None))
"""A closed terminal sends SIGHUP, which no session of its own hears that a run has started."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP arrived."""


def main(*flows: Callable[..., Report]) -> NoReturn:
    """Read the command line, run the flow, print its report and exit with its code."""
    began = time.monotonic() - _process_age(flows[0])
    # A command lives for seconds: to look for garbage after every 700 objects costs it a third.
    gc.set_threshold(50_000, 20, 100)
    redact.learn_environment(os.environ)
    learn_urls(*_urls(sys.argv[1:]))
    command = parse(flows, sys.argv[1:])
    with _Terminal(command.format) as terminal:
        run = Run(engine.flow_name(command.fn), command.values, began=began)
        run.quiet = command.format == "json"
        given = command.values.get("max_seconds")
        if isinstance(given, (int, float)):
            run.ends = began + given
        protect(command.values)
        code = _Session(command, run, terminal).finish()
    _exit(code)


def _exit(code: int) -> NoReturn:
    raise SystemExit(code)


def _urls(words: list[str]) -> list[str]:
    """Return every URL on the command line, `--flag=URL` included: an error may quote it."""
    return [
        word.partition("=")[2] if word.startswith("-") and "=" in word else word
        for word in words
        if "://" in word
    ]


def _process_age(fn: Any) -> float:
    """Return how long this process has been up: start-up counts, where it runs this one flow."""
    if engine.plain(fn).__module__ != "__main__":
        return 0.0
    try:
        with open("/proc/self/stat", "rb") as file:
            started = int(file.read().rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, min(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 60.0))
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


class _Session:
    """One run from engine choice to printed report, under signals and the deadline's backstop."""

    def __init__(self, command: Command, run: Run, terminal: _Terminal) -> None:
        self.command, self.run, self.terminal = command, run, terminal
        self.once = threading.Lock()
        self.code: int | None = None

    def finish(self) -> int:
        """Run the flow; return the exit code, with the report printed."""
        self._watch()
        self._catch_signals()
        try:
            report = self._report()
        except KeyboardInterrupt:
            report = cut_short(self.run, ExitCode.INTERRUPTED)
        except Terminated:
            report = cut_short(self.run, ExitCode.TERMINATED)
        except BaseException as error:  # noqa: BLE001 - SystemExit, Prefect's own signals
            report = bug(self.run, error)
        code = self.emit(report)
        if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            _end_at_once_on_signals(code)
        return code

    def _report(self) -> Report:
        try:
            with deadline_alarm(self.run, self.command.values.get("max_seconds")):
                return self._run_on_engine()
        except AutopackError as error:
            return self.run.report or self._recorded(failed(self.run, error))
        except Exception as error:  # noqa: BLE001 - an uncaught one would exit 1: findings
            return self._recorded(bug(self.run, error))

    def _run_on_engine(self) -> Report:
        self._check_targets()
        chosen = choose(self.command, self.run)
        self.run.engine = chosen
        if chosen == "direct":
            return engine.run_direct(self.command.fn, self.run)
        from tasks import server

        ready = server.connect(chosen, self.run.left())
        return engine.run_prefect(self.command.fn, self.run, ready)

    def _check_targets(self) -> None:
        """Refuse a bad workspace or URL before an engine is touched."""
        values = self.command.values
        if "workspace" in values:
            root = workspace_root(values["workspace"])
            self._check_roots()
            if values.get("database_url"):
                database_target(values["database_url"], root)
            if values.get("qdrant_host"):
                qdrant_target(values["qdrant_host"], root)

    def _check_roots(self) -> None:
        try:
            check_paths(self.command.values, deployed=False)
        except AutopackError:
            self.run.recorded = True  # a workspace out of bounds gets no audit record either
            raise

    def _recorded(self, report: Report) -> Report:
        from tasks.publish import record

        record(self.run, report, max_wait_s=0.2)
        return report

    def emit(self, report: Report) -> int:
        """Print the report once, whoever comes first: the run or the backstop."""
        with self.once:
            if self.code is None:
                report.seconds = time.monotonic() - self.run.began
                try:
                    self.terminal.show(report)
                except Exception as error:  # noqa: BLE001 - a report that can't be shown is a bug
                    report = bug(self.run, error)
                    report.counts, report.findings, report.extra = {}, [], {}
                    report.crowds = []
                    if self.terminal.form == "html":  # what draws the page may not be there
                        self.terminal.form, report.body, report.steps = "text", "", []
                    self.terminal.show(report)
                lost = self.terminal.lost and report.exit_code <= ExitCode.FINDINGS
                self.code = int(ExitCode.UNREACHABLE if lost else report.exit_code)
        return self.code

    def _watch(self) -> None:
        if self.run.ends is not None:
            threading.Thread(target=self._backstop, name="deadline", daemon=True).start()

    def _backstop(self) -> None:
        """End a process that is stuck in C or in a peer that never answers."""
        assert self.run.ends is not None
        while (left := self.run.ends + BACKSTOP_S - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_AGAIN_S))  # the clock stands while a person is asked
        try:
            late = out_of_time(self.command.values["max_seconds"])
            report = self._recorded(failed(self.run, late))
            if "tasks.server" in sys.modules:
                sys.modules["tasks.server"].farewell(report.message)
            self.emit(report)
        finally:
            os._exit(self.code if self.code is not None else int(ExitCode.DEADLINE))

    def _catch_signals(self) -> None:
        def terminate(_number: int, _frame: object) -> None:
            _end_at_once_on_signals(ExitCode.TERMINATED)
            raise Terminated

        def interrupt(_number: int, _frame: object) -> None:
            _end_at_once_on_signals(ExitCode.INTERRUPTED)
            raise KeyboardInterrupt

        if threading.current_thread() is threading.main_thread():
            _catch(_TERMINATES, terminate)
            _catch(_INTERRUPTS, interrupt)


def _catch(numbers: Iterable[signal.Signals | None], handler: Any) -> None:
    """Set the handler of signals that this system has and nobody wants to be ignored."""
    for number in numbers:
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _end_at_once_on_signals(code: int) -> None:
    """From now on a second signal ends the process at once."""

    def end(_number: int, _frame: object) -> None:
        os._exit(int(code))

    _catch((*_INTERRUPTS, *_TERMINATES), end)


def choose(command: Command, run: Run) -> str:
    """Return the engine: the one asked for, or the best one that is at hand.

    Raises:
        Unreachable: A server refuses our password, and the run writes.
    """
    if command.engine != "auto":
        return command.engine
    from tasks import server

    small = engine.options_of(command.fn).direct_when(command.values)
    recorded = run.execute and run.left() >= SERVER_NEEDS_S and not small
    return server.best(run.left(), alone="temporary" if recorded else "direct")


class _Redacted:
    """A text stream whose every write passes through the redactor."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, words: str) -> int:
        try:
            self._stream.write(redact(words))
        except BrokenPipeError:
            self._leave()
        return len(words)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._leave()

    def _leave(self) -> None:
        """A reader that left must not stop the work, nor Python's own flush at exit."""
        with contextlib.suppress(AttributeError, ValueError, OSError):  # a stand-in has no number
            _to_nowhere(self._stream.fileno())

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _to_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _redacted_stream(stream: Any) -> Any:
    with contextlib.suppress(AttributeError, ValueError):  # not every stand-in can
        stream.reconfigure(errors="backslashreplace")
    return _Redacted(stream)


class _Terminal:
    """stdout and stderr of one command: redacted, and stdout kept for the report under --json."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.lost = False  # what was to be printed could not be

    def __enter__(self) -> _Terminal:
        self._before = sys.stdout, sys.stderr
        _fill_standard_descriptors()
        self._out = os.dup(1)
        self.tty = os.isatty(self._out)
        # Before 1 becomes 2: a stream that began on a file would seek, which a pipe refuses.
        sys.stdout, sys.stderr = (stream and _redacted_stream(stream) for stream in self._before)
        if self.form != "text":
            os.dup2(2, 1)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.stdout, sys.stderr = self._before

    def show(self, report: Report) -> None:
        """Print the report in the chosen form, and one line on stderr if the job was not done."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        cut_short = bool(report.message) and report.exit_code > ExitCode.FINDINGS
        if cut_short:
            self._say(f"{report.flow}: {report.message}")
        if self.form == "text" and cut_short and not _has_content(report):
            return
        self._write(self._rendered(report))

    def _rendered(self, report: Report) -> bytes:
        if self.form not in ("text", "markdown"):
            report.spell_out()
        if self.form == "json":
            return json_bytes(report)
        from autopack import render

        if self.form == "markdown":
            words = redact(render.markdown(report))
        elif self.form == "html":
            from autopack.html_page import html

            words = redact(html(report))
        elif self.form != "text":
            from autopack import formats

            words = getattr(formats, self.form)(report)  # its texts are redacted before
        elif report.extra_stdout is not None:
            return report.extra_stdout
        else:
            colour = self.tty and not os.environ.get("NO_COLOR")
            words = redact(render.text(report, colour=colour))
        return words.encode("utf-8", "backslashreplace")

    def _say(self, line: str) -> None:
        from autopack.render import printable

        flat = printable(redact(" ".join(line.split())))
        with contextlib.suppress(OSError):
            os.write(2, flat.encode("utf-8", "backslashreplace") + b"\n")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._out, view) :]
        except BrokenPipeError:
            _to_nowhere(1)  # the reader left, e.g. `| head`, and Python flushes once more at exit
        except OSError as error:
            self.lost = True
            self._say(f"stdout: {error.strerror}. Next: write the output somewhere with free space")


def _fill_standard_descriptors() -> None:
    """Open /dev/null where 0, 1 or 2 is closed: the next file would become stdout or stderr."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def _has_content(report: Report) -> bool:
    return bool(report.body or report.findings or report.steps or report.counts)


def json_bytes(report: Report) -> bytes:
    """Return the report as one line of JSON, secrets masked."""
    import json

    given = report.as_json()
    fixed = {name: given[name] for name in ("schema", "flow", "status", "engine")}
    words = json.dumps({**_redacted(given), **fixed}, ensure_ascii=False, default=str)
    # A file name that is no UTF-8 holds lone surrogates: `\\udc80` is also how JSON escapes them.
    return words.encode("utf-8", "backslashreplace") + b"\n"


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {str(key): _redacted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(item) for item in value]
    return value

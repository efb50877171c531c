"""One tidy at work: what was asked for, seen, planned and done, and which locks it holds."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from autopack.deadline import Deadline
from autopack.errors import AutopackError, Busy, DeadlineExceeded, UsageError
from autopack.report import Finding, NextStep, Report
from autopack.settings import workspace_root
from autopack.state_files import RUNS, TIDY_JOURNALS
from autopack.tidy.routing import Place
from tasks.run import current

if TYPE_CHECKING:
    from autopack.io.move_queue import QueueFile
    from autopack.tidy.config import Config
    from autopack.tidy.consolidate import Fate
    from autopack.tidy.duplicates import Duplicate
    from autopack.tidy.moves import Move, Outcome
    from autopack.tidy.routing import Decision
    from tasks.counts_session import Counting
    from tasks.locking import Held
    from tasks.tidy_archive import Archive

Mode = Literal["full", "quick"]
PhaseStatus = Literal["done", "planned", "partial", "skipped", "failed"]
LOCK_WAIT_S = {"quick": 0.5, "full": 10.0, "server": 30.0}
"""How long a phase waits for its locks before it is skipped; a server queues for slots as well."""
MARGIN = 0.15
"""The part of `--max-seconds`, at most 2 s of it, that is kept for the report."""


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    mode: Mode = "full"
    execute: bool = False
    runs: bool = False
    reduce: bool = False
    repair: bool = False
    undo: str | None = None
    project: str | None = None

    def check(self) -> None:
        """Raise UsageError where the switches contradict each other."""
        if self.mode == "quick" and self.reduce:
            raise UsageError(
                "--quick contradicts --docs-reduce-to-sot",
                next_step="python -m flows.tidy --full --docs-reduce-to-sot",
            )
        if self.undo == "":
            raise UsageError("--undo: '' is not the name of a run", next_step=f"ls {TIDY_JOURNALS}")
        if self.undo is not None and (self.runs or self.reduce or self.repair or self.project):
            raise UsageError(
                "--undo puts a run's moves back and does nothing else",
                next_step=f"python -m flows.tidy --undo {self.undo}",
            )

    def here(self, *flags: str) -> str:
        """Return the command with these flags alone, for the place that is tidied."""
        return " ".join(["python -m flows.tidy", *flags, *self._place()])

    def _place(self) -> list[str]:
        return [f"--project {shlex.quote(self.project)}"] if self.project else []

    def command(self, *more: str) -> str:
        """Return the command that asks for the same, with more flags."""
        words = [] if self.undo else [f"--{self.mode}"]
        words += ["--quick-include-autonomous-runs-cleanup"] if self.runs else []
        words += ["--docs-reduce-to-sot"] if self.reduce else []
        words += ["--repair"] if self.repair else []
        words += self._place()
        words += [f"--undo {self.undo}"] if self.undo else []
        return " ".join(["python -m flows.tidy", *words, *(m for m in more if m not in words)])


@dataclass
class Phase:
    """How one phase went; `left` counts what a later run has to do."""

    name: str
    status: PhaseStatus = "done"
    why: str = ""
    next_step: str = ""
    planned: int = 0
    done: int = 0
    left: int = 0
    locks: tuple[str, ...] = ()
    busy: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it without what it has nothing to say about."""
        return {key: value for key, value in vars(self).items() if value or key == "name"}


@dataclass
class Seen:
    """What the phases found out, for the report."""

    routed: list[Decision] = field(default_factory=list)
    held: list[Decision] = field(default_factory=list)
    undecided: list[Decision] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    skipped_runs: dict[str, str] = field(default_factory=dict)
    readme: tuple[bytes, bytes] | None = None
    removed: list[str] = field(default_factory=list)
    ledgers: list[str] = field(default_factory=list)


class Tidying:
    """The state that the phases share; a plain class, because Prefect walks dataclasses."""

    def __init__(self, workspace: str, wish: Wish, deadline: Deadline) -> None:
        from autopack.io.tidy_config import tidy_config
        from autopack.sot.ledgers import LEDGERS

        self.root = workspace_root(workspace)
        self.wish = wish
        self.deadline = deadline
        margin = min(2.0, MARGIN * deadline.remaining())
        self.budget = Deadline(deadline.max_seconds, deadline.at - margin, deadline.clock)
        self.config: Config = tidy_config(self.root)
        names = frozenset(ledger.path.removeprefix("docs/") for ledger in LEDGERS)
        self.place = Place(_folder(wish.project), names)
        self.base = self.root / self.place.folder
        if self.place.folder and not (self.base / "docs").is_dir():
            raise UsageError(
                f"--project: {self.place.folder}/docs does not exist",
                next_step=f"name a folder of {RUNS}/ that has docs/",
            )
        self.now = datetime.now(UTC)
        self.run = f"{self.now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        self.phases: list[Phase] = []
        self.plan: list[Move] = []
        self.outcomes: list[Outcome] = []
        self.taken: set[str] = set()
        self.large: list[str] = []
        self.shown_at: dict[str, str] = {}
        self.findings: list[Finding] = []
        self.next_steps: list[NextStep] = []
        self.seen = Seen()
        self.entries: dict[str, str] = {}
        self.created: list[str] = []
        self.generated: list[str] = []
        self.counting: Counting | None = None
        self.archive: Archive | None = None
        self.readme_text = ""
        self.queue_file: QueueFile | None = None
        self.queue_counts: dict[str, int] = {}
        self.held: Held | None = None

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the umbrella alone; a dry run holds nothing.

        Raises:
            Busy: Another writer is at work, so nothing can be done.
        """
        if not self.wish.execute:
            yield
            return
        from tasks.locking import holding

        wait = Deadline.after(max(0.05, self.budget.remaining() * 0.5))
        with holding("tidy", root=self.root, deadline=wait):
            yield

    def phase(
        self, report: Report, name: str, locks: tuple[str, ...], work: Callable[[Phase], None]
    ) -> Phase:
        """Run one phase under its own locks; what stops it does not stop the run."""
        phase = Phase(name, locks=locks if self.wish.execute else ())
        self.phases.append(phase)
        with report.step(name) as step:
            self._guarded(phase, locks, work)
        step.status = phase.status
        return phase

    def _guarded(self, phase: Phase, locks: tuple[str, ...], work: Callable[[Phase], None]) -> None:
        if self.out_of_time():
            phase.status, phase.why = "skipped", "no time was left"
            phase.next_step = self.wish.command(*self._executed())
            return
        phase.status = "failed"
        try:
            with self._locked(locks):
                phase.status = "done"
                work(phase)
        except Busy as error:
            phase.status, phase.why, phase.next_step = "skipped", error.message, error.next_step
            phase.busy = True
        except DeadlineExceeded as error:
            if self.deadline.remaining() <= 0:
                raise
            phase.status, phase.why, phase.next_step = "partial", error.message, error.next_step
        except UsageError:
            raise
        except AutopackError as error:
            phase.status, phase.why, phase.next_step = "failed", error.message, error.next_step
        except BaseException:
            phase.status = "failed"
            raise

    @contextmanager
    def _locked(self, locks: tuple[str, ...]) -> Iterator[None]:
        if not (self.wish.execute and locks):
            yield
            return
        with self.locked(*locks):
            yield

    @contextmanager
    def locked(self, *locks: str) -> Iterator[Held]:
        """Hold one phase's set, waiting only shortly."""
        from tasks.locking import holding

        run = current()
        mode = "server" if run is not None and run.engine == "server" else self.wish.mode
        wait = min(LOCK_WAIT_S[mode], max(0.05, self.budget.remaining()))
        with holding(*locks, root=self.root, deadline=Deadline.after(wait)) as held:
            self.held = held
            try:
                yield held
            finally:
                self.held = None

    def now_at(self, path: str) -> str:
        """Return where a file is that a dry run has in another place in its plan."""
        while path in self.shown_at:
            path = self.shown_at[path]
        return path

    def foreseen(self, paths: Iterable[str]) -> set[str]:
        """Return the files there would be after what a dry run has planned."""
        found = set(paths)
        for move in () if self.wish.execute else self.plan:
            found.discard(move.source)
            found.add(move.destination)
        return found

    def out_of_time(self) -> bool:
        """Return whether the rest is left to a later run."""
        return self.budget.remaining() <= 0

    def _executed(self) -> tuple[str, ...]:
        return ("--execute",) if self.wish.execute else ()

    def other(self, flow: str, *flags: str) -> str:
        """Return the command of another flow for the place that is tidied."""
        place = [f"--workspace {shlex.quote(str(self.base))}"] if self.place.folder else []
        return " ".join([f"python -m flows.{flow}", *place, *flags])

    def again(self, *more: str) -> str:
        """Return the command that goes on where this run stopped."""
        return self.wish.command(*more, *self._executed())


def _folder(project: str | None) -> str:
    if project is None:
        return ""
    if not project or "/" in project or project.startswith("."):
        raise UsageError(
            f"--project: {project!r} is not the name of a folder",
            next_step=f"name a folder of {RUNS}/ that has docs/",
        )
    return f"{RUNS}/{project}"

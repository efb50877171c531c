"""The report every flow returns: one object for text, JSON, Markdown and the Prefect artifact."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from autopack.errors import STATUS, ExitCode

SCHEMA = "autopack.report/1"
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing a reader may want to act on, where it is, and the command that mends it."""

    code: str
    severity: Severity
    path: str
    line: int | None
    message: str
    fix: str = ""


@dataclass(frozen=True)
class PlacedFinding(Finding):
    """A finding whose column is known too; it counts characters from 1, as SARIF does."""

    column: int | None = None


@dataclass(frozen=True)
class Crowd:
    """Very many findings of one code and severity, made when somebody wants each of them.

    `places` are the first few. `among` puts all of them where they belong in the other findings.
    """

    code: str
    severity: Severity
    count: int
    places: tuple[str, ...]
    among: Callable[[list[Finding]], list[Finding]] = field(repr=False)


@dataclass
class Step:
    """One step of a run and how long it took, in seconds."""

    name: str
    status: str
    seconds: float


@dataclass(frozen=True)
class NextStep:
    """A command that gets the user further, and why."""

    why: str
    command: str


@dataclass(frozen=True)
class Table:
    """Rows to look at: a table artifact on Prefect, and a part of the HTML page.

    `bar` names the column of numbers that the page also draws, `sizes` those that count bytes: a
    person is shown 1.5 MiB. `among` is how many rows there are, where these are the first of them.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str | int | float, ...]]
    bar: str | None = None
    sizes: tuple[str, ...] = ()
    among: int | None = None


@dataclass(frozen=True)
class Series:
    """One line of a chart: a number for each of its labels."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """Numbers over a row of labels, which the page draws as lines.

    `mark` is where something happened, in labels from the first (2.5 is between the third and the
    fourth), and `mark_label` says what.
    """

    key: str
    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    mark: float | None = None
    mark_label: str = ""


@dataclass
class Writes:
    """What a run wrote. `sql` counts index rows, `vectors` points, `files` workspace paths."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    upserted: int = 0
    removed: int = 0
    files: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the shape the report schema gives."""
        return {
            "sql": {"inserted": self.inserted, "updated": self.updated, "deleted": self.deleted},
            "vectors": {"upserted": self.upserted, "deleted": self.removed},
            "files": list(self.files),
        }


@dataclass
class Report:
    """What a flow run found, did and advises next."""

    flow: str
    execute: bool = False
    exit_code: int = 0
    engine: str = "direct"
    flow_run_id: str | None = None
    seconds: float = 0.0
    targets: dict[str, str | None] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    writes: Writes = field(default_factory=Writes)
    findings: list[Finding] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    next_steps: list[NextStep] = field(default_factory=list)
    message: str = ""
    # More keys of the JSON; a function is called for its value when the JSON is made.
    extra: dict[str, Any] = field(default_factory=dict)
    body: str = ""
    # What a screen shows as one line; `spell_out` makes findings of them.
    crowds: list[Crowd] = field(default_factory=list)
    # What the body says in words, for those who look rather than read; not in the JSON.
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    # Is told when a step begins, so that locks can show that the work moves; not in the JSON.
    moved: Callable[[str], None] | None = field(default=None, repr=False)
    # Raw bytes for stdout in place of the text report; never part of the JSON.
    extra_stdout: bytes | None = field(default=None, repr=False)

    @property
    def status(self) -> str:
        """One word for the outcome, as the schema lists them."""
        if self.exit_code == ExitCode.CLEAN and self.next_steps:
            return "followups"
        return STATUS.get(ExitCode(self.exit_code), "failed")

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time one step; it ends `done`, or `failed` when an exception leaves it."""
        step = Step(name, "failed", 0.0)
        self.steps.append(step)
        if self.moved:
            self.moved(name)
        began = time.monotonic()
        try:
            yield step
            step.status = "done" if step.status == "failed" else step.status
        finally:
            step.seconds = round(time.monotonic() - began, 4)

    def spell_out(self) -> Report:
        """Put every finding of the crowds among the findings."""
        while self.crowds:
            self.findings = self.crowds.pop().among(self.findings)
        return self

    def settle(self, strict: bool = False) -> Report:
        """Set exit code 1 when a finding of severity `error` (under `strict`: any) is there."""
        severities = {finding.severity for finding in self.findings}
        severities |= {crowd.severity for crowd in self.crowds}
        if self.exit_code == ExitCode.CLEAN and ("error" in severities or (strict and severities)):
            self.exit_code = int(ExitCode.FINDINGS)
        return self

    def as_json(self) -> dict[str, Any]:
        """Return the report as the JSON object of schema `autopack.report/1`."""
        self.spell_out()
        return {
            "schema": SCHEMA,
            "flow": self.flow,
            "status": self.status,
            "exit_code": int(self.exit_code),
            "message": self.message,
            "execute": self.execute,
            "engine": self.engine,
            "flow_run_id": self.flow_run_id,
            "seconds": round(self.seconds, 3),
            "targets": self.targets,
            "counts": self.counts,
            "writes": self.writes.as_json(),
            "findings": [asdict(finding) for finding in self.findings],
            "steps": [asdict(step) for step in self.steps],
            "next_steps": [asdict(step) for step in self.next_steps],
            **{name: value() if callable(value) else value for name, value in self.extra.items()},
        }

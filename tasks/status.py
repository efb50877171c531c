"""Steps of the health page: ask every capability, ask Prefect, keep the numbers, draw them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autopack.deadline import Deadline
from autopack.errors import AutopackError, DeadlineExceeded
from autopack.health.history import Look
from autopack.health.parts import Part, unknown
from autopack.report import Report
from autopack.settings import workspace_root
from tasks import policy
from tasks.engine import completed, flow_name, plain, task
from tasks.run import Run, bug, current, failed, running
from tasks.timing import ALARM_GRACE_S, StepTimeout, time_limit

Flow = Callable[..., Report]
SHARE, LEAST_S = 0.5, 5.0
"""One capability may take this share of the time that is left, and at least so many seconds."""


@dataclass(frozen=True)
class Question:
    """What is asked of one capability: its flow, with which values, and how its report is read."""

    name: str
    flow: Flow
    values: dict[str, Any]
    read: Callable[[Report], Part]


class Looking:
    """The state that the steps of one look share; a plain class, because Prefect walks others."""

    def __init__(self, workspace: str, deadline: Deadline) -> None:
        self.root = workspace_root(workspace)
        self.workspace = workspace
        self.deadline = deadline
        self.now = datetime.now(UTC)
        self.parts: list[Part] = []
        self.before: list[Look] = []
        self.runs: list[tuple[str, str, str, str]] = []
        self.due: list[tuple[str, str]] = []
        self.prefect: str | None = None

    @property
    def look(self) -> Look:
        """The numbers of this look."""
        numbers = {key: value for part in self.parts for key, value in part.numbers.items()}
        return Look(self.now, numbers)


@task(**policy.READ)
def ask(looking: Looking, question: Question) -> None:
    """Run one capability as a dry run, and take down how it is.

    One that fails is a line of the page like the others; only the deadline ends the look.
    """
    looking.deadline.check(f"asking {question.name}")
    left = looking.deadline.remaining()
    share = max(left * SHARE, min(left, LEAST_S))
    values = {"workspace": str(looking.root), "max_seconds": share, **question.values}
    inner = Run(flow_name(question.flow), completed(question.flow, values))
    inner.ends = time.monotonic() + share
    looking.parts.append(_part(looking, question, inner, share))


def _part(looking: Looking, question: Question, inner: Run, share: float) -> Part:
    with running(inner):
        try:
            with time_limit(share + ALARM_GRACE_S, lambda: _late(share)):
                report = plain(question.flow)(**inner.values)
                return unknown(question.name, report) or question.read(report)
        except DeadlineExceeded:
            looking.deadline.check(f"asking {question.name}")
            report = failed(inner, _late(share))
        except AutopackError as error:
            report = failed(inner, error)
        except Exception as error:  # noqa: BLE001 - one broken part must not hide the others
            report = bug(inner, error)
    return unknown(question.name, report) or Part(question.name, "unknown", report.message)


def _late(share: float) -> StepTimeout:
    return StepTimeout(
        f"it has not answered in {share:.3g} s", next_step="ask again with a larger --max-seconds"
    )


@contextmanager
def as_a_line(looking: Looking, name: str) -> Iterator[None]:
    """Make what a step of the look cannot do a line of the page, like a capability that fails."""
    try:
        yield
    except DeadlineExceeded:
        raise
    except AutopackError as error:
        looking.parts.append(Part(name, "unknown", str(error)))
    except Exception as error:  # noqa: BLE001 - one broken part must not hide the others
        report = bug(current() or Run("status", {"workspace": looking.workspace}), error)
        looking.parts.append(Part(name, "unknown", report.message))


@task(**policy.READ)
def recall(looking: Looking) -> None:
    """Read the numbers of earlier looks."""
    from autopack.io.health_history import read

    try:
        looking.before, bad = read(looking.root)
    except AutopackError as error:
        looking.parts.append(Part("history", "unknown", error.message, error.next_step))
        return
    if bad:
        words = f"{bad} lines of the history are none; they are passed over"
        looking.parts.append(Part("history", "look", words))


@task(**policy.READ)
def keep(looking: Looking, written: list[str]) -> None:
    """Append the numbers of this look to the history."""
    from autopack.io.health_history import keep as append
    from autopack.state_files import HEALTH

    append(looking.root, looking.look)
    written.append(HEALTH)


def names(parts: Sequence[Part]) -> list[str]:
    """Return the numbers that a page draws, in the order of its parts."""
    return [key for part in parts for key in part.numbers]

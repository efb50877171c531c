"""A flow run that pauses to ask a person, shows what it is about, and goes on with the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autopack.errors import Refused
from autopack.render import question
from autopack.report import Report
from tasks.engine import inside_prefect
from tasks.run import current, waiting_for_a_person

if TYPE_CHECKING:
    from prefect.input import RunInput

LOOK_S = 2
"""How often a paused flow run looks for its answer, in seconds."""


@dataclass(frozen=True)
class Question:
    """What is asked, what answering means, under which key it is shown, and what else to type.

    It is open for `seconds`.
    """

    asked: str
    how: str
    key: str
    seconds: float
    instead: str


def somebody_to_ask() -> bool:
    """Return whether this run can pause: inside a flow run of a server that stays."""
    run = current()
    return run is not None and run.engine == "server" and inside_prefect()


def ask(wanted: Question, report: Report, form: type[RunInput]) -> dict[str, str]:
    """Show a report under a question on the flow run, pause it, and return what was typed.

    The deadline stands still meanwhile; no lock may be held.

    Raises:
        Refused: Nobody answered in time.
    """
    from prefect.artifacts import create_markdown_artifact
    from prefect.exceptions import FlowPauseTimeout
    from prefect.flow_runs import pause_flow_run

    shown = question(wanted.asked, report, wanted.how)
    create_markdown_artifact(shown, key=wanted.key, description=wanted.asked)
    try:
        with waiting_for_a_person():
            typed = pause_flow_run(form, timeout=int(wanted.seconds), poll_interval=LOOK_S)
    except FlowPauseTimeout:
        raise Refused("nobody answered in time", next_step=wanted.instead) from None
    assert typed is not None
    return {name: str(getattr(typed, name)) for name in form.model_fields}


def listed(text: str) -> list[str]:
    """Return the words of an answer, between spaces or commas."""
    return text.replace(",", " ").split()

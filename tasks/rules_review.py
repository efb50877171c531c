"""Steps of a review: show a proposal, ask or read the decision, write the approval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import UsageError
from autopack.report import Report
from tasks import policy
from tasks.asking import Question, ask, listed, somebody_to_ask
from tasks.engine import task
from tasks.rules_append import REVIEWED
from tasks.rules_ruling import APPROVAL, PROPOSAL, Ruling
from tasks.run import current

if TYPE_CHECKING:
    from prefect.input import RunInput

ANSWER_S = 24 * 3600
"""How long a paused flow run waits for its answer, in seconds."""


@dataclass(frozen=True)
class Answer:
    """What a person decided: words for rules, their name, and how long it holds."""

    approve: Sequence[str]
    reject: Sequence[str]
    by: str
    expires: str


@task(**policy.READ)
def read(ruling: Ruling, proposal: str | None) -> None:
    """Read the proposal, and make sure that it is about this workspace as it is.

    Raises:
        Refused: It is not.
    """
    from autopack.io.rule_files import identity, read_proposal, read_rules
    from autopack.rules.approval import check_proposal

    ruling.rules = read_rules(ruling.root)
    path = ruling.place(proposal, PROPOSAL)
    ruling.papers = (path, ruling.papers[1])
    ruling.proposal = read_proposal(str(path))
    here = identity(ruling.root, create=False) or ""
    check_proposal(ruling.proposal, here, ruling.rules.digest, datetime.now(UTC))


def answer(
    report: Report,
    approve: Sequence[str] | None,
    reject: Sequence[str] | None,
    by: str | None,
    expires: str,
) -> Answer:
    """Return the decision: from the command line or form, or by asking in a paused flow run.

    Raises:
        UsageError: There is no decision, and nobody to ask.
    """
    if approve or reject:
        if not by:
            raise UsageError("--by is missing: who decides?", next_step="add --by 'Your Name'")
        return Answer(approve or (), reject or (), by, expires)
    if by or not somebody_to_ask():
        raise UsageError(
            "nothing is decided", next_step="say --approve RULE or --reject RULE, and --by NAME"
        )
    how = (
        "Resume this run with your own name and the ids of the rules to approve and to reject, or "
        f"all. The approval then holds for {expires}; nothing is active before it is appended."
    )
    wanted = Question(
        "Take these rules?", how, "failure-rules-proposal", ANSWER_S,
        "python -m flows.failure_rules review",
    )  # fmt: skip
    typed = ask(wanted, report, _form())
    return Answer(listed(typed["approve"]), listed(typed["reject"]), typed["by"], expires)


def _form() -> type[RunInput]:
    """Return the form that a paused review shows."""
    from prefect.input import RunInput
    from pydantic import Field

    class Review(RunInput):
        by: str = Field(description="Your own name: it is kept with the decision.")
        approve: str = Field(default="", description="Rule ids to approve, or: all")
        reject: str = Field(default="", description="Rule ids to reject, or: all")

    return Review


@task(**policy.READ)
def decide(ruling: Ruling, given: Answer) -> None:
    """Turn the decision into an approval.

    Raises:
        UsageError: It names no person, no rule, or contradicts itself.
    """
    from autopack.papers import Stamp, person, span
    from autopack.rules.approval import chosen, decide

    assert ruling.proposal
    run = current()
    ruling.approval = decide(
        ruling.proposal,
        chosen(ruling.proposal, given.approve),
        chosen(ruling.proposal, given.reject),
        Stamp(by=person(given.by), at=datetime.now(UTC)),
        span(given.expires),
        run.flow_run_id and str(run.flow_run_id) if run else None,
    )


@task(**policy.ONCE)
def write(ruling: Ruling, out: str | None, written: list[str]) -> Path:
    """Record the review in the audit chain, write the approval, and return where it is."""
    from autopack.io import audit
    from autopack.io.rule_files import write_product

    approval = ruling.approval
    assert approval
    audit.append(
        ruling.root,
        {
            "event": REVIEWED,
            "flow_run_id": approval.flow_run_id,
            "approval": approval.id,
            "proposal": approval.proposal_id,
            "by": approval.reviewed.by,
            "expires_at": approval.expires_at.isoformat(),
            "decisions": {one.rule: one.verdict for one in approval.decisions},
        },
    )
    path = ruling.place(out, APPROVAL)
    ruling.papers = (ruling.papers[0], path)
    write_product(path, ruling.shown(path), approval.data())
    written.append(ruling.shown(path))
    return path

"""An approval: who decided what about which proposal, until when, for which state of the file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from autopack.canonical import canonical
from autopack.errors import Refused, UsageError
from autopack.papers import LONGEST, SKEW, Digest, Line, Moment, Stamp, Strict, person
from autopack.rules.proposal import Change, Proposal, content_id
from autopack.rules.schema import RuleId

APPROVAL = "autopack.rules.approval/1"
ALL = "all"


class Decision(Strict):
    """What was decided about one change; `content` is the digest of what was seen."""

    rule: RuleId
    content: Digest
    verdict: Literal["approve", "reject"]


class Approval(Strict):
    """The decisions of one person about one proposal."""

    schema_: Literal["autopack.rules.approval/1"] = Field(
        validation_alias="schema", serialization_alias="schema"
    )
    id: Digest
    proposal_id: Digest
    workspace: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    base: str
    reviewed: Stamp
    expires_at: Moment
    decisions: list[Decision] = Field(min_length=1)
    flow_run_id: Line | None = None

    def true_id(self) -> str:
        """Return the id that the content has."""
        return content_id(self.plain())

    def data(self) -> bytes:
        """Return the file: canonical bytes and a newline."""
        return canonical(self.plain()) + b"\n"


def chosen(proposal: Proposal, words: Sequence[str]) -> set[str]:
    """Return the rules that words on the command line mean: ids, their beginnings, or all.

    Raises:
        UsageError: A word means no rule of the proposal, or several.
    """
    ids = [change.rule.id for change in proposal.changes]
    found: set[str] = set()
    for word in words:
        bare = word.removeprefix("rule:v1:")
        fitting = [i for i in ids if i == word or (bare and i.split(":")[2].startswith(bare))]
        if word == ALL:
            found |= set(ids)
        elif len(fitting) == 1:
            found.add(fitting[0])
        else:
            what = "several rules" if fitting else "no rule"
            raise UsageError(
                f"{word!r} means {what} of this proposal",
                next_step=f"name one of {', '.join(ids) or 'none: it is empty'}, or all",
            )
    return found


def decide(  # noqa: PLR0913, PLR0917 - every part of an approval is somebody's decision
    proposal: Proposal,
    approve: Collection[str],
    reject: Collection[str],
    reviewed: Stamp,
    lifetime: timedelta,
    flow_run_id: str | None = None,
) -> Approval:
    """Return the approval of these rules and the rejection of those; the rest stays open.

    Raises:
        UsageError: Nothing is decided, or a rule is both.
    """
    if both := sorted(set(approve) & set(reject)):
        raise UsageError(f"{both[0]} is approved and rejected", next_step="name it once")
    decisions = [
        Decision(
            rule=change.rule.id, content=change.content,
            verdict="approve" if change.rule.id in approve else "reject",
        )
        for change in proposal.changes
        if change.rule.id in approve or change.rule.id in reject
    ]  # fmt: skip
    if not decisions:
        raise UsageError(
            "nothing is decided", next_step="say --approve RULE or --reject RULE, or all"
        )
    draft = Approval(
        schema_="autopack.rules.approval/1", id="sha256:" + "0" * 64, proposal_id=proposal.id,
        workspace=proposal.workspace, base=proposal.base, reviewed=reviewed,
        expires_at=reviewed.at + lifetime, decisions=decisions, flow_run_id=flow_run_id,
    )  # fmt: skip
    return draft.model_copy(update={"id": draft.true_id()})


def check_proposal(proposal: Proposal, workspace: str, base: str, now: datetime) -> None:
    """Make sure that a proposal is what it says, and about this state of this workspace.

    Raises:
        Refused: It is not.
    """
    again = "propose again: python -m flows.failure_rules propose"
    if proposal.true_id() != proposal.id:
        raise Refused("the proposal was changed after it was made: its id is not its digest", again)
    if proposal.workspace != workspace:
        raise Refused("the proposal is about another workspace", again)
    if proposal.created.at > now + SKEW:
        raise Refused("the proposal is from the future: a clock is wrong", "set the clock")
    ids = [change.rule.id for change in proposal.changes]
    if len(set(ids)) != len(ids):
        raise Refused("the proposal changes a rule twice", again)
    if proposal.base != base:
        raise Refused("docs/LEARNED_RULES.json has changed since the proposal was made", again)


def check_approval(approval: Approval, proposal: Proposal, now: datetime) -> None:
    """Make sure that an approval is whole, about this proposal, by a person, and in its time.

    Raises:
        Refused: It is not.
    """
    again = "review again: python -m flows.failure_rules review"
    if approval.true_id() != approval.id:
        raise Refused(
            "the approval was changed after it was given: its id is not its digest", again
        )
    if approval.proposal_id != proposal.id:
        raise Refused("the approval is about another proposal", again)
    if (approval.workspace, approval.base) != (proposal.workspace, proposal.base):
        raise Refused("the approval is about another workspace or another rule file", again)
    _check_times(approval, proposal, now, again)
    try:
        person(approval.reviewed.by)
    except UsageError as error:
        raise Refused(f"the approval's reviewer: {error.message}", again) from None
    seen: set[str] = set()
    for decision in approval.decisions:
        change = proposal.change(decision.rule)
        if change is None or change.content != decision.content or decision.rule in seen:
            raise Refused(f"the decision about {decision.rule} is about something else", again)
        seen.add(decision.rule)


def _check_times(approval: Approval, proposal: Proposal, now: datetime, again: str) -> None:
    given, ends = approval.reviewed.at, approval.expires_at
    if given > now + SKEW:
        raise Refused("the approval is from the future: a clock is wrong", "set the clock")
    if given + SKEW < proposal.created.at:
        raise Refused("the approval is older than its proposal", again)
    if not timedelta() < ends - given <= LONGEST:
        raise Refused(f"the approval holds for longer than {LONGEST.days} days", again)
    if ends <= now:
        raise Refused(f"the approval expired at {ends.isoformat()}", again)


def approved(approval: Approval, proposal: Proposal) -> list[Change]:
    """Return the changes that were approved."""
    yes = {decision.rule for decision in approval.decisions if decision.verdict == "approve"}
    return [change for change in proposal.changes if change.rule.id in yes]

"""Steps of an approval: show what it would be about, ask or read the decision, write it down."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import Refused, UsageError
from autopack.report import Report
from tasks import policy
from tasks.asking import Question, ask, listed, somebody_to_ask
from tasks.engine import task
from tasks.run import current
from tasks.storage_apply import Applying
from tasks.storage_apply_gate import APPROVED, read_run

if TYPE_CHECKING:
    from prefect.input import RunInput


@dataclass(frozen=True)
class Answer:
    """What a person decided: which items, at most how much, and their name."""

    items: Sequence[str]
    by: str
    max_bytes: int | None = None
    max_items: int | None = None


@task(**policy.READ)
def read_subject(applying: Applying, report: str | None, purge: str | None) -> None:
    """Read what an approval would be about: a report, or what a run holds in its quarantine.

    Raises:
        UsageError: Neither is named, or both.
        Refused: It was changed, or nothing may be approved under this policy.
    """
    from autopack.io.storage_reports import read_report
    from autopack.storage.approval import of_report, of_run
    from autopack.storage.gate import check_enabled, check_report

    assert applying.policy
    if purge and report:
        raise UsageError(
            "a report and --purge are named: an approval is about one of them",
            next_step="leave one of them out",
        )
    if purge:
        read_run(applying, purge)
        assert applying.journal
        assert applying.report
        applying.subject = of_run(applying.journal, applying.report)
        applying.rows().check(applying.journal)
        check_enabled(applying.policy, applying.policy_shown)
        return
    if report is None:
        raise UsageError("no report is named", next_step="python -m flows.storage_scan")
    place = applying.place(report)
    applying.papers["report"] = applying.shown(place)
    applying.report = read_report(str(place))
    check_enabled(applying.policy, applying.policy_shown)
    check_report(applying.report, applying.policy, applying.now)
    applying.subject = of_report(applying.report)


def answer(report: Report, applying: Applying, given: Answer | None, expires: str) -> Answer:
    """Return the decision: as it was given, else by asking in a paused flow run.

    Raises:
        UsageError: There is no decision, and nobody to ask.
    """
    if given is not None:
        return given
    if not somebody_to_ask():
        raise UsageError(
            "--by is missing: who approves?", next_step="add --by 'Your Name', or --sign KEY"
        )
    typed = ask(_question(applying, expires), report, _form())
    return Answer(listed(typed["items"]), typed["by"])


def _question(applying: Applying, expires: str) -> Question:
    from autopack.papers import span

    subject = applying.subject
    assert subject
    what = f"run {applying.run} has in the quarantine" if subject.run else "is listed"
    how = (
        f"Resume this run with your own name and the ids of the items, or all, of what {what}. "
        f"The approval then holds for {expires}; nothing is moved by it. "
        f"It is about {subject.digest}."
    )
    asked = "Remove it for good?" if subject.run else "Put it into the quarantine?"
    seconds = span(expires).total_seconds()
    return Question(asked, how, "storage-apply-report", seconds, subject.again)


def _form() -> type[RunInput]:
    """Return the form that a paused approval shows."""
    from prefect.input import RunInput
    from pydantic import Field

    class Approve(RunInput):
        by: str = Field(description="Your own name: it is kept with the approval.")
        items: str = Field(default="", description="Item ids to approve, or: all")

    return Approve


@task(**policy.READ)
def decide(applying: Applying, given: Answer, expires: str, key: str | None) -> None:
    """Turn the decision into an approval, and sign it.

    Raises:
        UsageError: It names no person, no item, or holds for too long.
        Refused: The policy lists keys, and this is not signed by one of them.
    """
    from autopack.papers import span
    from autopack.storage.approval import Given, Limits, check, chosen, make

    assert applying.policy
    assert applying.subject
    run = current()
    limits = Limits(given.max_bytes, given.max_items, span(expires))
    stamp = Given(
        given.by or _name_of(applying, key), applying.now, secrets.token_hex(16),
        run.flow_run_id and str(run.flow_run_id) if run else None,
    )  # fmt: skip
    items = chosen(applying.subject, given.items)
    approval = make(applying.subject, applying.policy, items, limits, stamp)
    if key:
        from autopack.io.signing import public_of, sign
        from autopack.storage.approval import signed, to_sign

        place = Path(key).expanduser()
        approval = signed(approval, public_of(place), sign(place, to_sign(approval)))
    from autopack.io.signing import verify

    check(approval, applying.subject, applying.policy, applying.now, verify)
    applying.approval = approval


def _name_of(applying: Applying, key: str | None) -> str:
    """Return whose a private key is by the policy."""
    assert applying.policy
    if key:
        from autopack.io.signing import public_of

        public = public_of(Path(key).expanduser())
        for known in applying.policy.approval.keys:
            if known.public == public:
                return str(known.name)
    return ""


@task(**policy.ONCE)
def write(applying: Applying, out: str | None, written: list[str]) -> None:
    """Record the approval in the audit chain, then write it."""
    from autopack.io import audit
    from autopack.io.rule_files import write_product

    approval = applying.approval
    assert approval
    path = Path(out).expanduser() if out else applying.root / _usual_place(applying)
    shown = applying.papers["approval"] = applying.shown(path)
    _check_place(path, shown)
    audit.append(
        applying.root,
        {
            "event": APPROVED,
            "flow_run_id": approval.flow_run_id,
            "approval": approval.id,
            "action": approval.action,
            "subject": approval.subject,
            "by": approval.approver,
            "signed": approval.signature is not None,
            "expires_at": approval.expires_at.isoformat(),
            "items": len(approval.items),
        },
    )
    write_product(path, shown, approval.data())
    written.append(shown)


def _check_place(path: Path, shown: str) -> None:
    """Make sure that an approval takes the place of nothing, or of another approval.

    Raises:
        Refused: Something else is there.
    """
    from autopack.io.storage_papers import read_approval

    if not os.path.lexists(path):
        return
    try:
        read_approval(path, shown)
    except Refused:
        raise Refused(
            f"{shown} is there, and is no approval", next_step="pass another --out"
        ) from None


def _usual_place(applying: Applying) -> str:
    from autopack.state_files import REPORTS

    assert applying.subject
    name = applying.run if applying.subject.run else applying.subject.digest[7:19]
    kind = "purge-approval" if applying.subject.run else "approval"
    return f"{REPORTS}/storage/{name}.{kind}.json"

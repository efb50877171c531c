"""Steps of appending: read both papers, check them against everything, write once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from autopack.errors import Refused
from tasks import policy
from tasks.engine import task
from tasks.rules_ruling import APPROVAL, PROPOSAL, Ruling

REVIEWED = "rules-approval"
"""The audit record of a review; an approval without one was not given by the command."""
APPENDED = "rules-append"
"""The audit record that uses an approval up; it is on disk before the rule file changes."""


@task(**policy.READ)
def read_papers(ruling: Ruling, proposal: str | None, approval: str | None) -> None:
    """Read the proposal and the approval, each exactly as its command wrote it."""
    from autopack.io.rule_files import read_approval, read_proposal

    ruling.papers = (ruling.place(proposal, PROPOSAL), ruling.place(approval, APPROVAL))
    ruling.proposal = read_proposal(str(ruling.papers[0]))
    ruling.approval = read_approval(str(ruling.papers[1]))


@task(**policy.READ)
def check(ruling: Ruling) -> None:
    """Plan the new file, with every gate between; under `--execute` the lock is held by now.

    Raises:
        Refused: A gate said no; the message says which, and what to do.
    """
    from autopack.io.rule_files import identity, parse_rules, read_rules
    from autopack.rules.approval import approved, check_approval, check_proposal
    from autopack.rules.gate import grown, reasons_against
    from autopack.rules.schema import file_text

    assert ruling.proposal
    assert ruling.approval
    now = datetime.now(UTC)
    ruling.rules = read_rules(ruling.root)
    here = identity(ruling.root, create=False) or ""
    _check_chain(ruling, now)
    check_proposal(ruling.proposal, here, ruling.rules.digest, now)
    check_approval(ruling.approval, ruling.proposal, now)
    ruling.changes = approved(ruling.approval, ruling.proposal)
    if reasons := reasons_against(ruling.rules.file, ruling.changes, now):
        more = f", and {len(reasons) - 1} more reasons" if len(reasons) > 1 else ""
        raise Refused(f"{reasons[0]}{more}", "propose again: python -m flows.failure_rules propose")
    if ruling.changes:
        file = grown(ruling.rules.file, ruling.changes, ruling.approval)
        data = file_text(file).encode()
        if parse_rules(data) != file:
            raise RuntimeError("the rule file would not read back as it was meant")
        ruling.planned = (file, data)


def _check_chain(ruling: Ruling, now: datetime) -> None:
    """Make sure that the approval was given here, was not used, and that the clock runs forward."""
    from autopack.io import audit
    from autopack.papers import SKEW

    assert ruling.approval
    bad = audit.verify(ruling.root / audit.AUDIT_FILE)
    if bad and bad.kind == "tampered":
        raise Refused(
            f"{audit.AUDIT_FILE}:{bad.line}: {bad.why}: it cannot say which approvals were used",
            next_step="find out who changed the audit chain",
        )
    again = "review again: python -m flows.failure_rules review"
    given, last = False, ""
    for record in audit.records(ruling.root):
        last = str(record.get("time", last))
        if record.get("approval") != ruling.approval.id:
            continue
        given = given or _is_review(record, ruling)
        if record.get("event") == APPENDED:
            raise Refused(f"the approval was used at {record['time']}", again)
    if not given:
        raise Refused("the approval was not given in this workspace: no record of it", again)
    if datetime.fromisoformat(last) > now + SKEW:
        raise Refused("the clock went back: the audit chain is ahead of it", "set the clock")


def _is_review(record: dict[str, Any], ruling: Ruling) -> bool:
    assert ruling.approval
    return bool(
        record.get("event") == REVIEWED
        and record.get("proposal") == ruling.approval.proposal_id
        and record.get("by") == ruling.approval.reviewed.by
    )


@task(**policy.ONCE)
def write(ruling: Ruling, written: list[str]) -> None:
    """Use the approval up, then replace the file; a crash in between needs another approval."""
    from autopack.canonical import digest_of_bytes
    from autopack.io import audit
    from autopack.io.replace import check_replaceable
    from autopack.rules.schema import RULES_FILE
    from tasks.run import current

    assert ruling.planned
    assert ruling.rules
    assert ruling.approval
    old, new = ruling.rules.data, ruling.planned[1]
    check_replaceable(ruling.root, RULES_FILE, old)
    run = current()
    with ruling.fence():
        audit.append(
            ruling.root,
            {
                "event": APPENDED,
                "flow_run_id": run.flow_run_id if run else None,
                "approval": ruling.approval.id,
                "proposal": ruling.approval.proposal_id,
                "by": ruling.approval.reviewed.by,
                "before": ruling.rules.digest,
                "after": digest_of_bytes(new),
                "rules": [change.rule.id for change in ruling.changes],
            },
        )
    ruling.replace({RULES_FILE: (old, new)}, written)

"""Approvals: who allows what of a report, or the purge of a run, until when; and when they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from autopack.canonical import canonical
from autopack.errors import Refused, UsageError
from autopack.papers import SKEW, person
from autopack.storage.journal import Journal
from autopack.storage.schema import Approval, CleanupReport, Item, Signature

if TYPE_CHECKING:
    from autopack.storage.policy import Policy

ALL = "all"
SCAN = "scan again: python -m flows.storage_scan"
APPROVE = "approve again: python -m flows.storage_apply approve REPORT"
APPROVE_PURGE = "approve again: python -m flows.storage_apply approve REPORT --purge RUN"

Verify = Callable[[str, bytes, str], bool]
"""Tells whether a signature (hex) over some bytes was made with a public key (hex)."""


@dataclass(frozen=True)
class Subject:
    """What an approval is about: the report, and for a purge the run with what it put away.

    `digest` is the report's id, or the digest of the run's manifest; `since` is when it was made.
    """

    action: Literal["execute", "purge"]
    digest: str
    since: datetime
    items: tuple[Item, ...]
    run: str | None = None

    @property
    def again(self) -> str:
        """How another approval is made."""
        return APPROVE_PURGE if self.action == "purge" else APPROVE


def of_report(report: CleanupReport) -> Subject:
    """Return a report as what an approval is about."""
    return Subject("execute", report.id, report.created, tuple(report.items))


def of_run(journal: Journal, report: CleanupReport, begun: str = "") -> Subject:
    """Return what a run holds in its quarantine as what an approval of its purge is about.

    A purge that has `begun` under an approval of this id is about what was there then.
    """
    known = journal.purges.get(begun)
    there = journal.entries.values() if known else journal.left
    held = {entry.item for entry in there}
    items = tuple(item for item in report.items if item.id in held)
    manifest = known.manifest if known else journal.manifest
    return Subject("purge", manifest, journal.last_move or report.created, items, journal.run)


@dataclass(frozen=True)
class Limits:
    """What a person allows at most; without a number, what the chosen items come to."""

    max_bytes: int | None = None
    max_items: int | None = None
    lifetime: timedelta = timedelta(hours=24)


@dataclass(frozen=True)
class Given:
    """By whom an approval is given, and when; the nonce makes it another one than any before."""

    by: str
    at: datetime
    nonce: str
    flow_run_id: str | None = None


def chosen(subject: Subject, words: Sequence[str]) -> list[Item]:
    """Return the items that words mean, in the order of the report: ids, beginnings, or all.

    Raises:
        UsageError: A word means no item, or several; or nothing is chosen.
    """
    wanted: set[str] = set()
    for word in words:
        wanted |= {item.id for item in subject.items} if word == ALL else {_one(subject, word)}
    found = [item for item in subject.items if item.id in wanted]
    if not found:
        raise UsageError("nothing is chosen", next_step="say --items ID or --items all")
    return found


def _one(subject: Subject, word: str) -> str:
    bare = word.removeprefix("item:")
    fitting = [i.id for i in subject.items if bare and i.id.removeprefix("item:").startswith(bare)]
    if len(fitting) != 1:
        what = "several items" if fitting else "no item"
        raise UsageError(
            f"{word[:80]!r} means {what} of the report",
            next_step="name the id of an item as the report has it, or all",
        )
    return fitting[0]


def make(
    subject: Subject, policy: Policy, items: Sequence[Item], limits: Limits, given: Given
) -> Approval:
    """Return the approval of these items, not yet signed.

    Raises:
        UsageError: Nobody is named, or it would hold for longer than the policy allows.
    """
    most = timedelta(hours=policy.approval.max_hours)
    if not timedelta() < limits.lifetime <= most:
        raise UsageError(
            f"an approval holds for at most {policy.approval.max_hours} hours under this policy",
            next_step=f"say --expires {policy.approval.max_hours}h",
        )
    total = sum(size_of(item) for item in items)
    draft = Approval(
        schema_="autopack.storage.approval/1", id="sha256:" + "0" * 64, action=subject.action,
        subject=subject.digest, run=subject.run, policy_sha256=policy.sha256,
        approver=person(given.by), created=given.at, expires_at=given.at + limits.lifetime,
        items=[item.id for item in items],
        max_bytes=total if limits.max_bytes is None else limits.max_bytes,
        max_items=len(items) if limits.max_items is None else limits.max_items,
        nonce=given.nonce, flow_run_id=given.flow_run_id,
    )  # fmt: skip
    return draft.model_copy(update={"id": draft.true_id()})


def size_of(item: Item) -> int:
    """Return the bytes an item counts against limits: apparent or on disk, whichever is more."""
    return max(item.size, item.allocated)


def signed(approval: Approval, key: str, value: str) -> Approval:
    """Return the approval with its signature."""
    return approval.model_copy(update={"signature": Signature(key=key, value=value)})


def to_sign(approval: Approval) -> bytes:
    """Return the bytes that a signature covers: everything but the id and itself."""
    return canonical(approval.body())


def check(
    approval: Approval, subject: Subject, policy: Policy, now: datetime, verify: Verify
) -> None:
    """Make sure that an approval is whole, about this, under this policy, by somebody, and in time.

    Raises:
        Refused: It is not; the message says how, and what to do.
    """
    again = subject.again
    if approval.true_id() != approval.id:
        raise Refused(
            "the approval was changed after it was given: its id is not its digest", again
        )
    _check_subject(approval, subject)
    if approval.policy_sha256 != policy.sha256:
        raise Refused("the policy has changed since the approval was given", SCAN)
    _check_person(approval, again)
    _check_times(approval, subject, policy, now)
    _check_signature(approval, policy, verify, again)


def _check_subject(approval: Approval, subject: Subject) -> None:
    if approval.action != subject.action:
        raise Refused(
            f"the approval is one to {approval.action}, not to {subject.action}", subject.again
        )
    if (approval.subject, approval.run) != (subject.digest, subject.run):
        what = "run, or the run's quarantine has changed" if subject.run else "report"
        raise Refused(f"the approval is about another {what}", subject.again)
    known = {item.id for item in subject.items}
    if len(set(approval.items)) != len(approval.items) or not known.issuperset(approval.items):
        raise Refused("the approval names items twice, or others than there are", subject.again)


def _check_person(approval: Approval, again: str) -> None:
    try:
        person(approval.approver)
    except UsageError as error:
        raise Refused(f"the approval's approver: {error.message}", again) from None
    if len(set(approval.nonce)) < 4:
        raise Refused("the approval's nonce is a placeholder", again)


def _check_times(approval: Approval, subject: Subject, policy: Policy, now: datetime) -> None:
    given, ends, hours = approval.created, approval.expires_at, policy.approval.max_hours
    if given > now + SKEW:
        raise Refused("the approval is from the future: a clock is wrong", "set the clock")
    if given + SKEW < subject.since:
        raise Refused("the approval is older than what it is about", subject.again)
    if not timedelta() < ends - given <= timedelta(hours=hours):
        raise Refused(f"the approval holds for longer than {hours} hours", subject.again)
    if ends <= now:
        raise Refused(f"the approval expired at {ends.isoformat()}", subject.again)


def _check_signature(approval: Approval, policy: Policy, verify: Verify, again: str) -> None:
    """A signature counts only by a key of the policy, and only for the name that the key has."""
    names = {key.public: key.name for key in policy.approval.keys}
    signature = approval.signature
    if signature is None:
        if names:
            raise Refused(
                "the approval is not signed, and the policy lists keys", f"{again} --sign KEY"
            )
        return
    if signature.key not in names:
        raise Refused(
            "the approval is signed with a key that the policy does not list",
            f"{again} --sign KEY, or add the key to approval.keys of the policy and scan again",
        )
    if not verify(signature.key, to_sign(approval), signature.value):
        raise Refused("the approval's signature is not that of its key", f"{again} --sign KEY")
    if names[signature.key] != approval.approver:
        raise Refused(
            f"the approval names {approval.approver}, and its key is that of "
            f"{names[signature.key]}",
            f"{again} --sign KEY",
        )

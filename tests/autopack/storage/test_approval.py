"""Approvals hold for exactly what was approved, by whom, under which policy and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from autopack.errors import Refused, UsageError
from autopack.io.signing import verify
from autopack.storage.approval import (
    Given,
    Limits,
    Subject,
    check,
    chosen,
    make,
    of_report,
    signed,
    to_sign,
)
from autopack.storage.gate import check_report, plain_path
from autopack.storage.policy import Policy
from autopack.storage.schema import Approval, CleanupReport, Item, item_id

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)
POLICY = Policy.model_validate({"execution": "enabled"})


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


SIGNED = Policy.model_validate(
    {
        "execution": "enabled",
        "approval": {"keys": [{"name": "Ada Lovelace", "public": public(KEY)}]},
    }
)


def item(path: str, size: int = 10) -> Item:
    return Item(
        id=item_id(0, path), root=0, path=path, kind="file", dev="1", ino="2", mode=0o100644,
        nlink=1, size=size, allocated=4096, reclaimable=4096, files=1, mtime_ns="1", ctime_ns="1",
        content=None, category="logs", rule="*.log", age_days=3,
    )  # fmt: skip


def report(under: Policy = POLICY, **changes: Any) -> CleanupReport:
    root = {
        "path": "/w", "dev": "1", "ino": "1", "snapshot": "sha256:" + "ab" * 32, "mode": "full",
        "entries": 3, "partial": False, "not_seen": 0,
    }  # fmt: skip
    values = {
        "schema": "autopack.storage.report/1", "id": "sha256:" + "00" * 32,
        "created": NOW - timedelta(hours=1), "version": "1", "roots": [root],
        "policy": {"path": "config/storage.yaml", "sha256": under.sha256},
        "items": [item("a"), item("b", 5000), item("c/d")],
    }  # fmt: skip
    draft = CleanupReport.model_validate({**values, **changes})
    return draft.model_copy(update={"id": draft.true_id()})


def approve(policy: Policy = POLICY, words: tuple[str, ...] = ("all",), **limits: Any) -> Approval:
    subject = of_report(report(policy))
    given = Given("Ada Lovelace", NOW, "0123456789abcdef" * 2)
    return make(subject, policy, chosen(subject, words), Limits(**limits), given)


def forged(approval: Approval, **changes: Any) -> Approval:
    """Return the approval with other words, and an id that fits them."""
    made = Approval.model_validate({**approval.plain(), **changes})
    return made.model_copy(update={"id": made.true_id()})


def checked(approval: Approval, policy: Policy = POLICY, now: datetime = NOW) -> None:
    check(approval, of_report(report(policy)), policy, now, verify)


def test_an_approval_says_what_was_chosen_and_no_more() -> None:
    made = approve(words=("a"[:0] + item("a").id, item("b").id[:12]))
    assert made.items == [item("a").id, item("b").id]
    assert (made.max_items, made.max_bytes) == (2, 4096 + 5000)
    checked(made)


@pytest.mark.parametrize("word", ["", "item:", "nothing", "item:ffffffffffffffff0"])
def test_words_that_mean_no_item_are_told(word: str) -> None:
    with pytest.raises(UsageError):
        approve(words=(word,))


def test_an_approval_of_very_many_items_is_read_back(tmp_path) -> None:
    from autopack.io.storage_papers import read_approval

    items = tuple(item("a").model_copy(update={"id": f"item:{n:016x}"}) for n in range(60_000))
    subject = Subject("execute", "sha256:" + "00" * 32, NOW, items)
    approval = make(subject, POLICY, items, Limits(), Given("Ada Lovelace", NOW, "01" * 16))
    (tmp_path / "approval.json").write_bytes(approval.data())
    assert read_approval(tmp_path / "approval.json", "approval.json") == approval


def test_an_approval_never_holds_for_longer_than_the_policy_allows() -> None:
    with pytest.raises(UsageError, match="at most 24 hours"):
        approve(lifetime=timedelta(hours=25))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", "purge"), ("subject", "sha256:" + "ab" * 32), ("run", "r1"),
        ("policy_sha256", "sha256:" + "ab" * 32), ("approver", "Grace Hopper"),
        ("created", "2026-03-01T12:00:01+00:00"), ("expires_at", "2026-03-01T13:00:00+00:00"),
        ("items", [item("a").id]), ("max_bytes", 10**15), ("max_items", 10**6),
        ("nonce", "fedcba9876543210" * 2), ("flow_run_id", "x"),
    ],
)  # fmt: skip
def test_a_field_that_was_changed_ends_the_approval(field: str, value: Any) -> None:
    changed = Approval.model_validate({**approve().plain(), field: value})
    with pytest.raises(Refused, match="its id is not its digest"):
        checked(changed)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "purge"}, "is one to purge"),
        ({"subject": "sha256:" + "ab" * 32}, "another report"),
        ({"run": "r1"}, "another report"),
        ({"policy_sha256": "sha256:" + "ab" * 32}, "policy has changed"),
        ({"approver": "<operator>"}, "names no person"),
        ({"approver": "TODO"}, "names no person"),
        ({"nonce": "0" * 32}, "placeholder"),
        ({"items": [item("a").id] * 2}, "twice"),
        ({"items": [item("zzz").id]}, "others than there are"),
        ({"created": "2026-03-01T13:00:00+00:00"}, "from the future"),
        ({"created": "2026-03-01T09:00:00+00:00"}, "older than"),
        ({"expires_at": "2026-03-03T12:00:00+00:00"}, "longer than 24 hours"),
        ({"expires_at": "2026-03-01T12:00:00+00:00"}, "longer than 24 hours"),
    ],
)  # fmt: skip
def test_a_forgery_whose_id_fits_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        checked(forged(approve(), **changes))
    assert refused.value.next_step


def test_an_approval_ends_when_it_said() -> None:
    checked(approve(), now=NOW + timedelta(hours=23, minutes=59))
    with pytest.raises(Refused, match="expired"):
        checked(approve(), now=NOW + timedelta(hours=24))


def sign(approval: Approval, key: Ed25519PrivateKey, shown: Ed25519PrivateKey = KEY) -> Approval:
    return signed(approval, public(shown), key.sign(to_sign(approval)).hex())


def test_a_signature_by_a_listed_key_holds() -> None:
    checked(sign(approve(SIGNED), KEY), SIGNED)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: approve(SIGNED), "is not signed"),
        (lambda: sign(approve(SIGNED), OTHER, OTHER), "does not list"),
        (lambda: sign(approve(SIGNED), OTHER), "not that of its key"),
        (lambda: sign(forged(approve(SIGNED), approver="Grace Hopper"), KEY), "its key is that of"),
        (
            lambda: forged(sign(approve(SIGNED), KEY), max_bytes=10**12),
            "not that of its key",
        ),
    ],
)
def test_any_other_signature_is_refused(made: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        checked(made(), SIGNED)


def test_a_signature_counts_for_nothing_where_no_key_is_listed() -> None:
    with pytest.raises(Refused, match="does not list"):
        checked(sign(approve(), KEY))


# --- reports ----------------------------------------------------------------------------------


def test_a_report_that_was_changed_is_refused() -> None:
    changed = report().model_copy(update={"version": "2"})
    with pytest.raises(Refused, match="its id is not its digest"):
        check_report(changed, POLICY, NOW)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": {"path": "x", "sha256": "sha256:" + "ab" * 32}}, "policy has changed"),
        ({"created": NOW + timedelta(hours=1)}, "from the future"),
        ({"items": [item("a"), item("a")]}, "twice"),
        ({"items": [item("a").model_copy(update={"path": "b"})]}, "another one than its id"),
        ({"items": [item("a").model_copy(update={"root": 1})]}, "another one than its id"),
        ({"items": [item("../etc")]}, "no path below its root"),
        ({"items": [item("/etc")]}, "no path below its root"),
        ({"items": [item("a/./b")]}, "no path below its root"),
    ],
)
def test_a_report_that_was_forged_whole_is_refused(changes: dict[str, Any], words: str) -> None:
    check_report(report(), POLICY, NOW)
    with pytest.raises(Refused, match=words):
        check_report(report(**changes), POLICY, NOW)


@pytest.mark.parametrize("path", ["a\\x00b", "\\x2e\\x2e/a", "a/\\x2e\\x2e", "\\x2fetc"])
def test_spelling_hides_no_way_up(path: str) -> None:
    assert not plain_path(path)


def test_a_purge_is_about_a_run_and_what_it_holds() -> None:
    subject = Subject("purge", "sha256:" + "cd" * 32, NOW, (item("a"),), "r1")
    given = Given("Ada Lovelace", NOW, "0123456789abcdef" * 2)
    made = make(subject, POLICY, [item("a")], Limits(), given)
    check(made, subject, POLICY, NOW, verify)
    for other in (
        Subject("purge", "sha256:" + "ce" * 32, NOW, (item("a"),), "r1"),
        Subject("purge", "sha256:" + "cd" * 32, NOW, (item("a"),), "r2"),
        of_report(report()),
    ):
        with pytest.raises(Refused):
            check(made, other, POLICY, NOW, verify)

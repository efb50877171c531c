"""Approve, execute, undo, purge: the story, and every reason against it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from autopack.io import audit
from autopack.io.locks import inspect
from autopack.state_files import STORAGE
from tests.support.storage_flow import (
    REPORT,
    approved,
    cleanup_root,
    kept,
    statuses,
    storage,
    with_cleanup,
    with_report,
)


@pytest.fixture
def root(make_workspace) -> Path:
    return cleanup_root(make_workspace)


@pytest.fixture
def apply(run_flow, root: Path):
    return storage(run_flow, root)


def test_the_story_from_a_report_to_undo_and_to_purge(root: Path, run_flow) -> None:
    apply, before = storage(run_flow, root), kept(root)
    with_cleanup(root, grace_days=0)
    before = kept(root)
    approval = approved(apply)
    dry = apply("execute", REPORT, approval)
    assert (dry.returncode, statuses(dry)) == (0, {"logs/a.log": "moved", "logs/old": "moved"})
    assert kept(root) == before
    assert not (root / STORAGE).exists()
    assert not (root / ".autonomous_runs/.locks").exists()

    done = apply("execute", REPORT, approval, "--execute")
    assert (done.returncode, done.report["counts"]["moved"]) == (0, 2), done.stderr
    assert "freed_bytes" not in done.report["counts"]
    assert set(before) - set(kept(root)) == {"logs/a.log", "logs/old/b.log", "logs/old/c.log"}
    run = done.report["run"]
    assert [step["command"].split()[3] for step in done.report["next_steps"]] == ["undo", "approve"]

    assert apply("undo", run).returncode == 0
    back = apply("undo", run, "--execute")
    assert (back.returncode, set(statuses(back).values())) == (0, {"undone"})
    assert kept(root) == before

    with_report(root, "logs/a.log", "logs/old")
    again = apply("execute", REPORT, approved(apply), "--execute")
    assert again.returncode == 0, again.stderr
    run = again.report["run"]
    purge = approved(apply, "--purge", run)
    assert statuses(apply("purge", run, purge)) == statuses(again) | dict.fromkeys(
        statuses(again), "purged"
    )
    gone = apply("purge", run, purge, "--execute")
    assert (gone.returncode, set(statuses(gone).values())) == (0, {"purged"})
    assert gone.report["counts"]["freed_bytes"] >= 0
    assert not (root / ".autopack-quarantine").exists()
    assert apply("undo", run, "--execute").report["items"] == []
    used = apply("purge", run, purge, "--execute")
    assert (used.returncode, "used up" in used.report["message"]) == (6, True)


def test_an_approval_is_used_once(root: Path, apply) -> None:
    approval = approved(apply)
    done = apply("execute", REPORT, approval, "--execute")
    apply("undo", done.report["run"], "--execute")
    before = kept(root)
    for words in (["--execute"], []):
        again = apply("execute", REPORT, approval, *words)
        assert again.returncode == 6
        assert f"used up by run {done.report['run']}" in again.report["message"]
    assert kept(root) == before


def test_an_approval_stays_used_without_its_journal_and_with_another_database(
    root: Path, apply, tmp_path: Path
) -> None:
    approval = approved(apply)
    done = apply("execute", REPORT, approval, "--execute")
    run = done.report["run"]
    apply("undo", run, "--execute")
    other = ("--database-url", f"sqlite:///{tmp_path}/other.db")
    assert apply("execute", REPORT, approval, "--execute", *other).returncode == 6
    os.rename(root / STORAGE / run, tmp_path / "taken")
    lost = apply("execute", REPORT, approval, "--execute")
    assert (lost.returncode, "has no journal here" in lost.report["message"]) == (6, True)


def test_a_journal_that_is_behind_what_the_database_knows_is_refused(root: Path, apply) -> None:
    approval = approved(apply)
    done = apply("execute", REPORT, approval, "--execute")
    run = done.report["run"]
    journal = root / STORAGE / run / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    apply("undo", run, "--execute")
    journal.write_bytes(b"".join(lines[:3]))
    cut = apply("execute", REPORT, approval, "--execute")
    assert (cut.returncode, "cut off or rewritten" in cut.report["message"]) == (6, True)


def test_nothing_happens_before_the_policy_enables_it(root: Path, run_flow) -> None:
    apply = storage(run_flow, root)
    with_cleanup(root, execution="disabled")
    done = apply("approve", REPORT, "--by", "Ada Lovelace")
    assert done.returncode == 6
    assert "set the line `execution: enabled` in config/storage.yaml" in done.report["message"]


def test_a_policy_that_changed_after_the_approval_ends_it(root: Path, apply) -> None:
    approval = approved(apply)
    with_cleanup(root, pinned=["logs/a.log"], grace_days=3)
    assert "report" in apply("execute", REPORT, approval, "--execute").report["message"]
    report = (root / REPORT).read_bytes()
    assert report
    done = apply("execute", REPORT, approval, "--execute")
    assert done.returncode == 6


def test_placeholders_are_refused(root: Path, apply) -> None:
    assert apply("approve", REPORT, "--by", "<operator>").returncode == 2
    approval = root / approved(apply)
    made = json.loads(approval.read_text())
    for key, value in (("subject", "not-a-hash"), ("approver", "<operator>"), ("nonce", "TODO")):
        approval.write_text(json.dumps({**made, key: value}))
        done = apply("execute", REPORT, approval, "--execute")
        assert done.returncode == 6, (key, done.stderr)
    assert (root / "logs/a.log").exists()


def test_an_approval_that_was_not_given_here_is_refused(root: Path, apply) -> None:
    from tests.support.storage import approve
    from tests.support.storage_flow import policy_of

    report = with_report(root, "logs/a.log")
    (root / "forged.json").write_bytes(approve(report, policy_of(root)).data())
    done = apply("execute", REPORT, root / "forged.json", "--execute")
    assert (done.returncode, "no record of it" in done.report["message"]) == (6, True)


def test_an_approval_is_written_over_nothing_but_an_approval(root: Path, apply) -> None:
    before = (root / "src/main.py").read_bytes()
    done = apply("approve", REPORT, "--by", "Ada Lovelace", "--out", root / "src/main.py")
    assert (done.returncode, "is no approval" in done.report["message"]) == (6, True)
    assert (root / "src/main.py").read_bytes() == before
    assert not list(audit.records(root)), "what was not given is not on record"
    for _ in range(2):
        again = apply("approve", REPORT, "--by", "Ada Lovelace", "--out", root / "given.json")
        assert again.returncode == 0, again.stderr


def make_key(path: Path) -> str:
    """Make a private key file, and return its public half."""
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    plain = pem.NoEncryption()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, plain))
    return key.public_key().public_bytes_raw().hex()


def test_a_signed_approval_holds_where_keys_are_listed_and_no_other_does(
    root: Path, run_flow, tmp_path: Path
) -> None:
    apply = storage(run_flow, root)
    public, _ = make_key(tmp_path / "key"), make_key(tmp_path / "other")
    keys = [{"name": "Ada Lovelace", "public": public}]
    with_cleanup(root, approval={"keys": keys})
    assert apply("approve", REPORT, "--by", "Ada Lovelace").returncode == 6
    assert apply("approve", REPORT, "--sign", tmp_path / "other", "--by", "Ada L").returncode == 6
    assert apply("approve", REPORT, "--sign", tmp_path / "key", "--by", "Bob").returncode == 6
    given = apply("approve", REPORT, "--sign", tmp_path / "key")
    assert given.returncode == 0, given.stderr
    path = given.report["approval_path"]
    made = json.loads((root / path).read_text())
    assert (made["approver"], made["signature"]["key"]) == ("Ada Lovelace", public)
    assert apply("execute", REPORT, path, "--execute").returncode == 0


def test_items_that_stay_are_findings_and_the_rest_goes(root: Path, apply) -> None:
    approval = approved(apply)
    (root / "logs/a.log").write_text("grown since")
    done = apply("execute", REPORT, approval, "--execute")
    assert done.returncode == 1
    assert statuses(done) == {"logs/a.log": "STALE", "logs/old": "moved"}
    [finding] = done.report["findings"]
    assert (finding["code"], finding["path"]) == ("STALE", "logs/a.log")


def test_a_purge_waits_for_the_days_of_grace(root: Path, apply) -> None:
    run = apply("execute", REPORT, approved(apply), "--execute").report["run"]
    purge = approved(apply, "--purge", run)
    done = apply("purge", run, purge, "--execute")
    assert (done.returncode, "may be purged from" in done.report["message"]) == (6, True)
    assert (root / ".autopack-quarantine" / run / "1").exists()


def test_a_purge_keeps_within_what_its_approval_allows(root: Path, run_flow) -> None:
    apply = storage(run_flow, root)
    with_cleanup(root, grace_days=0)
    run = apply("execute", REPORT, approved(apply), "--execute").report["run"]
    purge = approved(apply, "--purge", run, "--max-items", "1")
    dry = apply("purge", run, purge)
    assert sorted(statuses(dry).values()) == ["CAPPED", "purged"]
    done = apply("purge", run, purge, "--execute")
    assert (done.returncode, statuses(done)) == (1, statuses(dry))
    assert len(os.listdir(root / ".autopack-quarantine" / run)) == 1
    none = approved(apply, "--purge", run, "--max-bytes", "0")
    assert set(statuses(apply("purge", run, none, "--execute")).values()) == {"CAPPED"}


def test_an_approval_to_execute_purges_nothing(root: Path, run_flow) -> None:
    apply = storage(run_flow, root)
    with_cleanup(root, grace_days=0)
    approval = approved(apply)
    run = apply("execute", REPORT, approval, "--execute").report["run"]
    done = apply("purge", run, approval, "--execute")
    assert (done.returncode, "is one to execute" in done.report["message"]) == (6, True)


def test_a_quarantine_that_changed_after_its_approval_is_not_purged(root: Path, run_flow) -> None:
    apply = storage(run_flow, root)
    with_cleanup(root, grace_days=0)
    run = apply("execute", REPORT, approved(apply), "--execute").report["run"]
    purge = approved(apply, "--purge", run)
    (root / "logs/old").mkdir()
    apply("undo", run, "--execute")  # a.log goes back, and the folder cannot
    done = apply("purge", run, purge, "--execute")
    assert (done.returncode, "has changed" in done.report["message"]) == (6, True)


def test_state_files_and_ledgers_never_go_whatever_a_report_says(root: Path, apply) -> None:
    (root / "docs/BUILD_HISTORY.md").write_text("# Build\n")
    with_report(root, "docs", "config", "logs/a.log")
    done = apply("execute", REPORT, approved(apply), "--execute")
    assert statuses(done) == {"docs": "PROTECTED", "config": "PROTECTED", "logs/a.log": "moved"}


def test_the_locks_are_those_of_whose_folders_hold_items(root: Path, apply) -> None:
    for path in ("docs/old/x.log", "archive/y.log", ".autonomous_runs/r1/z.log"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    with_report(root, "docs/old", "archive/y.log", ".autonomous_runs/r1/z.log", "logs/a.log")
    done = apply("execute", REPORT, approved(apply), "--execute")
    assert set(statuses(done).values()) == {"moved", "PROTECTED"}, done.stderr
    taken = {seen.name for seen in inspect(root) if seen.generation}
    assert taken == {"storage", "docs", "archive", "runs", "run:r1"}


def test_who_approved_and_what_was_done_is_in_the_audit_chain(root: Path, apply) -> None:
    approval = approved(apply, REPORT, "--items", "all", "--expires", "2h")
    done = apply("execute", REPORT, approval, "--execute")
    given, acted = list(audit.records(root))
    assert (given["event"], given["by"], given["items"]) == ("storage-approval", "Ada Lovelace", 2)
    assert (acted["flow"], acted["exit_code"]) == ("storage-apply-execute", 0)
    assert f".autonomous_runs/storage/{done.report['run']}" in acted["writes"]["files"]


@pytest.mark.parametrize(
    "words",
    [
        ["approve"],
        ["approve", REPORT],
        ["approve", REPORT, "--by", "Ada Lovelace", "--items", "nothing"],
        ["approve", REPORT, "--by", "Ada Lovelace", "--expires", "3d"],
        ["approve", REPORT, "--purge", "a-run", "--by", "Ada Lovelace"],
        ["approve", "nowhere.json", "--by", "Ada Lovelace"],
        ["execute", REPORT, "nowhere.json"],
        ["undo", "no-such-run"],
        ["undo", "../../etc"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_is_one_line(apply, words) -> None:
    done = apply(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Next:" in done.stderr or "Next:" in done.report["message"]

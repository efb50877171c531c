"""The audit as its users run it: heads kept at the end of a run, tampering found."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from autopack.audit import chain
from autopack.io import audit, signing
from autopack.state_files import AUDIT, AUDIT_HEADS
from tasks.run import Run, perform
from tests.support import audits
from tests.support.audit_runs import codes, ending
from tests.support.audits import linked

HEADS = "autopack.db"


# --- what a run leaves ------------------------------------------------------------------------


def test_a_run_without_key_and_database_keeps_its_head_in_the_report_alone(
    audit_root: Path,
) -> None:
    report = ending(audit_root, anchored=False)
    assert set(report.extra["audit"]) == {"seq", "sha256"}
    assert not (audit_root / AUDIT_HEADS).exists()
    assert not (audit_root / HEADS).exists()


def test_a_storage_run_keeps_its_head_in_the_database_signed(
    audit_root: Path, audit_key: Path
) -> None:
    report = ending(audit_root, anchored=True)
    said = report.extra["audit"]
    assert report.findings == []
    assert said["key"] == signing.public_of(audit_key)
    with sqlite3.connect(audit_root / HEADS) as cx:
        [row] = cx.execute("SELECT seq, sha256, key, signature FROM audit_heads")
    assert row == (said["seq"], said["sha256"], said["key"], said["signature"])


def test_a_signed_head_is_not_laid_to_a_phase_that_is_open(
    audit_root: Path, audit_key: Path
) -> None:
    from autopack.deadline import Deadline
    from autopack.io.phase_walk import take_census

    audit.append(audit_root, {"flow": "phase-check-begin"})
    before = take_census(audit_root, Deadline.after(60))
    ending(audit_root, anchored=False)
    assert (audit_root / AUDIT_HEADS).exists()
    assert take_census(audit_root, Deadline.after(60)).items == before.items


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_every_form_of_the_report_names_the_head(
    audit_root: Path, audit_key: Path, form: str
) -> None:
    from autopack import html_page, render

    report = ending(audit_root, anchored=True)
    said = report.extra["audit"]
    shown = html_page.html(report) if form == "html" else getattr(render, form)(report)
    for words in (f"{said['seq']}:{said['sha256']}", said["signature"], said["key"]):
        assert words in shown


def test_a_run_that_failed_is_anchored_too(audit_root: Path) -> None:
    ending(audit_root, anchored=True, code=6)
    with sqlite3.connect(audit_root / HEADS) as cx:
        assert cx.execute("SELECT seq FROM audit_heads").fetchall() == [(1,)]


def test_a_head_that_cannot_be_kept_is_a_warning_and_the_record_stands(audit_root: Path) -> None:
    (audit_root / HEADS).write_bytes(b"this is no database" * 100)
    report = ending(audit_root, anchored=True)
    assert [finding.code for finding in report.findings] == ["head_not_kept"]
    assert report.exit_code == 0
    assert report.extra["audit"]["seq"] == 1


def test_a_key_that_cannot_sign_is_told_before_anything_is_done(
    audit_root: Path, audit_key: Path
) -> None:
    audit_key.chmod(0o644)
    report = ending(audit_root, anchored=True)
    assert report.exit_code == 6
    assert "can be read by others" in report.message


# --- verify -----------------------------------------------------------------------------------


def test_a_whole_chain_is_clean_and_says_what_it_was_compared_with(
    five_records: Path, audit_run
) -> None:
    before = {path: path.read_bytes() for path in five_records.rglob("*") if path.is_file()}
    done = audit_run("verify")
    assert (done.returncode, codes(done)) == (0, set())
    assert done.report["counts"] == {
        "records": 5, "proven_up_to": 5, "journals": 0,
        "heads_compared": {"given": 0, "signed": 0, "database": 2},
    }  # fmt: skip
    assert done.report["targets"]["database"].startswith("sqlite:///")
    assert {path: path.read_bytes() for path in five_records.rglob("*") if path.is_file()} == before


def test_no_chain_is_nothing_to_find(audit_root: Path, audit_run) -> None:
    done = audit_run("verify")
    assert (done.returncode, codes(done)) == (0, set())
    assert sorted(path.name for path in audit_root.iterdir()) == ["docs"]


@pytest.mark.parametrize("tamper", audits.TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_every_tampering_is_found(five_records: Path, audit_run, tamper) -> None:
    path = five_records / AUDIT
    path.write_bytes(tamper(path.read_bytes(), Random(7)))
    done = audit_run("verify")
    assert done.returncode == 1
    assert "error" in {severity for severity, _ in codes(done)}


def test_a_chain_that_was_removed_is_found(five_records: Path, audit_run) -> None:
    (five_records / AUDIT).unlink()
    done = audit_run("verify")
    assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})


def test_without_any_head_the_open_tail_is_a_warning(audit_root: Path, audit_run) -> None:
    ending(audit_root, anchored=False)
    done = audit_run("verify")
    assert (done.returncode, codes(done)) == (0, {("warning", "tail_open")})
    assert audit_run("verify", "--strict").returncode == 1


def test_an_old_report_shows_that_the_tail_was_cut(
    audit_root: Path, audit_run, tmp_path: Path
) -> None:
    for _ in range(3):
        report = ending(audit_root, anchored=False)
    kept = tmp_path / "report.json"
    kept.write_text(json.dumps(report.as_json()))
    head = f"{report.extra['audit']['seq']}:{report.extra['audit']['sha256']}"
    for given in (("--against", kept), ("--head", head)):
        assert (audit_run("verify", *given).returncode, codes(audit_run("verify", *given))) == (
            0,
            set(),
        )
    path = audit_root / AUDIT
    path.write_bytes(b"".join(audits.lines(path.read_bytes())[:2]))
    for given in (("--against", kept), ("--head", head)):
        done = audit_run("verify", *given)
        assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})


@pytest.mark.parametrize("text", [None, "", "[]", '{"audit": {"seq": 1}}', '{"head": 3}'])
def test_a_paper_without_a_head_is_a_usage_error(
    audit_root: Path, audit_run, tmp_path, text
) -> None:
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    done = audit_run("verify", "--against", tmp_path / "x.json")
    assert done.returncode == 2
    assert "no report or manifest with the head of a chain" in done.stderr


def test_signed_heads_find_what_was_written_anew(
    audit_root: Path, audit_key: Path, audit_run
) -> None:
    for _ in range(3):
        ending(audit_root, anchored=False)
    path = audit_root / AUDIT
    rows = [audits.members(row) for row in audits.lines(path.read_bytes())]
    path.write_bytes(linked([*rows[:1], {"flow": "another"}, *rows[2:]]))
    done = audit_run("verify")
    assert (done.returncode, codes(done)) == (1, {("error", "chain_rewritten")})
    [finding] = done.report["findings"]
    assert finding["message"].startswith("record 2 is not the one that the head signed by")
    assert finding["message"].endswith("record 1 still is (1 more head says so)")


def test_a_forged_head_is_found_and_one_by_a_stranger_proves_nothing(
    audit_root: Path, audit_key: Path, audit_run, tmp_path: Path
) -> None:
    report = ending(audit_root, anchored=False)
    ours = signing.public_of(audit_key)
    other = signing.make_key(tmp_path / "other.pem")
    trusting = audit_run("verify", "--key", ours)
    assert (trusting.returncode, codes(trusting)) == (0, set())
    strange = audit_run("verify", "--key", other)
    assert strange.returncode == 0
    assert codes(strange) == {("warning", "head_by_stranger"), ("warning", "tail_open")}
    path = audit_root / AUDIT_HEADS
    [row] = audits.lines(path.read_bytes())
    forged = {**audits.members(row), "head": {"seq": 1, "sha256": "f" * 64}}
    path.write_bytes(linked([forged]))
    done = audit_run("verify", "--key", ours)
    assert done.returncode == 1
    assert ("error", "head_forged") in codes(done)
    assert report.extra["audit"]["seq"] == 1


def test_a_workspace_that_moved_is_told_to_look_and_not_blamed(
    five_records: Path, run_flow
) -> None:
    moved = five_records.with_name("moved")
    shutil.copytree(five_records, moved)
    args = ("verify", "--workspace", moved, "--engine", "direct", "--json")
    done = run_flow("audit", *args)
    assert (done.returncode, codes(done)) == (0, set())
    assert done.report["counts"]["proven_up_to"] == 5
    rows = [audits.members(row) for row in audits.lines((moved / AUDIT).read_bytes())]
    (moved / AUDIT).write_bytes(linked([{"flow": "another"}, *rows[1:]]))
    done = run_flow("audit", *args)
    assert codes(done) == {("warning", "heads_of_others"), ("warning", "tail_open")}


@pytest.mark.parametrize("place", [AUDIT, AUDIT_HEADS], ids=["chain", "heads"])
def test_what_cannot_be_read_is_4(five_records: Path, audit_run, place: str) -> None:
    path = five_records / place
    path.unlink(missing_ok=True)
    path.symlink_to(five_records / "docs")
    done = audit_run("verify")
    assert done.returncode == 4
    assert "is a link" in done.stderr


def test_a_database_that_cannot_be_read_is_4(five_records: Path, audit_run) -> None:
    (five_records / HEADS).write_bytes(b"this is no database" * 100)
    assert audit_run("verify").returncode == 4


# --- heads, key, and the other name of verify ---------------------------------------------------


def test_heads_are_listed_with_the_newest_to_keep(five_records: Path, audit_run) -> None:
    done = audit_run("heads")
    assert done.returncode == 0
    head = chain.read((five_records / AUDIT).read_bytes()).head
    assert done.report["next_steps"][0]["command"].endswith(f"--head {head}")
    assert done.report["counts"] == {"signed": 0, "database": 2}


def test_a_key_is_made_and_its_public_half_is_shown(run_flow, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    done = run_flow("audit", "key", path, "--json", "--engine", "direct")
    assert done.returncode == 0
    assert done.report["public_key"] == signing.public_of(path)
    assert done.report["writes"]["files"] == [str(path)]
    assert b"PRIVATE" not in done.raw
    assert run_flow("audit", "key", path, "--engine", "direct").returncode == 6


def test_the_storage_flow_s_own_name_for_it_verifies_the_same(five_records: Path) -> None:
    from flows.audit import audit as storage_audit
    from flows.command import command_name, parse

    command = parse([storage_audit], ["verify", "--workspace", str(five_records)])
    assert command_name(storage_audit) == "audit"
    report = perform(command.fn, Run("storage-apply-audit", command.values))
    assert (report.exit_code, report.counts["proven_up_to"]) == (0, 5)
    (five_records / AUDIT).write_bytes(audits.lines((five_records / AUDIT).read_bytes())[0])
    report = perform(command.fn, Run("storage-apply-audit", command.values))
    assert (report.exit_code, report.findings[0].code) == (1, "chain_cut")

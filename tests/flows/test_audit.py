"""The audit as its users run it: heads kept at the end of a run, tampering found, copies kept."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from autopack.audit import chain
from autopack.io import audit, signing
from autopack.report import Report
from autopack.settings import database_target
from autopack.state_files import AUDIT, AUDIT_HEADS, STORAGE
from tasks.audit import keep_head_in
from tasks.run import Run, perform
from tests.support import audits
from tests.support.audits import linked
from tests.support.process import Finished

HEADS = "autopack.db"


def ending(root: Path, *, anchored: bool, code: int = 0) -> Report:
    """End a writing run as a storage run ends: with its record, and with its head kept."""

    def fn(workspace: str, execute: bool, max_seconds: float) -> Report:
        if anchored:
            keep_head_in(database_target(None, root))
        return Report("toy", execute=execute, exit_code=code)

    values = {"workspace": str(root), "execute": True, "max_seconds": 300.0}
    return perform(fn, Run("toy", values))


@pytest.fixture
def root(make_workspace) -> Path:
    return make_workspace()


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    signing.make_key(tmp_path / "key.pem")
    monkeypatch.setenv("AUTOPACK_AUDIT_KEY", str(tmp_path / "key.pem"))
    return tmp_path / "key.pem"


@pytest.fixture
def ran(run_flow, root: Path) -> Callable[..., Finished]:
    """Return `ran("verify", …)`: one command of flows.audit on the workspace."""

    def run(command: str, *args, **kwargs) -> Finished:
        words = (command, *args, "--workspace", root, "--engine", "direct", "--json")
        return run_flow("audit", *words, **kwargs)

    return run


def codes(done: Finished) -> set[tuple[str, str]]:
    return {(finding["severity"], finding["code"]) for finding in done.report["findings"]}


# --- what a run leaves ------------------------------------------------------------------------


def test_a_run_without_key_and_database_keeps_its_head_in_the_report_alone(root: Path) -> None:
    report = ending(root, anchored=False)
    assert set(report.extra["audit"]) == {"seq", "sha256"}
    assert not (root / AUDIT_HEADS).exists()
    assert not (root / HEADS).exists()


def test_a_storage_run_keeps_its_head_in_the_database_signed(root: Path, key: Path) -> None:
    report = ending(root, anchored=True)
    said = report.extra["audit"]
    assert report.findings == []
    assert said["key"] == signing.public_of(key)
    with sqlite3.connect(root / HEADS) as cx:
        [row] = cx.execute("SELECT seq, sha256, key, signature FROM audit_heads")
    assert row == (said["seq"], said["sha256"], said["key"], said["signature"])


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_every_form_of_the_report_names_the_head(root: Path, key: Path, form: str) -> None:
    from autopack import html_page, render

    report = ending(root, anchored=True)
    said = report.extra["audit"]
    shown = html_page.html(report) if form == "html" else getattr(render, form)(report)
    for words in (f"{said['seq']}:{said['sha256']}", said["signature"], said["key"]):
        assert words in shown


def test_a_run_that_failed_is_anchored_too(root: Path) -> None:
    ending(root, anchored=True, code=6)
    with sqlite3.connect(root / HEADS) as cx:
        assert cx.execute("SELECT seq FROM audit_heads").fetchall() == [(1,)]


def test_a_head_that_cannot_be_kept_is_a_warning_and_the_record_stands(root: Path) -> None:
    (root / HEADS).write_bytes(b"this is no database" * 100)
    report = ending(root, anchored=True)
    assert [finding.code for finding in report.findings] == ["head_not_kept"]
    assert report.exit_code == 0
    assert report.extra["audit"]["seq"] == 1


def test_a_key_that_cannot_sign_is_told_before_anything_is_done(root: Path, key: Path) -> None:
    key.chmod(0o644)
    report = ending(root, anchored=True)
    assert report.exit_code == 6
    assert "can be read by others" in report.message


# --- verify -----------------------------------------------------------------------------------


@pytest.fixture
def five(root: Path) -> Path:
    """Return a workspace with five records, the third and the fifth in the database."""
    for n in range(1, 6):
        ending(root, anchored=n in (3, 5))
    return root


def test_a_whole_chain_is_clean_and_says_what_it_was_compared_with(five: Path, ran) -> None:
    before = {path: path.read_bytes() for path in five.rglob("*") if path.is_file()}
    done = ran("verify")
    assert (done.returncode, codes(done)) == (0, set())
    assert done.report["counts"] == {
        "records": 5, "proven_up_to": 5, "journals": 0,
        "heads_compared": {"given": 0, "signed": 0, "database": 2},
    }  # fmt: skip
    assert done.report["targets"]["database"].startswith("sqlite:///")
    assert {path: path.read_bytes() for path in five.rglob("*") if path.is_file()} == before


def test_no_chain_is_nothing_to_find(root: Path, ran) -> None:
    done = ran("verify")
    assert (done.returncode, codes(done)) == (0, set())
    assert sorted(path.name for path in root.iterdir()) == ["docs"]


@pytest.mark.parametrize("tamper", audits.TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_every_tampering_is_found(five: Path, ran, tamper) -> None:
    path = five / AUDIT
    path.write_bytes(tamper(path.read_bytes(), Random(7)))
    done = ran("verify")
    assert done.returncode == 1
    assert "error" in {severity for severity, _ in codes(done)}


def test_a_chain_that_was_removed_is_found(five: Path, ran) -> None:
    (five / AUDIT).unlink()
    done = ran("verify")
    assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})


def test_without_any_head_the_open_tail_is_a_warning(root: Path, ran) -> None:
    ending(root, anchored=False)
    done = ran("verify")
    assert (done.returncode, codes(done)) == (0, {("warning", "tail_open")})
    assert ran("verify", "--strict").returncode == 1


def test_an_old_report_shows_that_the_tail_was_cut(root: Path, ran, tmp_path: Path) -> None:
    for _ in range(3):
        report = ending(root, anchored=False)
    kept = tmp_path / "report.json"
    kept.write_text(json.dumps(report.as_json()))
    head = f"{report.extra['audit']['seq']}:{report.extra['audit']['sha256']}"
    for given in (("--against", kept), ("--head", head)):
        assert (ran("verify", *given).returncode, codes(ran("verify", *given))) == (0, set())
    path = root / AUDIT
    path.write_bytes(b"".join(audits.lines(path.read_bytes())[:2]))
    for given in (("--against", kept), ("--head", head)):
        done = ran("verify", *given)
        assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})


@pytest.mark.parametrize("text", [None, "", "[]", '{"audit": {"seq": 1}}', '{"head": 3}'])
def test_a_paper_without_a_head_is_a_usage_error(root: Path, ran, tmp_path, text) -> None:
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    done = ran("verify", "--against", tmp_path / "x.json")
    assert done.returncode == 2
    assert "no report or manifest with the head of a chain" in done.stderr


def test_signed_heads_find_what_was_written_anew(root: Path, key: Path, ran) -> None:
    for _ in range(3):
        ending(root, anchored=False)
    path = root / AUDIT
    rows = [audits.members(row) for row in audits.lines(path.read_bytes())]
    path.write_bytes(linked([*rows[:1], {"flow": "another"}, *rows[2:]]))
    done = ran("verify")
    assert (done.returncode, codes(done)) == (1, {("error", "chain_rewritten")})
    [finding] = done.report["findings"]
    assert finding["message"].startswith("record 2 is not the one that the head signed by")
    assert finding["message"].endswith("record 1 still is (1 more head says so)")


def test_a_forged_head_is_found_and_one_by_a_stranger_proves_nothing(
    root: Path, key: Path, ran, tmp_path: Path
) -> None:
    report = ending(root, anchored=False)
    ours = signing.public_of(key)
    other = signing.make_key(tmp_path / "other.pem")
    trusting = ran("verify", "--key", ours)
    assert (trusting.returncode, codes(trusting)) == (0, set())
    strange = ran("verify", "--key", other)
    assert strange.returncode == 0
    assert codes(strange) == {("warning", "head_by_stranger"), ("warning", "tail_open")}
    path = root / AUDIT_HEADS
    [row] = audits.lines(path.read_bytes())
    forged = {**audits.members(row), "head": {"seq": 1, "sha256": "f" * 64}}
    path.write_bytes(linked([forged]))
    done = ran("verify", "--key", ours)
    assert done.returncode == 1
    assert ("error", "head_forged") in codes(done)
    assert report.extra["audit"]["seq"] == 1


def test_a_workspace_that_moved_is_told_to_look_and_not_blamed(five: Path, run_flow) -> None:
    moved = five.with_name("moved")
    shutil.copytree(five, moved)
    args = ("verify", "--workspace", moved, "--engine", "direct", "--json")
    done = run_flow("audit", *args)
    assert (done.returncode, codes(done)) == (0, set())
    assert done.report["counts"]["proven_up_to"] == 5
    rows = [audits.members(row) for row in audits.lines((moved / AUDIT).read_bytes())]
    (moved / AUDIT).write_bytes(linked([{"flow": "another"}, *rows[1:]]))
    done = run_flow("audit", *args)
    assert codes(done) == {("warning", "heads_of_others"), ("warning", "tail_open")}


@pytest.mark.parametrize("place", [AUDIT, AUDIT_HEADS], ids=["chain", "heads"])
def test_what_cannot_be_read_is_4(five: Path, ran, place: str) -> None:
    path = five / place
    path.unlink(missing_ok=True)
    path.symlink_to(five / "docs")
    done = ran("verify")
    assert done.returncode == 4
    assert "is a link" in done.stderr


def test_a_database_that_cannot_be_read_is_4(five: Path, ran) -> None:
    (five / HEADS).write_bytes(b"this is no database" * 100)
    assert ran("verify").returncode == 4


# --- journals -----------------------------------------------------------------------------------


def journal(root: Path, run: str, count: int) -> Path:
    """Write a journal, and let the chain name its head."""
    data = linked([{"step": n} for n in range(count)])
    path = root / STORAGE / run / "journal.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    head = chain.read(data).head
    assert head
    audit.append(root, {"journal": {"run": run, "seq": head.seq, "sha256": head.sha256}})
    return path


@pytest.mark.parametrize("tamper", audits.TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_a_journal_that_was_tampered_with_is_found(root: Path, ran, tamper) -> None:
    path = journal(root, "run-1", 5)
    ending(root, anchored=True)
    done = ran("verify")
    assert (done.returncode, done.report["counts"]["journals"]) == (0, 1)
    path.write_bytes(tamper(path.read_bytes(), Random(11)))
    done = ran("verify")
    assert done.returncode == 1
    assert {finding["path"] for finding in done.report["findings"]} == {
        f"{STORAGE}/run-1/journal.jsonl"
    }


def test_a_journal_that_is_gone_is_found(root: Path, ran) -> None:
    journal(root, "run-1", 2).unlink()
    ending(root, anchored=True)
    done = ran("verify")
    assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})


def pin_in(database: Path, run: str, seq: int, head: str) -> None:
    """Keep the head of a run's journal as the storage flows do."""
    with sqlite3.connect(database) as cx:
        cx.execute("CREATE TABLE IF NOT EXISTS storage_runs (run TEXT, seq BIGINT, head TEXT)")
        cx.execute("INSERT INTO storage_runs VALUES (?, ?, ?)", (run, seq, head))


def test_a_journal_is_held_to_what_the_database_says_of_its_run(root: Path, ran, tmp_path) -> None:
    data = linked([{"step": n} for n in range(3)])
    path = root / STORAGE / "run-1" / "journal.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    ending(root, anchored=True)
    elsewhere = tmp_path / "shared.db"
    shutil.copy(root / HEADS, elsewhere)
    for database in (root / HEADS, elsewhere):
        pin_in(database, "run-1", 3, chain.read(data).heads[3])
    shared = ("--database-url", f"sqlite:////{elsewhere}")
    assert [ran("verify", *which).returncode for which in ((), shared)] == [0, 0]
    path.write_bytes(b"".join(audits.lines(data)[:2]))
    for which in ((), shared):
        done = ran("verify", *which)
        assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})
    path.unlink()
    assert codes(ran("verify")) == {("error", "chain_cut")}
    assert codes(ran("verify", *shared)) == set(), "it may be the run of another checkout"


@pytest.mark.parametrize("run", ["../../docs", "a/b", "", ".", 7, None, "x\0y"])
def test_a_record_cannot_send_the_reader_elsewhere(root: Path, ran, run) -> None:
    audit.append(root, {"journal": {"run": run, "seq": 1, "sha256": "a" * 64}})
    ending(root, anchored=True)
    done = ran("verify")
    assert (done.returncode, done.report["counts"]["journals"]) == (0, 0)


# --- export -------------------------------------------------------------------------------------


def test_a_copy_is_whole_signed_and_proves_the_chain(five: Path, key: Path, ran, tmp_path) -> None:
    out = tmp_path / "copy.jsonl"
    env = {"AUTOPACK_AUDIT_KEY": str(key)}
    done = ran("export", "--out", out, env=env)
    assert done.returncode == 0
    assert done.report["writes"]["files"] == [str(out), f"{out}.manifest.json"]
    assert out.read_bytes() == (five / AUDIT).read_bytes()
    (five / HEADS).unlink()
    seen = ran("verify", "--copy", out, "--key", signing.public_of(key))
    assert (seen.returncode, seen.report["counts"]["proven_up_to"]) == (0, 5)
    assert ran("verify", "--against", f"{out}.manifest.json").returncode == 0
    path = five / AUDIT
    path.write_bytes(b"".join(audits.lines(path.read_bytes())[:2]))
    assert ("error", "chain_cut") in codes(ran("verify", "--copy", out))
    assert ("error", "chain_cut") in codes(ran("verify", "--against", f"{out}.manifest.json"))


def test_a_copy_that_was_changed_is_found(five: Path, key: Path, ran, tmp_path) -> None:
    out = tmp_path / "copy.jsonl"
    env = {"AUTOPACK_AUDIT_KEY": str(key)}
    assert ran("export", "--out", out, env=env).returncode == 0
    data = out.read_bytes()
    out.write_bytes(data.replace(b'"toy"', b'"boy"', 1))
    assert ("error", "copy_tampered") in codes(ran("verify", "--copy", out))
    out.write_bytes(data)
    manifest = Path(f"{out}.manifest.json")
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**said, "signature": "0" * 128}))
    assert ("error", "copy_tampered") in codes(ran("verify", "--copy", out))
    del said["signature"]
    manifest.write_text(json.dumps(said))
    assert ran("verify", "--copy", out).returncode == 0
    trusting = ran("verify", "--copy", out, "--key", signing.public_of(key))
    assert ("error", "copy_tampered") in codes(trusting)


def test_an_export_to_a_folder_can_be_repeated_and_grows(five: Path, ran, tmp_path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    assert len(ran("export", "--out", folder).report["writes"]["files"]) == 2
    again = ran("export", "--out", folder)
    assert (again.returncode, again.report["writes"]["files"]) == (0, [])
    ending(five, anchored=True)
    assert ran("export", "--out", folder, "--since", "6").returncode == 0
    names = sorted(name for name in os.listdir(folder) if name.endswith(".jsonl"))
    assert names == ["audit-00000001-00000005.jsonl", "audit-00000006-00000006.jsonl"]
    both = b"".join((folder / name).read_bytes() for name in names)
    assert both == (five / AUDIT).read_bytes()
    seen = ran("verify", "--copy", *(folder / name for name in names))
    assert seen.returncode == 0


def test_an_export_goes_on_where_the_last_one_ended(five: Path, ran, tmp_path) -> None:
    words = ("export", "--out", f"{tmp_path}/kept/", "--since", "last")
    assert ran(*words).returncode == 0
    nothing = ran(*words)
    assert (nothing.returncode, nothing.report["writes"]["files"]) == (0, [])
    ending(five, anchored=True)
    [data, _] = ran(*words).report["writes"]["files"]
    assert data.endswith("audit-00000006-00000006.jsonl")


def test_an_export_does_not_go_on_from_a_copy_that_the_chain_denies(five: Path, ran, tmp_path):
    words = ("export", "--out", f"{tmp_path}/kept/", "--since", "last")
    assert ran(*words).returncode == 0
    (five / HEADS).unlink()
    path = five / AUDIT
    rows = [audits.members(row) for row in audits.lines(path.read_bytes())]
    path.write_bytes(linked([*rows[:4], {"flow": "another"}, {"flow": "later"}]))
    done = ran(*words)
    assert (done.returncode, codes(done)) == (1, {("error", "chain_rewritten")})
    assert done.report["writes"]["files"] == []


def test_an_export_never_replaces_a_file(five: Path, ran, tmp_path) -> None:
    out = tmp_path / "copy.jsonl"
    out.write_text("mine")
    done = ran("export", "--out", out)
    assert done.returncode == 6
    assert "never replaces a file" in done.stderr
    assert out.read_text() == "mine"


def test_a_chain_with_an_error_is_not_exported(five: Path, ran, tmp_path) -> None:
    (five / AUDIT).write_bytes(audits.lines((five / AUDIT).read_bytes())[0])
    done = ran("export", "--out", tmp_path / "copy.jsonl")
    assert (done.returncode, done.report["writes"]["files"]) == (1, [])
    assert not (tmp_path / "copy.jsonl").exists()


# --- heads, key, and the other name of verify ---------------------------------------------------


def test_heads_are_listed_with_the_newest_to_keep(five: Path, ran) -> None:
    done = ran("heads")
    assert done.returncode == 0
    head = chain.read((five / AUDIT).read_bytes()).head
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


def test_the_storage_flow_s_own_name_for_it_verifies_the_same(five: Path) -> None:
    from flows.audit import audit as storage_audit
    from flows.command import command_name, parse

    command = parse([storage_audit], ["verify", "--workspace", str(five)])
    assert command_name(storage_audit) == "audit"
    report = perform(command.fn, Run("storage-apply-audit", command.values))
    assert (report.exit_code, report.counts["proven_up_to"]) == (0, 5)
    (five / AUDIT).write_bytes(audits.lines((five / AUDIT).read_bytes())[0])
    report = perform(command.fn, Run("storage-apply-audit", command.values))
    assert (report.exit_code, report.findings[0].code) == (1, "chain_cut")

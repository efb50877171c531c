"""Copies of the audit chain: verified, never over a file, and proof of what they were made of."""

from __future__ import annotations

import json
import os
from pathlib import Path

from autopack.io import signing
from autopack.state_files import AUDIT
from tests.support import audits
from tests.support.audit_runs import codes, ending
from tests.support.audits import linked

HEADS = "autopack.db"


def test_a_copy_is_whole_signed_and_proves_the_chain(
    five_records: Path, audit_key: Path, audit_run, tmp_path
) -> None:
    out = tmp_path / "copy.jsonl"
    env = {"AUTOPACK_AUDIT_KEY": str(audit_key)}
    done = audit_run("export", "--out", out, env=env)
    assert done.returncode == 0
    assert done.report["writes"]["files"] == [str(out), f"{out}.manifest.json"]
    assert out.read_bytes() == (five_records / AUDIT).read_bytes()
    (five_records / HEADS).unlink()
    seen = audit_run("verify", "--exported", out, "--key", signing.public_of(audit_key))
    assert (seen.returncode, seen.report["counts"]["proven_up_to"]) == (0, 5)
    assert audit_run("verify", "--against", f"{out}.manifest.json").returncode == 0
    path = five_records / AUDIT
    path.write_bytes(b"".join(audits.lines(path.read_bytes())[:2]))
    assert ("error", "chain_cut") in codes(audit_run("verify", "--exported", out))
    assert ("error", "chain_cut") in codes(audit_run("verify", "--against", f"{out}.manifest.json"))


def test_a_copy_that_was_changed_is_found(
    five_records: Path, audit_key: Path, audit_run, tmp_path
) -> None:
    out = tmp_path / "copy.jsonl"
    env = {"AUTOPACK_AUDIT_KEY": str(audit_key)}
    assert audit_run("export", "--out", out, env=env).returncode == 0
    data = out.read_bytes()
    out.write_bytes(data.replace(b'"toy"', b'"boy"', 1))
    assert ("error", "copy_tampered") in codes(audit_run("verify", "--exported", out))
    out.write_bytes(data)
    manifest = Path(f"{out}.manifest.json")
    said = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**said, "signature": "0" * 128}))
    assert ("error", "copy_tampered") in codes(audit_run("verify", "--exported", out))
    del said["signature"]
    manifest.write_text(json.dumps(said))
    assert audit_run("verify", "--exported", out).returncode == 0
    trusting = audit_run("verify", "--exported", out, "--key", signing.public_of(audit_key))
    assert ("error", "copy_tampered") in codes(trusting)


def test_an_export_to_a_folder_can_be_repeated_and_grows(
    five_records: Path, audit_run, tmp_path
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    assert len(audit_run("export", "--out", folder).report["writes"]["files"]) == 2
    again = audit_run("export", "--out", folder)
    assert (again.returncode, again.report["writes"]["files"]) == (0, [])
    ending(five_records, anchored=True)
    assert audit_run("export", "--out", folder, "--since", "6").returncode == 0
    names = sorted(name for name in os.listdir(folder) if name.endswith(".jsonl"))
    assert names == ["audit-00000001-00000005.jsonl", "audit-00000006-00000006.jsonl"]
    both = b"".join((folder / name).read_bytes() for name in names)
    assert both == (five_records / AUDIT).read_bytes()
    seen = audit_run("verify", "--exported", *(folder / name for name in names))
    assert seen.returncode == 0


def test_an_export_goes_on_where_the_last_one_ended(
    five_records: Path, audit_run, tmp_path
) -> None:
    words = ("export", "--out", f"{tmp_path}/kept/", "--since", "last")
    assert audit_run(*words).returncode == 0
    nothing = audit_run(*words)
    assert (nothing.returncode, nothing.report["writes"]["files"]) == (0, [])
    ending(five_records, anchored=True)
    [data, _] = audit_run(*words).report["writes"]["files"]
    assert data.endswith("audit-00000006-00000006.jsonl")


def test_an_export_does_not_go_on_from_a_copy_that_the_chain_denies(
    five_records: Path, audit_run, tmp_path
):
    words = ("export", "--out", f"{tmp_path}/kept/", "--since", "last")
    assert audit_run(*words).returncode == 0
    (five_records / HEADS).unlink()
    path = five_records / AUDIT
    rows = [audits.members(row) for row in audits.lines(path.read_bytes())]
    path.write_bytes(linked([*rows[:4], {"flow": "another"}, {"flow": "later"}]))
    done = audit_run(*words)
    assert (done.returncode, codes(done)) == (1, {("error", "chain_rewritten")})
    assert done.report["writes"]["files"] == []


def test_an_export_never_replaces_a_file(five_records: Path, audit_run, tmp_path) -> None:
    out = tmp_path / "copy.jsonl"
    out.write_text("mine")
    done = audit_run("export", "--out", out)
    assert done.returncode == 6
    assert "never replaces a file" in done.stderr
    assert out.read_text() == "mine"


def test_a_chain_with_an_error_is_not_exported(five_records: Path, audit_run, tmp_path) -> None:
    (five_records / AUDIT).write_bytes(audits.lines((five_records / AUDIT).read_bytes())[0])
    done = audit_run("export", "--out", tmp_path / "copy.jsonl")
    assert (done.returncode, done.report["writes"]["files"]) == (1, [])
    assert not (tmp_path / "copy.jsonl").exists()

"""The journals of storage runs, verified with the audit chain."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from autopack.audit import chain
from autopack.io import audit
from autopack.state_files import STORAGE
from tests.support import audits
from tests.support.audit_runs import codes, ending
from tests.support.audits import linked

HEADS = "autopack.db"


def journal(audit_root: Path, run: str, count: int) -> Path:
    """Write a journal, and let the chain name its head."""
    data = linked([{"step": n} for n in range(count)])
    path = audit_root / STORAGE / run / "journal.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    head = chain.read(data).head
    assert head
    audit.append(audit_root, {"journal": {"run": run, "seq": head.seq, "sha256": head.sha256}})
    return path


@pytest.mark.parametrize("tamper", audits.TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_a_journal_that_was_tampered_with_is_found(audit_root: Path, audit_run, tamper) -> None:
    path = journal(audit_root, "run-1", 5)
    ending(audit_root, anchored=True)
    done = audit_run("verify")
    assert (done.returncode, done.report["counts"]["journals"]) == (0, 1)
    path.write_bytes(tamper(path.read_bytes(), Random(11)))
    done = audit_run("verify")
    assert done.returncode == 1
    assert {finding["path"] for finding in done.report["findings"]} == {
        f"{STORAGE}/run-1/journal.jsonl"
    }


def test_a_journal_that_is_gone_is_found(audit_root: Path, audit_run) -> None:
    journal(audit_root, "run-1", 2).unlink()
    ending(audit_root, anchored=True)
    done = audit_run("verify")
    assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})


def pin_in(database: Path, run: str, seq: int, head: str) -> None:
    """Keep the head of a run's journal as the storage flows do."""
    with sqlite3.connect(database) as cx:
        cx.execute("CREATE TABLE IF NOT EXISTS storage_runs (run TEXT, seq BIGINT, head TEXT)")
        cx.execute("INSERT INTO storage_runs VALUES (?, ?, ?)", (run, seq, head))


def test_a_journal_is_held_to_what_the_database_says_of_its_run(
    audit_root: Path, audit_run, tmp_path
) -> None:
    data = linked([{"step": n} for n in range(3)])
    path = audit_root / STORAGE / "run-1" / "journal.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    ending(audit_root, anchored=True)
    elsewhere = tmp_path / "shared.db"
    shutil.copy(audit_root / HEADS, elsewhere)
    for database in (audit_root / HEADS, elsewhere):
        pin_in(database, "run-1", 3, chain.read(data).heads[3])
    shared = ("--database-url", f"sqlite:////{elsewhere}")
    assert [audit_run("verify", *which).returncode for which in ((), shared)] == [0, 0]
    path.write_bytes(b"".join(audits.lines(data)[:2]))
    for which in ((), shared):
        done = audit_run("verify", *which)
        assert (done.returncode, codes(done)) == (1, {("error", "chain_cut")})
    path.unlink()
    assert codes(audit_run("verify")) == {("error", "chain_cut")}
    assert codes(audit_run("verify", *shared)) == set(), "it may be the run of another checkout"


@pytest.mark.parametrize("run", ["../../docs", "a/b", "", ".", 7, None, "x\0y"])
def test_a_record_cannot_send_the_reader_elsewhere(audit_root: Path, audit_run, run) -> None:
    audit.append(audit_root, {"journal": {"run": run, "seq": 1, "sha256": "a" * 64}})
    ending(audit_root, anchored=True)
    done = audit_run("verify")
    assert (done.returncode, done.report["counts"]["journals"]) == (0, 0)

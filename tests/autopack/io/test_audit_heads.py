"""Heads outside the chain: signed in a file, and as rows of SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.audit.chain import Head
from autopack.audit.signed import SignedHead, signed_head
from autopack.deadline import Deadline
from autopack.errors import Refused, Unreachable
from autopack.io import audit, audit_heads, audit_rows, signing
from autopack.io.audit_anchor import anchor
from autopack.io.audit_rows import Row
from autopack.io.database import Database
from autopack.settings import database_target
from autopack.state_files import AUDIT_HEADS
from tests.support.session import REPOSITORY, clean_environment


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signing.make_key(tmp_path / "key.pem")
    return tmp_path / "key.pem"


def test_a_signed_head_is_kept_and_read_back(tmp_path: Path, key: Path) -> None:
    signed = [audit_heads.sign(Head(n, f"{n}" * 64), key) for n in (1, 2)]
    for one in signed:
        audit_heads.keep(tmp_path, one)
    chain, lines = audit_heads.read(tmp_path)
    assert chain.bad is None
    assert lines == [(1, signed[0]), (2, signed[1])]
    assert all(audit_heads.genuine(one) for one in signed)


@pytest.mark.parametrize(
    "change",
    [
        {"head": {"seq": 2, "sha256": "1" * 64}},
        {"head": {"seq": 1, "sha256": "2" * 64}},
        {"at": "2026-01-31T00:00:00+00:00"},
        {"key": "a" * 64},
        {"signature": "b" * 128},
        {"signature": ""},
    ],
)
def test_nothing_of_a_signed_head_can_be_changed(key: Path, change: dict) -> None:
    signed = audit_heads.sign(Head(1, "1" * 64), key)
    forged = signed_head({**signed.as_json(), **change})
    assert forged
    assert audit_heads.genuine(forged) is False


@pytest.mark.parametrize(
    "change",
    [{"head": None}, {"head": {"seq": True, "sha256": "1" * 64}}, {"head": {"seq": 1}},
     {"head": {"seq": 1, "sha256": "x"}}, {"schema": "x"}, {"at": 1}, {"key": None}],
)  # fmt: skip
def test_what_is_no_signed_head_is_none(key: Path, change: dict) -> None:
    signed = audit_heads.sign(Head(1, "1" * 64), key)
    assert signed_head({**signed.as_json(), **change}) is None


def test_a_signature_under_a_head_is_none_under_anything_else(key: Path) -> None:
    signed = audit_heads.sign(Head(1, "1" * 64), key)
    assert b"autopack.audit.head/1" in signed.payload()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/heads.db"
    else:
        yield request.getfixturevalue("fresh_postgres")


def opened(url: str, root: Path) -> Database:
    return Database(database_target(url, root), Deadline.after(60))


def row(seq: int, sha: str = "a" * 64, checkout: str = "here") -> Row:
    return Row(checkout, Head(seq, sha), "0" * 64, "2026-01-31T00:00:00+00:00")


def test_without_a_table_there_are_no_heads_and_none_is_made(url: str, tmp_path: Path) -> None:
    assert audit_rows.read(opened(url, tmp_path)) == ()
    assert not (tmp_path / "heads.db").exists()


def test_rows_are_added_once_and_never_changed(url: str, tmp_path: Path) -> None:
    database = opened(url, tmp_path)
    told = [row(2, "b" * 64), row(1), row(1, "c" * 64), row(1, checkout="there")]
    for one in [*told, row(1), Row("here", Head(1, "a" * 64), "9" * 64, "later", "k", "s")]:
        audit_rows.keep(database, one)
    assert sorted(audit_rows.read(database), key=str) == sorted(told, key=str)
    database.close()


def test_an_anchor_is_signed_and_in_the_database_and_says_so(
    url: str, tmp_path: Path, key: Path
) -> None:
    where = audit.append(tmp_path, {"n": 1})
    target = database_target(url, tmp_path)
    made = anchor(tmp_path, where, target, key=key, deadline=Deadline.after(60))
    assert made.problems == ()
    said = made.as_json()
    assert (said["seq"], said["sha256"], said["database"]) == (1, where.sha256, target.shown)
    signed = SignedHead(where.head, said["at"], said["key"], said["signature"])
    assert audit_heads.genuine(signed)
    [found] = audit_rows.read(opened(url, tmp_path))
    assert (found.head, found.key, found.signature) == (where.head, signed.key, signed.signature)
    assert found.genesis == where.sha256
    assert audit_heads.read(tmp_path)[1] == [(1, signed)]


def test_without_key_and_database_an_anchor_writes_nothing(tmp_path: Path) -> None:
    where = audit.append(tmp_path, {"n": 1})
    before = sorted(tmp_path.rglob("*"))
    assert anchor(tmp_path, where).as_json() == {"seq": 1, "sha256": where.sha256}
    assert sorted(tmp_path.rglob("*")) == before


def test_one_place_that_fails_does_not_keep_the_head_from_the_other(
    tmp_path: Path, key: Path
) -> None:
    where = audit.append(tmp_path, {"n": 1})
    key.chmod(0o644)
    target = database_target("sqlite:///heads.db", tmp_path)
    made = anchor(tmp_path, where, target, key=key)
    assert [type(problem) for problem in made.problems] == [Refused]
    assert (made.signed, made.database) == (None, target.shown)
    assert not (tmp_path / AUDIT_HEADS).exists()
    key.chmod(0o600)
    (tmp_path / "heads.db").write_bytes(b"this is no database" * 100)
    made = anchor(tmp_path, where, target, key=key)
    assert [type(problem) for problem in made.problems] == [Unreachable]
    assert made.signed
    assert made.database is None


WRITER = """
import sys
from pathlib import Path
from autopack.deadline import Deadline
from autopack.io.audit import append
from autopack.io.audit_anchor import anchor
from autopack.settings import database_target
root, key, url = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for n in range(10):
    where = append(root, {"n": n}, max_wait_s=60)
    made = anchor(root, where, database_target(url, root), key=key, deadline=Deadline.after(60))
    assert not made.problems, made.problems
"""


def test_writers_at_once_keep_every_head(url: str, tmp_path: Path, key: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(key), url]
    writers = [subprocess.Popen(command, cwd=REPOSITORY, env=clean_environment()) for _ in range(3)]
    assert [child.wait(120) for child in writers] == [0, 0, 0]
    heads = audit.chain.read(audit.read(tmp_path / audit.AUDIT_FILE)).heads
    assert len(heads) == 30
    rows = audit_rows.read(opened(url, tmp_path))
    assert {found.head.seq: found.head.sha256 for found in rows} == heads
    kept, lines = audit_heads.read(tmp_path)
    assert kept.bad is None
    assert {signed.head.seq: signed.head.sha256 for _, signed in lines if signed} == heads


def test_the_table_is_what_the_page_says(tmp_path: Path) -> None:
    audit_rows.keep(opened("sqlite:///heads.db", tmp_path), row(1))
    with sqlite3.connect(tmp_path / "heads.db") as cx:
        columns = [name for _, name, *_rest in cx.execute("PRAGMA table_info(audit_heads)")]
    assert columns == ["checkout", "seq", "sha256", "genesis", "at", "key", "signature"]

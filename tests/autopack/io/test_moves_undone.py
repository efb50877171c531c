"""Moves of a run put back: each with the guarantees of a move, what cannot go back told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopack.errors import Refused, UsageError
from autopack.io import moves
from autopack.io.move_journal import JOURNALS
from tests.support.moves import files, move, recover, statuses, terms, tree, two_pages


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return two_pages(tmp_path / "workspace")


def test_undo_refuses_what_changed_or_whose_place_is_taken_and_tells_each(root) -> None:
    for name in ("c.md", "d.md"):
        (root / name).write_bytes(name.encode())
    move(root, *((name, f"archive/{name}") for name in ("a.md", "b.md", "c.md", "d.md")))
    (root / "archive/a.md").write_bytes(b"edited")
    (root / "b.md").write_bytes(b"somebody's")
    (root / "archive/c.md").unlink()
    seen = list(moves.preview_undo(root, "r1"))
    before = tree(root)
    ends = list(moves.undo(root, "r1", "r2", **terms()))
    assert statuses(ends) == ["moved", "gone", "dest_exists", "changed"]
    assert statuses(seen) == statuses(ends)
    assert files(root) == {
        "archive/a.md": b"edited", "archive/b.md": b"beta", "b.md": b"somebody's", "d.md": b"d.md",
    }  # fmt: skip
    assert before["archive/d.md"] == b"d.md"
    (root / "b.md").unlink()
    assert sorted(statuses(moves.undo(root, "r1", "r3", **terms()))) == ["changed", "gone", "moved"]
    with pytest.raises(UsageError, match="has moved nothing") as refused:
        list(moves.undo(root, "nobody", "r4", **terms()))
    assert refused.value.next_step == f"ls {root}/.autonomous_runs/tidy/journal"


def test_undo_of_an_undo_moves_again(root) -> None:
    move(root, ("a.md", "archive/a.md"))
    list(moves.undo(root, "r1", "r2", **terms()))
    assert files(root)["a.md"] == b"alpha"
    assert statuses(moves.undo(root, "r2", "r3", **terms())) == ["moved"]
    assert files(root)["archive/a.md"] == b"alpha"


def test_many_moves_are_undone_in_as_few_waits_and_readings(root, monkeypatch) -> None:
    waits, readings = [], []
    for n in range(64):
        (root / f"{n}").write_bytes(b"%d" % n)
    (root / "archive").mkdir()
    move(root, *((f"{n}", f"archive/{n}") for n in range(64)))
    fsync, read = os.fsync, Path.read_bytes
    monkeypatch.setattr(os, "fsync", lambda descriptor: (waits.append(1), fsync(descriptor)))
    monkeypatch.setattr(Path, "read_bytes", lambda path: (readings.append(path), read(path))[1])
    assert statuses(moves.undo(root, "r1", "r2", **terms())) == ["moved"] * 64
    assert len(waits) < 25
    assert len(readings) == 3, "the journal that is undone twice, and the own one once"


def test_what_undo_has_no_time_for_is_not_even_read(root, monkeypatch) -> None:
    move(root, ("a.md", "archive/a.md"), ("b.md", "archive/b.md"))
    monkeypatch.setattr(moves, "fingerprint", lambda *_: pytest.fail("it was read"))
    assert statuses(moves.undo(root, "r1", "r2", **terms(seconds=0))) == ["deferred", "deferred"]


def test_a_journal_of_a_later_version_is_neither_undone_nor_settled(root) -> None:
    move(root, ("a.md", "archive/a.md"))
    path = root / JOURNALS / "r1.jsonl"
    path.write_bytes(path.read_bytes().replace(b"moves/1", b"moves/2").replace(b"end", b"und"))
    before = path.read_bytes()
    for attempt in (lambda: recover(root), lambda: list(moves.undo(root, "r1", "r2", **terms()))):
        with pytest.raises(Refused, match="not known"):
            attempt()
    assert path.read_bytes() == before

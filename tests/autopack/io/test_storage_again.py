"""Scans after a scan: `exact` is `full`, `fast` sees the structure and says how old sizes are."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from autopack.io import storage_scan
from tests.support.storage_trees import HOUR_NS, Gardener, again, full, judged, nasty, rows


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("clock", ["honest", "settled"])
def test_exact_is_full_and_fast_sees_the_structure(tmp_path, seed, clock) -> None:
    """With a settled clock nothing is too young to be believed, so that little is listed again."""
    ahead = HOUR_NS if clock == "settled" else 0
    root = tmp_path / "tree"
    root.mkdir()
    garden = Gardener(root, seed)
    garden.plant(60)
    last = exact = full(root, now_ns=time.time_ns() + ahead)
    for _ in range(4):
        time.sleep(0.02)  # a step of the kernel's clock: two states of a folder differ in time
        garden.change(6)
        anew = full(root)
        now_ns = time.time_ns() + ahead
        exact = again(root, "exact", exact, now_ns=now_ns)
        fast = again(root, "fast", last, now_ns=now_ns)
        assert exact.sha256 == anew.sha256
        assert rows(anew) == judged(root)
        assert set(fast.frame["path"]) == set(anew.frame["path"])
        for column in ("kind", "ino", "parent"):
            assert fast.frame[column].equals(anew.frame[column])
        assert fast.label.startswith("structural; sizes as of ")
        assert fast.sizes_ns == last.sizes_ns
        last = fast


def test_little_is_listed_again(tmp_path, monkeypatch) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    garden = Gardener(root, 3)
    garden.plant(100)
    last = full(root, now_ns=time.time_ns() + HOUR_NS)
    time.sleep(0.02)
    (root / "one more").write_bytes(b"x")
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(folder) or listdir(folder))
    again(root, "exact", last)
    assert len(listed) == 1


def test_a_folder_that_changed_as_it_was_scanned_is_listed_again(tmp_path) -> None:
    """Within a step of the clock a change leaves the time as it was."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "file").write_bytes(b"x")
    last = full(root)
    (root / "young").write_bytes(b"x")
    seen = root.stat()
    frame = last.frame.with_columns(mtime_ns=seen.st_mtime_ns, ctime_ns=seen.st_ctime_ns)
    found = again(root, "exact", replace(last, frame=frame))
    assert "young" in set(found.frame["path"])


def test_every_file_is_looked_at_within_twenty_fast_scans(tmp_path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for n in range(40):
        (root / f"file{n}").write_bytes(b"x")
    last = full(root, now_ns=time.time_ns() + HOUR_NS)
    time.sleep(0.02)
    for n in range(40):
        with (root / f"file{n}").open("ab") as file:
            file.write(b"more")
    stale = []
    for _ in range(20):
        last = again(root, "fast", last, now_ns=time.time_ns() + HOUR_NS)
        stale.append(int((last.frame["size"] == 1).sum()))
    assert stale[0] > 20, "a fast scan leaves most files alone"
    assert stale[-1] == 0
    assert stale == sorted(stale, reverse=True)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_without_a_snapshot_of_this_root_everything_is_scanned_and_said(tmp_path, mode) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(b"")
    other = full(tmp_path / "one")
    for last, why in ((None, "no earlier snapshot"), (other, "of another folder")):
        found = again(tmp_path / "two", mode, last)
        assert found.exact
        assert why in found.remarks[0]
        assert found.frame.equals(full(tmp_path / "two").frame)


def test_what_another_user_saw_is_not_believed(tmp_path) -> None:
    last = replace(full(tmp_path), seen_by="1:1")
    found = again(tmp_path, "exact", last)
    assert "another user's" in found.remarks[0]


def test_so_many_changes_that_all_is_scanned_anew(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(storage_scan, "_MANY", 0)
    root = nasty(tmp_path / "tree")
    last = full(root)
    found = again(root, "fast", last)
    assert found.exact
    assert found.frame.equals(last.frame)


def test_an_exact_scan_in_two_processes_is_the_same(nasty_tree, two_processes) -> None:
    last = full(nasty_tree, now_ns=time.time_ns() + HOUR_NS)
    found = again(nasty_tree, "exact", last)
    assert found.sha256 == last.sha256
    assert found.remarks == ()

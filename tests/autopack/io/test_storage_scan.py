"""Full scans of real trees: every entry once and exactly, whatever it is called."""

from __future__ import annotations

import os
import subprocess

import pytest

from autopack.errors import UsageError
from autopack.storage.classify import Kind
from autopack.storage.snapshot import totals
from tests.support.storage_trees import chain, full, judged, rows


def kinds(snapshot) -> dict[str, Kind]:
    """Return the kinds of entries by path."""
    return {path: Kind(k) for path, k in zip(*snapshot.frame.select("path", "kind"), strict=True)}


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_a_scan_sees_what_a_plain_walk_sees(nasty_tree, backend) -> None:
    found = full(nasty_tree, backend=backend)
    assert rows(found) == judged(nasty_tree)
    assert found.not_seen == ()
    assert found.frame["path"].is_sorted()


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_two_processes_give_the_identical_snapshot(nasty_tree, backend, two_processes) -> None:
    assert full(nasty_tree, backend=backend).sha256 == full(nasty_tree, backend="stat").sha256
    assert rows(full(nasty_tree, backend=backend)) == judged(nasty_tree)


def test_without_openat2_names_are_opened_one_by_one(nasty_tree, monkeypatch) -> None:
    from autopack.io import storage_open

    monkeypatch.setattr(storage_open, "_openat2", lambda: None)
    assert rows(full(nasty_tree)) == judged(nasty_tree)


def test_without_statx_the_scan_says_what_it_used(nasty_tree, monkeypatch) -> None:
    from autopack.io import storage_attributes

    def refuse():
        raise OSError(1, "Operation not permitted")

    with_statx = full(nasty_tree)
    monkeypatch.setattr(storage_attributes, "_statx", refuse)
    found = full(nasty_tree)
    assert (found.backend, with_statx.backend) == ("stat", "statx")
    assert found.remarks == ("no statx (Operation not permitted): attributes are read one by one",)
    assert found.frame.equals(with_statx.frame)


def test_every_row_knows_the_row_of_its_folder(nasty_tree) -> None:
    frame = full(nasty_tree).frame
    paths = frame["path"].to_list()
    for path, parent in zip(paths, frame["parent"], strict=True):
        assert paths[parent] == path.rpartition("/")[0]


def test_totals_are_those_of_du(nasty_tree) -> None:
    done = subprocess.run(["du", "-sx", "-B1", nasty_tree], capture_output=True, check=True)
    sums = totals(full(nasty_tree).frame)
    assert sums.allocated == int(done.stdout.split()[0])
    assert sums.apparent > 1 << 30, "a sparse file is as long as it says"


def test_links_are_entries_and_never_entered(nasty_tree) -> None:
    found = kinds(full(nasty_tree))
    below = {path for path in found if path.startswith("links/")}
    assert len(below) == 8
    assert {found[path] for path in below} == {Kind.LINK}


def test_pipes_and_sockets_are_entries_that_nobody_opens(nasty_tree) -> None:
    found = kinds(full(nasty_tree))
    assert (found["pipe"], found["socket"]) == (Kind.SPECIAL, Kind.SPECIAL)


def test_depth_costs_neither_recursion_nor_descriptors(tmp_path) -> None:
    (tmp_path / "tree").mkdir()
    chain(tmp_path / "tree", 700, "n" * 9)
    before = len(os.listdir("/proc/self/fd"))
    assert full(tmp_path / "tree").frame.height == 1401
    assert full(tmp_path / "tree", backend="stat").frame.height == 1401
    assert len(os.listdir("/proc/self/fd")) == before
    subprocess.run(["rm", "-rf", tmp_path / "tree"], check=True)  # deeper than `shutil` likes


def test_a_folder_of_many_names_is_read_in_parts(tmp_path, monkeypatch) -> None:
    from autopack.io import storage_attributes, storage_walk

    monkeypatch.setattr(storage_attributes, "CAPACITY", 7)
    monkeypatch.setattr(storage_walk, "CAPACITY", 7)
    for n in range(40):
        (tmp_path / f"file{n}").write_bytes(b"x" * n)
        (tmp_path / f"folder{n}").mkdir()
    assert rows(full(tmp_path)) == judged(tmp_path)


def test_the_root_may_be_named_through_a_link(tmp_path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    assert full(tmp_path / "link").frame.equals(full(tmp_path / "real").frame)


@pytest.mark.parametrize("name", ["file", "nothing"])
def test_a_root_that_is_no_folder_is_refused(tmp_path, name) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="--root"):
        full(tmp_path / name)

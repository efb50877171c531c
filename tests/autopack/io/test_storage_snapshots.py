"""Snapshots on disk: as they were, the newest few, and none that is not what was written."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.io.storage_snapshots import Damaged, files_of, keep, newest, read
from autopack.storage.snapshot import NotSeen, Snapshot
from tests.support.trees import NOW_NS, snapshot_of

TREE = {"a/b": 3, "a/c": {"size": 5, "mtime_ns": -1}, "big": {"ino": 2**64 - 1, "size": 2**62}}


def kept(workspace: Path, snapshot: Snapshot, count: int = 10) -> str:
    """Keep a snapshot without a lock."""
    return keep(workspace, snapshot, nullcontext, count)


def at(n: int) -> Snapshot:
    """Return the snapshot of a moment."""
    return snapshot_of({**TREE, f"file{n}": n}, started_ns=NOW_NS + n)


def test_a_snapshot_comes_back_as_it_was(tmp_path) -> None:
    made = snapshot_of(
        TREE,
        NotSeen("a", "denied"),
        mode="fast", seen_by="0:0", turn=7, remarks=("no statx",), root="/with \\\\ odd",
    )  # fmt: skip
    kept(tmp_path, made)
    found = newest(tmp_path, made.root.path).snapshot
    assert found is not None
    assert found.frame.equals(made.frame)
    assert found.sha256 == made.sha256
    plain = {name: value for name, value in vars(found).items() if name not in {"frame", "sha256"}}
    assert plain == {n: v for n, v in vars(made).items() if n not in {"frame", "sha256"}}


def test_the_newest_is_read_and_the_newest_few_are_kept(tmp_path) -> None:
    for n in (1, 4, 2, 3):
        kept(tmp_path, at(n), 3)
    files = files_of(tmp_path, "/tree")
    assert [read(tmp_path, file).started_ns - NOW_NS for file in files] == [4, 3, 2]
    assert newest(tmp_path, "/tree").file == files[0]
    assert [path.suffix for path in (tmp_path / files[0]).parent.iterdir()] == [".parquet"] * 3


def test_the_same_snapshot_again_is_one_file(tmp_path) -> None:
    assert kept(tmp_path, at(1)) == kept(tmp_path, at(1))
    assert len(files_of(tmp_path, "/tree")) == 1


def test_each_root_has_its_own(tmp_path) -> None:
    kept(tmp_path, at(1))
    assert newest(tmp_path, "/other").snapshot is None
    assert newest(tmp_path, "/other").damaged is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_a_damaged_snapshot_is_told_and_not_believed(tmp_path, damage) -> None:
    kept(tmp_path, at(1))
    path = tmp_path / kept(tmp_path, at(2))
    data = path.read_bytes()
    middle = len(data) // 2
    damaged = {
        "cut": data[:-10],
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "empty": b"",
        "foreign": b"PAR1 not at all",
    }
    path.write_bytes(damaged[damage])
    found = newest(tmp_path, "/tree")
    assert found.snapshot is None
    assert found.damaged
    assert path.name in found.damaged


@pytest.mark.parametrize("change", ["columns", "order", "root", "version", "metadata"])
def test_a_file_of_another_make_is_not_believed(tmp_path, change) -> None:
    """Its digest fits; what is in it does not."""
    from hashlib import sha256

    from autopack.io import storage_snapshots

    made = at(1)
    frames = {
        "columns": made.frame.rename({"uid": "gid"}),
        "order": made.frame.reverse(),
        "root": made.frame.clear(),
    }
    with pytest.MonkeyPatch.context() as patch:
        if change == "version":
            patch.setattr(storage_snapshots, "FORMAT", "autopack.storage.snapshot/0")
        if change == "metadata":
            patch.setattr(storage_snapshots, "_PLAIN", ("mode",))
        if change == "columns":
            patch.setattr(storage_snapshots, "SCHEMA", list(frames["columns"].columns))
        data = storage_snapshots.packed(replace(made, frame=frames.get(change, made.frame)))
    if change == "metadata":
        data = data.replace(b'"mode"', b'"mood"')
    folder = tmp_path / storage_snapshots.folder_of("/tree")
    folder.mkdir(parents=True)
    name = f"20300101T000000.000000000Z-{sha256(data).hexdigest()[:16]}.parquet"
    (folder / name).write_bytes(data)
    assert name in (newest(tmp_path, "/tree").damaged or "")
    with pytest.raises(Damaged):
        read(tmp_path, f"{storage_snapshots.folder_of('/tree')}/{name}")

"""What scans leave out and tell: closed folders, mounts, links, what changes meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.io.storage_scan import scan
from autopack.storage.snapshot import NotSeen
from tests.support.storage_trees import HOUR_NS, again, full, links

NOBODY = 65534


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_a_folder_that_may_not_be_read_is_told_and_the_scan_goes_on(
    tmp_path, monkeypatch, backend
) -> None:
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    root = tmp_path / "tree"
    for name, mode in {"open": 0o755, "closed": 0o700, "blind": 0o711, "names": 0o744}.items():
        (root / name).mkdir(parents=True)
        (root / name / "file").write_bytes(b"x")
        (root / name).chmod(mode)
    root.chmod(0o755)
    monkeypatch.chdir(root)  # the folders above are root's alone
    try:
        os.seteuid(NOBODY)
        found = full(Path(), backend=backend)
    finally:
        os.seteuid(0)
    assert found.not_seen == (
        NotSeen("blind", "denied"), NotSeen("closed", "denied"), NotSeen("names/file", "denied"),
    )  # fmt: skip
    assert found.partial
    assert set(found.frame["path"]) == {"", "blind", "closed", "names", "open", "open/file"}


@pytest.mark.parametrize("backend", ["statx", "stat"])
@pytest.mark.parametrize("mode", ["full", "exact", "fast"])
def test_mounts_are_not_crossed_whatever_device_they_show(tmp_path, backend, mode) -> None:
    """A bind mount has the device of its surroundings."""
    root, mount = tmp_path / "tree", tmp_path / "tree/mounts/bound here"
    for folder in (mount, tmp_path / "elsewhere/inside", root / "mounts/file-mount"):
        folder.mkdir(parents=True)
    (mount / "hidden").write_bytes(b"x")
    last = full(root, backend=backend, now_ns=time.time_ns() + HOUR_NS)
    command = ["mount", "--bind", tmp_path / "elsewhere", mount]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no bind mount is possible here: {done.stderr.strip()}")
    try:
        assert os.stat(mount).st_dev == os.stat(root).st_dev
        found = again(root, mode, last, backend=backend)
    finally:
        subprocess.run(["umount", mount], check=True)
    assert found.not_seen == (NotSeen("mounts/bound here", "mount"),)
    assert not found.partial
    assert "mounts/bound here/inside" not in set(found.frame["path"])
    assert found.frame.filter("foreign")["path"].to_list() == ["mounts/bound here"]
    after = again(root, mode, found, backend=backend)
    assert "mounts/bound here/hidden" in set(after.frame["path"]), "the mount is gone again"
    assert after.not_seen == ()


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_another_filesystem_is_not_entered(two_filesystems, backend) -> None:
    root = two_filesystems()
    (root / "archive/file").write_bytes(b"x")
    found = full(root, backend=backend)
    assert found.not_seen == (NotSeen("archive", "mount"),)
    assert set(found.frame["path"]) == {"", "archive"}


def test_allowed_links_are_followed_once_and_marked(tmp_path) -> None:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("outside/deep", "tree/own"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "outside/deep/file").write_bytes(b"12345")
    (tmp_path / "outside/back").symlink_to(tmp_path / "tree")
    (tmp_path / "outside/again").symlink_to(tmp_path / "outside")
    (tmp_path / "outside/file").symlink_to("deep/file")
    links(root)
    for name, target in {"out": "../outside", "own-link": "own", "gone": "nowhere"}.items():
        (root / name).symlink_to(target)
    (root / "links/out").unlink()
    denied = full(root)
    found = denied
    for mode in ("full", "exact", "exact"):
        found = scan(root, mode, {"symlink": "allow"}, found, Deadline.after(600))
        beyond = set(found.frame.filter("foreign")["path"])
        names = {"deep", "deep/file", "back", "again", "file"}
        assert beyond == {f"out/{name}" for name in names}
        assert set(found.frame["path"]) - beyond == set(denied.frame["path"])
        unseen = {one.path: one.why for one in found.not_seen}
        loops = ("own-link", "out/back", "out/again", "links/itself", "links/up")
        assert {unseen[path] for path in loops} == {"loop"}
        assert not found.partial
    assert full(root).frame.equals(scan(root, "exact", {}, found, Deadline.after(600)).frame)


def test_an_allowed_mount_is_seen_and_marked(two_filesystems) -> None:
    root = two_filesystems()
    (root / "archive/folder").mkdir()
    (root / "archive/folder/file").write_bytes(b"x")
    found = scan(root, "full", {"mount": "allow"}, None, Deadline.after(600))
    assert found.not_seen == ()
    assert found.frame.filter("foreign")["path"].to_list() == [
        "archive", "archive/folder", "archive/folder/file",
    ]  # fmt: skip


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_what_vanishes_between_its_name_and_its_attributes_is_left_out(
    tmp_path, monkeypatch, backend
) -> None:
    for n in range(5):
        (tmp_path / f"file{n}").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    listdir = os.listdir

    def vanishing(folder):
        names = listdir(folder)
        (tmp_path / "file3").unlink(missing_ok=True)
        return names

    monkeypatch.setattr(os, "listdir", vanishing)
    found = full(tmp_path, backend=backend)
    assert found.frame["path"].to_list() == ["", "file0", "file1", "file2", "file4", "folder"]
    assert found.not_seen == ()


@pytest.mark.parametrize("backend", ["statx", "stat"])
def test_a_folder_that_becomes_a_link_is_not_entered(tmp_path, monkeypatch, backend) -> None:
    from autopack.io.storage_open import Opener

    (tmp_path / "victim/inside").mkdir(parents=True)
    (tmp_path / "tree/folder").mkdir(parents=True)
    opened = Opener.open

    def swapping(self, path):
        if path == b"folder" and not (tmp_path / "away").exists():
            (tmp_path / "tree/folder").rename(tmp_path / "away")
            (tmp_path / "tree/folder").symlink_to(tmp_path / "victim")
        return opened(self, path)

    monkeypatch.setattr(Opener, "open", swapping)
    found = full(tmp_path / "tree", backend=backend)
    assert set(found.frame["path"]) == {"", "folder"}
    assert found.not_seen == (NotSeen("folder", "replaced"),)


def test_another_folder_under_the_name_is_not_taken_for_it(tmp_path, monkeypatch) -> None:
    from autopack.io.storage_open import Opener

    (tmp_path / "other/inside").mkdir(parents=True)
    (tmp_path / "tree/folder").mkdir(parents=True)
    opened = Opener.open

    def swapping(self, path):
        if path == b"folder" and not (tmp_path / "away").exists():
            (tmp_path / "tree/folder").rename(tmp_path / "away")
            (tmp_path / "other").rename(tmp_path / "tree/folder")
        return opened(self, path)

    monkeypatch.setattr(Opener, "open", swapping)
    found = full(tmp_path / "tree")
    assert set(found.frame["path"]) == {"", "folder"}
    assert found.not_seen == (NotSeen("folder", "replaced"),)

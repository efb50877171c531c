"""Moves under real faults: no rights, no space, read-only, immutable, other filesystems."""

from __future__ import annotations

import fcntl
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

from autopack.io import copying, moves
from autopack.locks.errors import Fenced
from tests.support.moves import files, in_child, make, move, plan, recover, terms, tree

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "a.md").write_bytes(b"alpha")
    return folder


def statuses(outcomes) -> list[str]:
    return [outcome.status for outcome in outcomes]


# --- one filesystem ---------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [".", "archive"])
def test_a_folder_that_may_not_be_written_is_a_matter_of_permission(root, closed) -> None:
    """In a child without root's rights; the journal has a folder of its own that may be written."""
    if os.geteuid():
        pytest.skip("needs root, to become somebody else")
    (root / "archive").mkdir()
    (root / ".autonomous_runs").mkdir()
    (root / "archive").chmod(0o777)
    (root / ".autonomous_runs").chmod(0o777)
    root.chmod(0o777)
    (root / closed).chmod(0o555)
    planned = plan(root, ("a.md", "archive/a.md"))

    def work() -> None:
        here = Path()
        os.chdir(root)  # the folders above are root's alone
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        (end,) = make(here, planned)
        assert end.status == "permission", end
        assert "permissions" in end.next_step
        assert recover(here) == []

    assert in_child(work) == 0
    assert files(root) == {"a.md": b"alpha"}


def test_an_immutable_file_is_a_matter_of_permission(root) -> None:
    done = subprocess.run(["chattr", "+i", root / "a.md"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"chattr +i is not possible here: {done.stderr.decode().strip()}")
    try:
        assert statuses(move(root, ("a.md", "archive/a.md"))) == ["permission"]
    finally:
        subprocess.run(["chattr", "-i", root / "a.md"], check=True)
    assert tree(root) == {"a.md": b"alpha"}


# --- two filesystems --------------------------------------------------------------------------


def test_a_copy_keeps_mode_times_holes_and_attributes(two_filesystems) -> None:
    root = two_filesystems()
    with open(root / "sparse", "wb") as file:
        file.seek(4 << 20)
        file.write(b"end")
    (root / "empty").write_bytes(b"")
    os.chmod(root / "sparse", 0o6751)
    os.utime(root / "sparse", ns=(5, 1_234_567_891))
    try:
        os.setxattr(root / "sparse", "user.origin", b"build")
        attributes = ["user.origin"]
    except OSError:
        attributes = []
    before = os.stat(root / "sparse")
    ends = move(root, ("sparse", "archive/deep/sparse"), ("empty", "archive/empty"))
    assert statuses(ends) == ["moved", "moved"]
    assert ends[0].detail == "copied"
    after = os.stat(root / "archive/deep/sparse")
    assert after.st_dev != before.st_dev
    assert (after.st_mode, after.st_size, after.st_mtime_ns) == (
        before.st_mode, before.st_size, 1_234_567_891,
    )  # fmt: skip
    assert after.st_blocks * 512 < 1 << 20
    assert os.listxattr(root / "archive/deep/sparse") == attributes
    assert not (root / "sparse").exists()
    assert statuses(moves.undo(root, "r1", "r2", **terms())) == ["moved", "moved"]
    assert os.stat(root / "sparse").st_mtime_ns == 1_234_567_891


def test_a_folder_crosses_whole_with_its_links(two_filesystems) -> None:
    root = two_filesystems()
    (root / "run/inner").mkdir(parents=True)
    (root / "run/inner/1").write_bytes(b"one")
    (root / "run/link").symlink_to("../a.md")
    os.utime(root / "run/inner", ns=(7, 7_000_000_000))
    assert statuses(move(root, ("run", "archive/run"))) == ["moved"]
    assert files(root) == {"archive/run/inner/1": b"one"}
    assert os.readlink(root / "archive/run/link") == "../a.md"
    assert os.stat(root / "archive/run/inner").st_mtime_ns == 7_000_000_000
    assert not (root / "run").exists()


def test_a_folder_with_a_pipe_does_not_cross(two_filesystems) -> None:
    root = two_filesystems()
    (root / "run").mkdir()
    (root / "run/1").write_bytes(b"one")
    os.mkfifo(root / "run/pipe")
    assert statuses(move(root, ("run", "archive/run"))) == ["needs_manual"]
    assert files(root) == {"run/1": b"one"}
    assert os.listdir(root / "archive") == []


def test_a_second_name_of_a_file_stays_and_is_told(two_filesystems) -> None:
    root = two_filesystems()
    (root / "a.md").write_bytes(b"alpha")
    os.link(root / "a.md", root / "b.md")
    (end,) = move(root, ("a.md", "archive/a.md"))
    assert (end.status, end.detail) == ("moved", "copied; not kept: its other names")
    assert files(root) == {"archive/a.md": b"alpha", "b.md": b"alpha"}


def test_a_full_disk_leaves_the_file_where_it_was(two_filesystems) -> None:
    root = two_filesystems("size=64k")
    (root / "big").write_bytes(os.urandom(1 << 20))
    (root / "small").write_bytes(b"small")
    before = files(root)
    ends = move(root, ("big", "archive/x/big"), ("small", "archive/small"))
    assert statuses(ends) == ["space", "moved"]
    assert files(root) == {"big": before["big"], "archive/small": b"small"}
    assert os.listdir(root / "archive") == ["small"]


def test_a_read_only_destination_is_a_matter_of_permission(two_filesystems) -> None:
    root = two_filesystems("ro")
    (root / "a.md").write_bytes(b"alpha")
    assert statuses(move(root, ("a.md", "archive/a.md"), ("a.md", "archive/x/a.md"))) == [
        "permission", "permission",
    ]  # fmt: skip
    assert files(root) == {"a.md": b"alpha"}


def test_a_source_that_cannot_be_removed_leaves_no_copy(two_filesystems) -> None:
    root = two_filesystems()
    (root / "archive/a.md").write_bytes(b"alpha")
    subprocess.run(["mount", "-o", "remount,ro", root / "archive"], check=True)
    assert statuses(move(root, ("archive/a.md", "back/a.md"))) == ["permission"]
    assert tree(root) == {"archive": None, "archive/a.md": b"alpha"}
    assert recover(root) == []


def test_a_file_that_somebody_writes_does_not_cross(two_filesystems) -> None:
    root = two_filesystems()
    (root / "a.log").write_bytes(b"one\n")
    if not leases_work(root / "a.log"):
        pytest.skip("no leases on this filesystem")
    with open(root / "a.log", "ab"):
        assert statuses(move(root, ("a.log", "archive/a.log"))) == ["locked"]
    assert files(root) == {"a.log": b"one\n"}
    assert statuses(move(root, ("a.log", "archive/a.log"))) == ["moved"]


def leases_work(path: Path) -> bool:
    """Return whether the filesystem tells of open writers."""
    with open(path, "rb") as file, open(path, "ab"):
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_file_that_changes_while_it_crosses_stays_with_the_change(two_filesystems, moment):
    """Before the first try, before the copy gets its name, before the original loses its own."""
    root = two_filesystems()
    (root / "a.md").write_bytes(b"alpha")
    planned = plan(root, ("a.md", "archive/a.md"))
    entered = []

    @contextmanager
    def fence():
        entered.append(1)
        if len(entered) == moment:
            (root / "a.md").write_bytes(b"alpha, edited")
        yield

    assert statuses(make(root, planned, fence=fence)) == ["changed"]
    assert files(root) == {"a.md": b"alpha, edited"}
    assert recover(root) == []


@pytest.mark.parametrize("moment", [4, 5])
def test_a_folder_that_changes_while_it_is_removed_loses_nothing(two_filesystems, moment) -> None:
    """Something new comes in before its first, or its second, file is removed."""
    root = two_filesystems()
    (root / "run").mkdir()
    for name in "12":
        (root / f"run/{name}").write_bytes(name.encode())
    entered = []

    @contextmanager
    def fence():
        entered.append(1)
        if len(entered) == moment:
            (folder,) = root.glob(".autopack-move-*.old")
            (folder / "late").write_bytes(b"late")
        yield

    (end,) = make(root, plan(root, ("run", "archive/run")), fence=fence)
    assert end.status == "needs_manual"
    assert "archive/run" in end.detail
    assert files(root) == {"archive/run/1": b"1", "archive/run/2": b"2", "run/late": b"late"}
    assert recover(root) == []


def test_nobody_can_write_to_what_is_being_removed(two_filesystems) -> None:
    root = two_filesystems()
    (root / "a.md").write_bytes(b"alpha")
    refused = []

    @contextmanager
    def fence():
        for path in root.glob(".autopack-move-*"):
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
            except BlockingIOError:
                refused.append(path)
        yield

    if not leases_work(root / "a.md"):
        pytest.skip("no leases on this filesystem")
    assert statuses(make(root, plan(root, ("a.md", "archive/a.md")), fence=fence)) == ["moved"]
    assert len(refused) == 1


@pytest.mark.parametrize("moment", [1, 2, 3, 4])
def test_a_lock_lost_in_the_middle_of_a_crossing_stops_it(two_filesystems, moment) -> None:
    root = two_filesystems()
    (root / "a.md").write_bytes(b"alpha")
    entered = []

    @contextmanager
    def fence():
        entered.append(1)
        if len(entered) >= moment:
            raise Fenced("the lock was broken")
        yield

    with pytest.raises(Fenced):
        make(root, plan(root, ("a.md", "archive/a.md")), fence=fence)
    assert set(files(root).values()) == {b"alpha"}
    (done,) = recover(root)
    assert done.verdict == ("not_happened" if moment < 3 else "completed")
    assert len(files(root)) == 1


def test_what_the_other_place_does_not_hold_is_not_removed(root) -> None:
    for name, inner in (("one", b"same"), ("two", b"same")):
        (root / name / "sub").mkdir(parents=True)
        (root / name / "sub/held").write_bytes(inner)
    (root / "one/only here").write_bytes(b"mine")
    (root / "one/sub/differs").write_bytes(b"mine")
    (root / "two/sub/differs").write_bytes(b"Mine")
    folder = os.open(root, os.O_RDONLY)
    assert not copying.remove_held((folder, "one"), (folder, "two"), terms()["fence"])
    assert not copying.remove_held((folder, "a.md"), (folder, "a.md"), terms()["fence"])
    os.close(folder)
    assert files(root) == {
        "a.md": b"alpha", "one/only here": b"mine", "one/sub/differs": b"mine",
        "two/sub/held": b"same", "two/sub/differs": b"Mine",
    }  # fmt: skip

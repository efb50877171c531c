"""Who a file or folder is, on a real disk."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.io.fingerprint import NotPlain
from autopack.io.storage_identity import Changed, identity_of
from autopack.storage.identity import Seen
from autopack.storage.schema import SMALL_FILE


@pytest.fixture
def top(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def build(folder: Path) -> Path:
    """Write a small tree and return it."""
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"a" * 10)
    (folder / "sub" / "b.txt").write_bytes(b"b" * 20)
    os.symlink("a.txt", folder / "link")
    return folder


def at(path: Path, mtime_ns: int) -> None:
    os.utime(path, ns=(mtime_ns, mtime_ns), follow_symlinks=False)


def test_a_small_file_is_known_by_its_content(tmp_path: Path, top: int) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    seen = identity_of(top, "a")
    assert seen.content == "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert (seen.kind, seen.size, seen.files, seen.tree) == ("file", 5, 1, None)
    assert seen.ino == str((tmp_path / "a").stat().st_ino)


def test_a_large_file_is_not_read(tmp_path: Path, top: int) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "edge").write_bytes(b"x" * SMALL_FILE)
    seen = identity_of(top, "a")
    assert (seen.content, seen.size) == (None, 1 << 40)
    assert seen.allocated < 1 << 20
    assert identity_of(top, "edge").content


def test_a_folder_is_known_by_everything_in_it(tmp_path: Path, top: int) -> None:
    build(tmp_path / "f")
    seen = identity_of(top, "f")
    assert (seen.kind, seen.files, seen.content) == ("folder", 2, None)
    assert seen.size == 10 + 20 + len("a.txt")
    assert identity_of(top, "f") == seen


def changes(folder: Path) -> list[tuple[str, object]]:
    """Return things that somebody may do to a tree that keep its names and sizes."""
    inner = folder / "sub" / "b.txt"
    before = inner.stat()

    def content_only() -> None:
        inner.write_bytes(b"B" * 20)
        at(inner, before.st_mtime_ns)

    def another_file() -> None:
        inner.rename(folder.parent / "kept")
        inner.write_bytes(b"b" * 20)
        at(inner, before.st_mtime_ns)
        at(inner.parent, folder_time)

    def another_target() -> None:
        (folder / "link").unlink()
        os.symlink("sub/x", folder / "link")

    folder_time = inner.parent.stat().st_mtime_ns
    return [
        ("content", content_only),
        ("inode", another_file),
        ("target", another_target),
        ("rights", lambda: inner.chmod(0o600)),
        ("time", lambda: at(inner, before.st_mtime_ns + 1)),
        ("empty folder", (folder / "sub" / "new").mkdir),
    ]


@pytest.mark.parametrize("n", range(6))
def test_any_change_in_a_folder_changes_its_tree(tmp_path: Path, top: int, n: int) -> None:
    folder = build(tmp_path / "f")
    before = identity_of(top, "f")
    name, change = changes(folder)[n]
    change()  # type: ignore[operator]
    assert identity_of(top, "f").tree != before.tree, name


def test_a_move_does_not_change_the_tree(tmp_path: Path, top: int) -> None:
    build(tmp_path / "f")
    before = identity_of(top, "f").tree
    (tmp_path / "q").mkdir()
    (tmp_path / "f").rename(tmp_path / "q" / "7")
    assert identity_of(top, "q/7").tree == before


def test_names_cannot_be_shifted_into_each_other(tmp_path: Path, top: int) -> None:
    trees = set()
    for n, names in enumerate((["ab", "c"], ["a", "bc"], ["abc"], ["a\nb", "c"])):
        folder = tmp_path / str(n)
        folder.mkdir()
        for name in names:
            os.symlink("t", folder / name)
        trees.add(identity_of(top, str(n)).tree)
    assert len(trees) == 4


def test_names_of_any_bytes_are_read(tmp_path: Path, top: int) -> None:
    folder = os.fsencode(tmp_path) + b"/\xffx\ny"
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/\xfe\n")).write_bytes(b"1")
    told: list[str] = []
    seen = identity_of(top, os.fsdecode(b"\xffx\ny"), told=lambda path, _found: told.append(path))
    assert (seen.files, told) == (1, ["", "\\xfe\n"])


def test_hard_links_count_once_and_reclaim_nothing_while_a_name_is_outside(
    tmp_path: Path, top: int
) -> None:
    folder = build(tmp_path / "f")
    whole = identity_of(top, "f")
    os.link(folder / "a.txt", folder / "again")
    twice = identity_of(top, "f")
    assert (twice.size, twice.files, twice.allocated) == (whole.size, 3, whole.allocated)
    assert twice.reclaimable == twice.allocated
    os.link(folder / "a.txt", tmp_path / "outside")
    held = (folder / "a.txt").stat().st_blocks * 512
    assert identity_of(top, "f").reclaimable == twice.allocated - held
    assert identity_of(top, "outside").reclaimable == 0


def test_links_pipes_and_sockets_are_never_opened(tmp_path: Path, top: int) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.symlink("/etc/passwd", tmp_path / "link")
    with socket.socket(socket.AF_UNIX) as server:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        server.bind(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)
        for name in ("pipe", "link", "socket"):
            with pytest.raises(NotPlain):
                identity_of(top, name)
        (tmp_path / "f").mkdir()
        os.mkfifo(tmp_path / "f" / "pipe")
        with pytest.raises(NotPlain):
            identity_of(top, "f")


def test_a_link_on_the_way_is_not_followed(tmp_path: Path, top: int) -> None:
    build(tmp_path / "f")
    os.symlink("f", tmp_path / "way")
    with pytest.raises(OSError, match=r"way|directory|level"):
        identity_of(top, "way/a.txt")


def test_a_file_that_is_written_to_while_it_is_read_is_found_out(tmp_path: Path, top: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    with pytest.raises(Changed):
        identity_of(top, "a", told=lambda _path, _found: path.write_bytes(b"22"))


def test_a_folder_that_is_written_to_while_it_is_read_is_found_out(
    tmp_path: Path, top: int
) -> None:
    folder = build(tmp_path / "f")

    def told(path: str, _found: os.stat_result) -> None:
        if path == "sub/b.txt":
            (folder / "sub" / "late").touch()

    with pytest.raises(Changed):
        identity_of(top, "f", told=told)


def test_a_deep_tree_leaves_no_descriptor_behind(tmp_path: Path, top: int) -> None:
    path = tmp_path / "deep"
    for _ in range(200):
        path = path / "d"
    path.mkdir(parents=True)
    os.mkfifo(path / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(NotPlain):
        identity_of(top, "deep")
    (path / "pipe").unlink()
    seen: Seen = identity_of(top, "deep")
    assert seen.tree
    assert len(os.listdir("/proc/self/fd")) == before

"""Listing one level, making what is missing, removing what is empty."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from autopack.errors import Unreachable
from autopack.io.folders import make_folder, remove_if_empty
from autopack.io.listing import exists, identity_of_folder, list_folder, walk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/x.md").write_text("12345")
    (tmp_path / "a/b/y.md").write_text("1")
    os.symlink("x.md", tmp_path / "a/link.md")
    os.symlink("nowhere", tmp_path / "a/dangling")
    return tmp_path


def test_one_level_is_listed_by_name_with_kinds(root: Path) -> None:
    found = [(item.path, item.kind, item.size) for item in list_folder(root, "a") if item.size < 9]
    assert ("a/x.md", "file", 5) in found
    assert ("a/link.md", "link", 0) in found
    assert ("a/dangling", "link", 0) in found
    assert [item.path for item in list_folder(root, "a")] == sorted(
        ["a/b", "a/dangling", "a/link.md", "a/x.md"]
    )


def test_what_is_not_there_or_no_folder_is_empty(root: Path) -> None:
    assert list_folder(root, "nobody") == []
    assert list_folder(root, "a/x.md") == []


def test_a_walk_enters_no_link(root: Path) -> None:
    os.symlink(root / "a", root / "a/b/again")
    files, folders = walk(root, "a")
    assert [item.path for item in files] == [
        "a/b/again", "a/b/y.md", "a/dangling", "a/link.md", "a/x.md"
    ]  # fmt: skip
    assert folders == ["a/b"]


def test_a_dangling_link_exists(root: Path) -> None:
    assert exists(root, "a/dangling")
    assert not exists(root, "a/nobody")


def test_a_folder_is_known_without_a_look_inside(root: Path) -> None:
    seen = (root / "a").stat()
    identity = identity_of_folder(root, "a")
    assert (identity.ino, identity.mtime_ns, identity.kind) == (
        seen.st_ino, seen.st_mtime_ns, "folder"
    )  # fmt: skip


def test_only_an_empty_folder_is_removed(root: Path) -> None:
    make_folder(root, "new/deep", nullcontext)
    make_folder(root, "new/deep", nullcontext)
    assert remove_if_empty(root, "new/deep", nullcontext)
    assert remove_if_empty(root, "new/deep", nullcontext), "it is gone already"
    assert not remove_if_empty(root, "a/b", nullcontext)
    assert (root / "a/b/y.md").exists()


def test_a_folder_that_cannot_be_made_is_one_error(root: Path) -> None:
    with pytest.raises(Unreachable, match=r"a/x\.md/in"):
        make_folder(root, "a/x.md/in", nullcontext)
    with pytest.raises(Unreachable, match=r"a/x\.md"):
        remove_if_empty(root, "a/x.md", nullcontext)

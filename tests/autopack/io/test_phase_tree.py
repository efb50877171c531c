"""What is on disk decides too: links, second names, and what is no file."""

from __future__ import annotations

import io
import os
import subprocess

import pytest

from autopack.deadline import Deadline
from autopack.io.phase_files import LONGEST_LINE, lines_of, name_within
from autopack.io.phase_tree import place_fault, world
from autopack.phases.paths import fault


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "w"
    (root / "docs/a").mkdir(parents=True)
    (root / "docs/file.md").write_text("x")
    (root / "docs/linked.md").symlink_to("file.md")
    (root / "docs/out.md").symlink_to("/etc/passwd")
    (root / "docs/dangling.md").symlink_to("nowhere")
    (root / "docs/folder").symlink_to("..", target_is_directory=True)
    (root / "docs/loop").symlink_to("loop")
    (root / "docs/one.md").write_text("x")
    (root / "docs/two.md").hardlink_to(root / "docs/one.md")
    os.mkfifo(root / "docs/pipe")
    return root


PLACES = {
    "docs/file.md": None, "docs/new.md": None, "docs/a/new/deep/x.md": None,
    "docs/linked.md": "PS211", "docs/out.md": "PS211", "docs/dangling.md": "PS211",
    "docs/folder/x.md": "PS211", "docs/folder/docs/file.md": "PS211", "docs/loop": "PS211",
    "docs/loop/x": "PS211", "docs/linked.md/x": "PS211", "docs/dangling.md/x": "PS211",
    "docs/one.md": "PS212", "docs/two.md": "PS212", "docs/a": "PS213", "docs/pipe": "PS213",
    "docs/file.md/x": "PS213", f"docs/{'n' * 300}": "PS213",
}  # fmt: skip


@pytest.mark.parametrize("path", PLACES, ids=lambda path: path[:30])
def test_a_place_is_judged_as_it_is_on_disk(root, path):
    assert place_fault(root, path) == PLACES[path]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_may_not_be_looked_into_is_refused(root):
    (root / "docs/a").chmod(0)
    assert place_fault(root, "docs/a/x") == "PS213"


def test_the_world_is_what_git_tracks(root, monkeypatch):
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    (root / "docs/untracked.md").write_text("x")
    subprocess.run([*git, "add", "docs/file.md", "docs/linked.md"], check=True)
    seen = world(root, Deadline.after(60))
    assert seen.tracked() == ("docs/file.md", "docs/linked.md")
    assert seen.links() == ("docs/linked.md",)
    assert seen.exists("docs/untracked.md")
    assert not seen.exists("docs/gone.md")
    assert seen.link_on("docs/folder/x") == "docs/folder"
    assert seen.link_on("docs/file.md") == ""


def test_outside_a_repository_the_world_is_what_is_there(root):
    seen = world(root, Deadline.after(60))
    assert {"docs/file.md", "docs/one.md", "docs/linked.md"} <= set(seen.tracked())
    assert set(seen.links()) >= {"docs/linked.md", "docs/out.md", "docs/dangling.md"}


def test_lines_are_one_for_one_whatever_is_in_them():
    data = b"a\n\n\xff\0\r\nb\rc\x0b\x0c\x1c\xe2\x80\xa8d\n" + b"x" * (3 * LONGEST_LINE) + b"\nlast"
    lines = list(lines_of(io.BytesIO(data)))
    assert lines[:4] == ["a", "", "\udcff\0\r", "b\rc\x0b\x0c\x1c\u2028d"]
    assert lines[5:] == ["last"]
    assert fault(lines[4]) == "PS210"


def test_a_line_that_fills_the_buffer_is_one_line():
    data = b"x" * (LONGEST_LINE - 1) + b"\n" + b"y" * LONGEST_LINE + b"\nz\n"
    assert [line[:1] for line in lines_of(io.BytesIO(data))] == ["x", "y", "z"]


def test_a_file_is_named_from_the_workspace(root, monkeypatch):
    monkeypatch.chdir(root / "docs")
    assert name_within(root, "file.md") == "docs/file.md"
    assert name_within(root / "docs/a", "file.md") == "file.md"

"""The walk over a workspace: names, links, and what it leaves out."""

from __future__ import annotations

import os

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, Unreachable
from autopack.io.tree import look_up, read_tree


def test_files_folders_and_what_is_skipped(make_workspace):
    names = ["README.md", "docs/a/B.md", "docs/node_modules/x.md", ".git/config", "docs/ü.md"]
    root = make_workspace(dict.fromkeys(names, ""))
    tree = read_tree(root, Deadline.after(60))
    assert tree.files == {"README.md", "docs/a/B.md", "docs/ü.md"}
    assert tree.folders == {"", "docs", "docs/a"}
    assert "docs/a/b.md" not in tree
    assert tree.ignoring_case("docs/a/b.md") == ["docs/a/B.md"]


def test_symbolic_links_are_followed_once_and_never_entered(make_workspace, tmp_path):
    root = make_workspace({"docs/real.md": "", "docs/sub/x.md": ""})
    (tmp_path / "out.md").write_text("")
    os.symlink("real.md", root / "docs/link.md")
    os.symlink(tmp_path / "out.md", root / "docs/out.md")
    os.symlink("nowhere", root / "docs/dangling.md")
    os.symlink(".", root / "docs/loop")
    os.symlink("itself", root / "docs/itself")
    tree = read_tree(root, Deadline.after(60))
    names = {"real.md", "sub/x.md", "link.md", "out.md", "dangling.md", "itself"}
    assert tree.files == {f"docs/{name}" for name in names}
    nothing_here = dict.fromkeys(("docs/out.md", "docs/dangling.md", "docs/itself"), "")
    assert tree.links == {"docs/link.md": "docs/real.md", **nothing_here}
    assert "docs/loop" in tree.folders
    assert "docs/loop/real.md" not in tree


def test_a_path_in_a_skipped_folder_is_looked_up_by_its_very_name(make_workspace):
    root = make_workspace({".autonomous_runs/x/Y.md": "", "docs/a.md": ""})
    asked = [
        ".autonomous_runs/x/Y.md",
        ".autonomous_runs/x/y.md",
        ".autonomous_runs/x",
        "docs/a.md",
    ]
    assert look_up(root, asked) == {".autonomous_runs/x/Y.md", ".autonomous_runs/x"}


def test_the_deadline_and_a_missing_workspace(tmp_path):
    with pytest.raises(DeadlineExceeded):
        read_tree(tmp_path, Deadline.after(0))
    with pytest.raises(Unreachable):
        read_tree(tmp_path / "gone", Deadline.after(60))


@pytest.mark.parametrize("kind", ["repository", "worktree"])
def test_another_checkout_in_a_folder_is_a_folder_and_none_of_its_files(tmp_path, kind):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a.md").write_text("")
    inner = tmp_path / "docs/other"
    (inner / "docs").mkdir(parents=True)
    (inner / "docs/b.md").write_text("")
    (tmp_path / ".git").mkdir()
    if kind == "repository":
        (inner / ".git").mkdir()
    else:
        (inner / ".git").write_text("gitdir: elsewhere\n")
    tree = read_tree(tmp_path, Deadline.after(60), others=False)
    assert tree.files == {"docs/a.md"}
    assert tree.folders == {"", "docs", "docs/other"}
    assert "docs/other/docs/b.md" in read_tree(tmp_path, Deadline.after(60))

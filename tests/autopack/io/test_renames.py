"""Renames from a real repository: batches, a subfolder, missing objects."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded
from autopack.io import renames
from autopack.io.renames import read_history, taken_away
from autopack.links.stubs import Stub, render
from autopack.links.tree import tree_of

LONG = "".join(f"line {n}\n" for n in range(60))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "docs").mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    (root / "docs/a.md").write_text(LONG)
    (root / "docs/empty.md").write_text("")
    (root / "docs/gone.md").write_text(LONG[::-1])
    commit(root, "one")
    (root / "docs/b.md").write_text(LONG + "and more\n")
    (root / "docs/a.md").unlink()
    commit(root, "rename with a change")
    (root / "docs/b ü.md").write_text(LONG + "and more\n")
    (root / "docs/b.md").unlink()
    (root / "docs/empty.md").rename(root / "docs/empty2.md")
    commit(root, "rename without a change")
    (root / "docs/gone.md").unlink()
    commit(root, "delete")
    return root


def git(root: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path, message: str) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", message)


def tree(root: Path):
    return tree_of(git(root, "ls-files", "-z").split("\0"))


def test_chains_deletions_and_no_empty_files(repository):
    known = read_history(repository, Deadline.after(60))
    place = known.place("docs/a.md", tree(repository))
    assert place is not None
    assert place[0] == "docs/b ü.md"
    assert known.gone("docs/gone.md") == git(repository, "rev-parse", "HEAD")
    assert known.place("docs/empty.md", tree(repository)) is None
    assert known.skipped == 0


def test_batches_make_no_difference(repository, monkeypatch):
    whole = read_history(repository, Deadline.after(60))
    monkeypatch.setattr(renames, "BATCH", 1)
    assert read_history(repository, Deadline.after(60)) == whole


def test_a_workspace_below_the_repository_has_its_own_names(repository):
    known = read_history(repository / "docs", Deadline.after(60))
    assert known.moved["b.md"][0] == "b ü.md"


def test_a_missing_blob_costs_its_commit_the_likeness_only(repository):
    blob = git(repository, "rev-parse", "HEAD~2:docs/b.md")
    (repository / ".git/objects" / blob[:2] / blob[2:]).unlink()
    known = read_history(repository, Deadline.after(60))
    assert known.moved["docs/b.md"][0] == "docs/b ü.md", "an exact rename needs no content"
    assert known.gone("docs/a.md") == git(repository, "rev-parse", "HEAD~2")
    assert known.gone("docs/gone.md") is not None


def test_a_missing_tree_skips_its_commits_and_no_others(repository):
    folder = git(repository, "rev-parse", "HEAD~3:docs")
    (repository / ".git/objects" / folder[:2] / folder[2:]).unlink()
    known = read_history(repository, Deadline.after(60))
    assert known.skipped == 2
    assert known.moved["docs/b.md"][0] == "docs/b ü.md"


def test_a_stub_that_was_removed_is_no_page_that_was_deleted(repository):
    (repository / "docs/a.md").write_bytes(render(Stub("docs/a.md", "docs/b ü.md")))
    commit(repository, "stub")
    (repository / "docs/a.md").unlink()
    commit(repository, "pruned")
    known = read_history(repository, Deadline.after(60))
    place = known.place("docs/a.md", tree(repository))
    assert place is not None
    assert place[0] == "docs/b ü.md"
    (repository / "docs/a.md").write_text(LONG[::-1])
    commit(repository, "another page")
    (repository / "docs/a.md").unlink()
    commit(repository, "which is deleted")
    known = read_history(repository, Deadline.after(60))
    assert known.place("docs/a.md", tree(repository)) is None


def test_no_repository_has_no_history(tmp_path):
    assert read_history(tmp_path, Deadline.after(60)).moved == {}


def test_the_deadline_is_kept(repository):
    with pytest.raises(DeadlineExceeded):
        read_history(repository, Deadline.after(0))


def test_what_is_gone_since_the_last_commit_is_known_staged_or_not_and_by_a_subfolder(repository):
    assert taken_away(repository, Deadline.after(60)) == frozenset()
    git(repository, "mv", "docs/b ü.md", "docs/c.md")
    (repository / "docs/empty2.md").unlink()
    assert taken_away(repository, Deadline.after(60)) == {"docs/b ü.md", "docs/empty2.md"}
    assert taken_away(repository / "docs", Deadline.after(60)) == {"b ü.md", "empty2.md"}


def test_outside_a_repository_nothing_is_gone(tmp_path):
    assert taken_away(tmp_path, Deadline.after(60)) == frozenset()

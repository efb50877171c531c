"""Which files of a workspace are artefacts, and how far they are read."""

from __future__ import annotations

import pytest

from autopack.deadline import Deadline
from autopack.errors import DeadlineExceeded, Unreachable
from autopack.io.failure_files import Artefact, find_artefacts, read_part, run_folders

FILES = dict.fromkeys(
    (
        ".autonomous_runs/r1/errors/a.json", ".autonomous_runs/r1/errors/b.txt",
        ".autonomous_runs/r1/errors/c.md", ".autonomous_runs/r1/deep/er/x.log",
        ".autonomous_runs/project/r2/errors/d.json", ".autonomous_runs/r1/notes.json",
        ".autonomous_runs/_index/x.log", ".autonomous_runs/.locks/x.log",
        ".autonomous_runs/reports/x.log", ".autonomous_runs/audit.log", "errors/e.json",
    ),
    "x",
)  # fmt: skip


def test_reports_and_logs_of_runs_are_found_and_nothing_else(make_workspace):
    root = make_workspace(FILES)
    assert find_artefacts(root, Deadline.after(60)) == [
        Artefact(".autonomous_runs/project/r2/errors/d.json", "r2"),
        Artefact(".autonomous_runs/r1/deep/er/x.log", "r1"),
        Artefact(".autonomous_runs/r1/errors/a.json", "r1"),
        Artefact(".autonomous_runs/r1/errors/b.txt", "r1"),
    ]
    assert run_folders(root).keys() == {"project", "r1"}


def test_a_workspace_without_runs_has_no_artefacts(make_workspace):
    root = make_workspace()
    assert find_artefacts(root, Deadline.after(60)) == []
    assert run_folders(root) == {}


def test_the_walk_ends_with_the_deadline(make_workspace):
    with pytest.raises(DeadlineExceeded):
        find_artefacts(make_workspace(FILES), Deadline.after(-1))


def test_no_more_than_the_limit_is_read(make_workspace):
    root = make_workspace({"a.log": "0123456789"})
    assert read_part(root, "a.log", 4) == (b"0123", True)
    assert read_part(root, "a.log", 10) == (b"0123456789", False)


def test_a_link_out_of_the_workspace_is_not_followed(make_workspace, tmp_path):
    root = make_workspace()
    (tmp_path / "secret.log").write_text("x")
    (root / "a.log").symlink_to(tmp_path / "secret.log")
    with pytest.raises(Unreachable, match="no file of this workspace"):
        read_part(root, "a.log", 4)

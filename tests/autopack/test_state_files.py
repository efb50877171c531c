"""The registry of state files: every place that the code writes to is in it."""

from __future__ import annotations

import pytest

from autopack.io.audit import AUDIT_FILE
from autopack.io.lock_files import FOLDER
from autopack.io.move_journal import JOURNALS
from autopack.io.move_queue import OLD_FILE, QUEUE_FILE
from autopack.links.ignore_files import LEGACY, OWN
from autopack.settings import database_target, qdrant_target
from autopack.state_files import REGISTRY, REPORTS, TIDY_CURSOR, TIDY_RULES, is_redirect, owner


@pytest.mark.parametrize(
    "path",
    [
        AUDIT_FILE, FOLDER, f"{FOLDER}/docs.lock", JOURNALS, f"{JOURNALS}/x.jsonl", QUEUE_FILE,
        f"{QUEUE_FILE}.corrupt", OLD_FILE, f"{OLD_FILE}.imported", OWN, LEGACY, TIDY_CURSOR,
        TIDY_RULES, f"{REPORTS}/traceback-x.txt", "autopack.db", "autopack.db-wal",
        "old/telemetry.sqlite3", ".git", ".git/index", "sub/.git/config", "prefect.yaml",
        "preflight.toml", ".autopack-quarantine/7/x", "archive/.autopack-quarantine",
        "docs/.autopack-x8.tmp", ".autonomous_runs/sot_index_dirty_autopack.json",
        ".autonomous_runs/autopack/telemetry.log", ".autonomous_runs/_shared/x",
    ],
)  # fmt: skip
def test_state_files_and_what_is_in_them_have_an_owner(path: str) -> None:
    assert owner(path)


@pytest.mark.parametrize("path", [".autonomous_runs", "config", ".autonomous_runs/tidy"])
def test_a_folder_around_a_state_file_has_an_owner(path: str) -> None:
    assert owner(path)


@pytest.mark.parametrize(
    "path",
    [
        "notes.md", "docs/BUILD-1.md", ".autonomous_runs/run-1", ".autonomous_runs/executor.log",
        "git", "xprefect.yaml", "prefect.yaml.bak", "docs", "archive/reports", "configuration",
        "a.db.md",
    ],
)  # fmt: skip
def test_other_paths_have_none(path: str) -> None:
    assert owner(path) is None


def test_every_entry_says_what_it_is_and_stands_once() -> None:
    globs = [state.glob for state in REGISTRY]
    assert len(globs) == len(set(globs))
    assert all(state.what for state in REGISTRY)


def test_the_default_targets_are_registered(tmp_path) -> None:
    url = database_target(None, tmp_path, {}).url
    assert owner(url.removeprefix(f"sqlite:///{tmp_path}/"))
    vectors = qdrant_target("embedded", tmp_path, {})
    assert vectors
    assert owner(vectors.url.removeprefix(f"{tmp_path}/"))


@pytest.mark.parametrize(
    ("page", "stub"),
    [
        (b"---\nredirect_to: NEW.md\nmoved_in: abc\n---\n# Moved\n", True),
        (b"\xef\xbb\xbf---\r\ntitle: x\r\nredirect_to: N.md\r\n---\r\n", True),
        (b"---\ntitle: x\n---\nredirect_to: NEW.md\n", False),
        (b"# A\n\nredirect_to: NEW.md\n", False),
        (b"", False),
    ],
)
def test_a_redirect_stub_is_told_by_its_front_matter(page: bytes, stub: bool) -> None:
    assert is_redirect(page) is stub

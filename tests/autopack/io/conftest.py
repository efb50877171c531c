"""An index on each kind of database, and locks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.io import storage_look
from autopack.io.locks import MultiLock, Owner
from autopack.io.sql import Index
from autopack.settings import database_target
from tests.support.storage_trees import nasty


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("fresh_postgres"))
    return f"sqlite:///{tmp_path}/index.db"


@pytest.fixture
def open_index(url: str, tmp_path: Path) -> Callable[[], Index]:
    return lambda: Index(database_target(url, tmp_path, {}), Deadline.after(60))


@pytest.fixture
def take(tmp_path: Path) -> Callable[..., MultiLock]:
    """Return `take({"docs": "exclusive"}, wait_seconds=0.0) -> MultiLock`, not acquired yet."""

    def make(wants: dict[str, str], **options: object) -> MultiLock:
        deadline = options.pop("deadline", None) or Deadline.after(60)
        options = {"wait_seconds": 0.0, **options}
        return MultiLock(tmp_path, wants, Owner("flow", "run-1", "note"), deadline, **options)

    return make


@pytest.fixture
def two_filesystems(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Return `two_filesystems(options) -> Path`: a workspace with a filesystem at `archive/`."""
    root = tmp_path / "mounted"
    folder = root / "archive"

    def mount(options: str = "size=8m") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no filesystem can be mounted here: {done.stderr.strip()}")
        return root

    yield mount
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def nasty_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree of everything that scanners stumble over."""
    return nasty(tmp_path_factory.mktemp("nasty") / "tree")


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make small trees worth the two processes of a scan."""
    for name in ("_FEW", "_FEW_PATHS"):
        monkeypatch.setattr(storage_look, name, 5)
    monkeypatch.setattr(storage_look, "processors", lambda: 2)

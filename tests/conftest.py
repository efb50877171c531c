"""Fixtures and guards for every test; `tests/support/` holds what they are made of."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support import corpus as real
from tests.support import guards, session
from tests.support.postgres import Postgres
from tests.support.process import Finished, run_bounded

pytest_plugins = [
    f"tests.support.{name}"
    for name in ("prefect_fixtures", "qdrant_fixtures", "console")
    if (session.REPOSITORY / "tests" / "support" / f"{name}.py").is_file()
]

# A shared machine is slow now and then; no test is about time.
settings.register_profile("house", parent=settings(), deadline=None)
settings.load_profile("house")


# --- guards -----------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    """Start the guards with the folders that tests and tools may write to."""
    root = session.REPOSITORY
    tools = (".pytest_cache", ".hypothesis", ".venv", ".import_linter_cache")
    guards.install()
    guards.allow(session.FOLDER, session.SHARED, sys.prefix, *(root / name for name in tools))
    if kept := os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY"):  # preflight keeps the tree clean
        guards.allow(kept)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Watch a test from the set-up of its fixtures to their end."""
    with guards.watching():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Skip what needs the corpus where there is none, and report violations of fixtures."""
    if item.get_closest_marker("corpus") and not real.present():
        pytest.skip(real.ABSENT)
    with guards.reporting():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that violated a guard, even if it swallowed the exception."""
    with guards.reporting():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Report what fixtures violated on their way out."""
    with guards.reporting():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Send `tempfile` to this session's folder; pytest has chosen its own before."""
    with guards.watching(False):  # pytest makes its folder now
        guards.allow(tmp_path_factory.getbasetemp())
    tempfile.tempdir = os.environ["TMPDIR"]


@pytest.fixture(autouse=True)
def _no_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset whatever points at a server, for every test."""
    for name in session.TARGETS:
        monkeypatch.delenv(name, raising=False)


# --- workspaces -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def corpus_source() -> Path:
    """Return the corpus folder: failures/, phase-specs/ and more; read-only."""
    if not real.present():
        pytest.skip(real.ABSENT)
    return real.SOURCE


@pytest.fixture(scope="session")
def corpus(corpus_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the real workspace, laid out once; a test that writes takes `corpus_copy`."""
    return real.lay_out(tmp_path_factory.mktemp("corpus") / "workspace")


@pytest.fixture
def corpus_copy(corpus: Path, tmp_path: Path) -> Path:
    """Return a copy of the real workspace for one test."""
    return shutil.copytree(corpus, tmp_path / "corpus")


@pytest.fixture
def make_workspace(tmp_path: Path) -> Callable[[Mapping[str, bytes | str]], Path]:
    """Return `make_workspace({"docs/A.md": "text or bytes"}) -> Path`; each call makes a new one.

    `docs/` is always there. Text is written as UTF-8 with its line endings as they are.
    """
    made = 0

    def make(files: Mapping[str, bytes | str] = {}) -> Path:
        nonlocal made
        made += 1
        root = tmp_path / f"workspace{made if made > 1 else ''}"
        (root / "docs").mkdir(parents=True)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return make


# --- commands ---------------------------------------------------------------------------------


@pytest.fixture
def run_flow(tmp_path: Path) -> Callable[..., Finished]:
    """Return `run_flow("sot_sync", "--json", cwd=..., env={...}, stdin=b"", seconds=120)`.

    It runs `python -m flows.sot_sync --json` (a name with a dot is a module as it stands) with a
    clean environment; a value of None in `env` takes a variable away. The process group is killed
    after `seconds`, which fails the test.
    """

    def run(
        name: str,
        *args: str | os.PathLike[str],
        cwd: str | os.PathLike[str] = tmp_path,
        env: Mapping[str, str | None] = {},
        stdin: bytes = b"",
        seconds: float = 120.0,
    ) -> Finished:
        module = name if "." in name else f"flows.{name}"
        command = [sys.executable, "-m", module, *(os.fspath(arg) for arg in args)]
        clean = session.clean_environment(**env)
        return run_bounded(command, cwd=cwd, env=clean, stdin=stdin, seconds=seconds)

    return run


@pytest.fixture
def soak_rounds() -> Callable[[int, int], int]:
    """Return `soak_rounds(small, large)`: the first in CI, the second under `make soak`."""
    return lambda small, large: large if os.environ.get("AUTOPACK_SOAK") else small


# --- PostgreSQL -------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Run one PostgreSQL server for the session."""
    server = Postgres(session.FOLDER / "postgres")
    with guards.watching(False):  # it opens folders for the user it runs as
        server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Postgres) -> str:
    """Return the URL of the server's own database, password included."""
    return postgres_server.url()


@pytest.fixture
def fresh_postgres(postgres_server: Postgres) -> Iterator[str]:
    """Return the URL of an empty database, dropped after the test."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)

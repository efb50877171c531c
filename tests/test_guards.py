"""The guards and fixtures of conftest do what they say."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests.support import guards, session
from tests.support.process import run_bounded

OUTSIDE = session.REPOSITORY / "written-by-a-test"
FAR = ("192.0.2.1", 9)  # an address that is reserved for documentation


def refused(action) -> str:
    with guards.collected() as seen, pytest.raises(guards.GuardViolation):
        action()
    return "".join(seen)


@pytest.mark.parametrize(
    "action",
    [
        lambda: OUTSIDE.write_text("x"),
        lambda: OUTSIDE.open("ab"),
        lambda: os.open(OUTSIDE, os.O_CREAT | os.O_WRONLY),
        OUTSIDE.mkdir,
        lambda: OUTSIDE.symlink_to("README.md"),
        lambda: os.remove(session.REPOSITORY / "pyproject.toml"),
        lambda: os.rename(session.REPOSITORY / "LICENSE", OUTSIDE),
        lambda: os.chmod(session.REPOSITORY / "LICENSE", 0o600),
        lambda: os.truncate(session.REPOSITORY / "LICENSE", 0),
        lambda: sqlite3.connect(OUTSIDE),
        lambda: sqlite3.connect(f"file:{OUTSIDE}?mode=rwc", uri=True),
    ],
)
def test_writing_outside_the_temporary_folders_is_refused(action):
    said = refused(action)
    assert "use tmp_path" in said
    assert not OUTSIDE.exists()


def test_a_symlink_out_of_tmp_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(OUTSIDE)
    assert str(OUTSIDE) in refused(lambda: (tmp_path / "link").write_text("x"))
    (tmp_path / "link").unlink()


def test_renaming_a_temporary_file_out_is_refused(tmp_path):
    (tmp_path / "file").touch()
    refused(lambda: os.replace(tmp_path / "file", OUTSIDE))


def test_reading_outside_is_allowed():
    assert (session.REPOSITORY / "pyproject.toml").read_text()
    with pytest.raises(sqlite3.OperationalError):  # asked, and not there
        sqlite3.connect(f"file:{OUTSIDE}?mode=ro", uri=True)


def test_temporary_folders_are_allowed(tmp_path):
    (tmp_path / "docs").mkdir()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "file").write_text("x")
    sqlite3.connect(tmp_path / "index.db").close()
    Path(os.devnull).write_text("x")


def test_a_relative_name_starts_from_its_folder_descriptor(tmp_path):
    inside = os.open(tmp_path, os.O_RDONLY)
    outside = os.open(session.REPOSITORY, os.O_RDONLY)
    try:
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inside))
        os.rename("file", "other", src_dir_fd=inside, dst_dir_fd=inside)
        os.unlink("other", dir_fd=inside)
        os.mkdir("folder", dir_fd=inside)
        flags = os.O_CREAT | os.O_WRONLY
        refused(lambda: os.open(OUTSIDE.name, flags, dir_fd=outside))
        refused(lambda: os.mkdir(OUTSIDE.name, dir_fd=outside))
    finally:
        os.close(inside)
        os.close(outside)
    assert os.open in os.supports_dir_fd


@pytest.mark.parametrize(
    "action",
    [
        lambda: socket.create_connection(FAR, timeout=0.1),
        lambda: socket.socket().connect(FAR),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", FAR),
        lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 9)),
        lambda: socket.socket().bind(("0.0.0.0", 0)),
        lambda: socket.getaddrinfo("autopack.example", 80),
        lambda: socket.gethostbyname("autopack.example"),
        lambda: psycopg.connect("postgresql://user:password@192.0.2.1/db?connect_timeout=1"),
        lambda: psycopg.connect(host="autopack.example", connect_timeout=1),
    ],
)
def test_leaving_this_machine_is_refused(action):
    assert "a loopback server" in refused(action)


def test_loopback_is_allowed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), timeout=5).close()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))


BAD_TESTS = """
import contextlib, socket, pytest

def test_write_swallowed():
    with contextlib.suppress(Exception):
        open({outside!r}, "w")

def test_connect_raises():
    socket.create_connection(("192.0.2.1", 9), timeout=0.1)

@pytest.fixture
def careless():
    yield
    with contextlib.suppress(Exception):
        open({outside!r}, "w")

def test_fixture(careless):
    pass

def test_good(tmp_path):
    (tmp_path / "file").write_text("x")
"""


def test_a_violation_fails_the_test_even_when_it_is_swallowed(tmp_path):
    bad = tmp_path / "test_bad.py"
    bad.write_text(BAD_TESTS.format(outside=str(OUTSIDE)))
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "-rA", "--import-mode=importlib"]
    done = run_bounded(
        [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", str(bad)],
        cwd=tmp_path,
        env=session.clean_environment(),
    )
    summary = done.stdout.partition("short test summary info")[2]
    assert "FAILED test_bad.py::test_write_swallowed" in summary
    assert "FAILED test_bad.py::test_connect_raises" in summary
    assert "ERROR test_bad.py::test_fixture" in summary
    assert "PASSED test_bad.py::test_good" in summary
    assert "use tmp_path" in done.stdout


def test_the_environment_points_at_no_server():
    assert not set(session.TARGETS) & set(os.environ)
    assert os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DO_NOT_TRACK"] == "1"
    assert Path(os.environ["PREFECT_HOME"]).is_relative_to(session.FOLDER)


def test_a_database_is_fresh_and_wants_its_password(fresh_postgres, postgres_url):
    with psycopg.connect(fresh_postgres) as connection:
        connection.execute("CREATE TABLE t (x int)")
        encoding = connection.execute("SHOW server_encoding").fetchone()
    assert encoding == ("UTF8",)
    assert fresh_postgres != postgres_url
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(fresh_postgres.replace("loopback-only", "wrong"))


def test_the_next_database_is_empty(fresh_postgres):
    with psycopg.connect(fresh_postgres) as connection:
        assert connection.execute("SELECT to_regclass('t')").fetchone() == (None,)


def test_a_workspace_keeps_bytes_as_they_are(make_workspace):
    root = make_workspace({"docs/A.md": "a\r\n", "src/b.bin": b"\xff"})
    assert (root / "docs/A.md").read_bytes() == b"a\r\n"
    assert (root / "src/b.bin").read_bytes() == b"\xff"
    assert make_workspace({}) != root


@pytest.mark.corpus
def test_the_corpus_is_a_workspace(corpus, corpus_copy):
    assert (corpus / "docs" / "BUILD_HISTORY.md").is_file()
    (corpus_copy / "docs" / "BUILD_HISTORY.md").write_text("")


def test_a_flow_runs_as_a_command(run_flow, make_workspace):
    done = run_flow("sot_sync", "--help", cwd=make_workspace({}))
    assert (done.returncode, done.stderr) == (0, "")
    assert "--workspace" in done.stdout


def test_a_command_that_hangs_is_killed(tmp_path):
    script = "import subprocess; subprocess.run(['sleep', '59.731'])"
    with pytest.raises(AssertionError, match="not over after"):
        run_bounded([sys.executable, "-c", script], cwd=tmp_path, env={}, seconds=1)
    left = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True)
    assert "59.731" not in left.stdout

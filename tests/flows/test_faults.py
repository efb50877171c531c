"""Peers that fail: one clear line, the right exit code, nothing lost, and never a password."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.process import Finished

SECRET = "s3cr3t-Pa55/w@rd"
SPELLED = ("s3cr3t-Pa55/w@rd", "s3cr3t-Pa55%2Fw%40rd", "s3cr3t-Pa55")
LEDGER = "# T\n\n## BUILD-1: a\n\n## BUILD-2: b\n"


@pytest.fixture
def workspace(make_workspace) -> Path:
    return make_workspace({"docs/BUILD_HISTORY.md": LEDGER})


@pytest.fixture
def fails(run_flow, workspace: Path) -> Callable[..., Finished]:
    """Run a sync that must fail, and check what every failure has in common."""

    def run(*args: str, **kwargs: object) -> Finished:
        done = run_flow(
            "sot_sync", "--engine", "direct", "--json", "--workspace", workspace, *args, **kwargs
        )
        assert done.returncode not in {0, 1, 70}, done.stderr
        assert done.stderr.count("\n") == 1, "one line"
        assert "Next: " in done.stderr
        assert "Traceback" not in done.stderr
        report = done.report
        assert report["exit_code"] == done.returncode
        said = done.stdout + done.stderr + "".join(
            path.read_text("utf-8", "replace") for path in workspace.rglob("*") if path.is_file()
        )  # fmt: skip
        for spelling in SPELLED:
            assert spelling not in said
        return done

    return run


def url(port: int, user: str = "u", scheme: str = "postgresql", rest: str = "/x") -> str:
    return f"{scheme}://{user}:s3cr3t-Pa55%2Fw%40rd@127.0.0.1:{port}{rest}"


MODES = ["--db-only", "--full"]
EMBEDDED = ("--qdrant-host", "embedded", "--execute")


@pytest.mark.parametrize("mode", MODES)
def test_a_dead_database_port(fails, dead_port: int, mode: str) -> None:
    done = fails(mode, *EMBEDDED, "--database-url", url(dead_port))
    assert done.returncode == 4
    assert "Connection refused" in done.report["message"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("how", ["flag", "environment"])
def test_a_database_that_accepts_and_never_answers(fails, black_hole, mode, how) -> None:
    given = url(black_hole)
    args = ("--database-url", given) if how == "flag" else ()
    env = {"DATABASE_URL": given} if how == "environment" else {}
    done = fails(mode, *EMBEDDED, "--max-seconds", "3", *args, env=env)
    assert done.returncode in {3, 4}
    assert done.report["seconds"] < 4


@pytest.mark.parametrize("mode", ["--qdrant-only", "--full"])
@pytest.mark.parametrize("execute", [True, False])
def test_a_qdrant_that_accepts_and_never_answers(fails, workspace, black_hole, mode, execute):
    args = ("--execute",) if execute else ()
    done = fails(mode, *args, "--max-seconds", "3", "--qdrant-host", f"127.0.0.1:{black_hole}",
                 env={"QDRANT_API_KEY": SECRET})  # fmt: skip
    assert done.returncode in {3, 4}
    assert done.report["seconds"] < 4
    assert not (workspace / "autopack.db").exists()


def test_a_wrong_password(fails, fresh_postgres: str) -> None:
    scheme, _, rest = fresh_postgres.partition("://")
    user = rest.partition(":")[0]
    wrong = f"{scheme}://{user}:s3cr3t-Pa55%2Fw%40rd@{rest.partition('@')[2]}"
    done = fails("--db-only", "--execute", "--database-url", wrong)
    assert done.returncode == 4
    assert "password authentication failed" in done.report["message"]


def test_a_database_that_does_not_exist(fails, fresh_postgres: str) -> None:
    missing = fresh_postgres.rpartition("/")[0] + "/no_such_database"
    done = fails("--db-only", "--execute", "--database-url", missing)
    assert done.returncode == 4
    assert "does not exist" in done.report["message"]


@pytest.mark.parametrize(
    "given",
    [
        "mysql://u:s3cr3t-Pa55@host/x",
        "s3cr3t-Pa55",
        "postgresql://u:s3cr3t-Pa55@host:port/x",
        "postgresql://u:s3cr3t-Pa55/w@rd@127.0.0.1:1/x",
        "://",
    ],
)
def test_a_bad_database_url(fails, given: str) -> None:
    done = fails("--db-only", "--execute", "--database-url", given)
    assert done.returncode in {2, 4}


@pytest.mark.parametrize("given", ["http://", "a b", "host:99999", "ftp://x:1"])
def test_a_bad_qdrant_host(fails, given: str) -> None:
    assert fails("--full", "--execute", "--qdrant-host", given).returncode == 2


def test_the_database_is_locked_by_another_writer(fails, workspace: Path) -> None:
    holder = sqlite3.connect(workspace / "autopack.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        done = fails("--db-only", "--execute", "--max-seconds", "2")
    finally:
        holder.close()
    assert done.returncode == 5
    assert "locked by another writer" in done.report["message"]


def test_a_file_that_is_no_database(fails, workspace: Path) -> None:
    (workspace / "autopack.db").write_bytes(b"something else entirely " * 50)
    done = fails("--db-only", "--execute")
    assert done.returncode == 4
    assert (workspace / "autopack.db").read_bytes().startswith(b"something else")


def test_qdrant_dies_after_the_database_was_committed(
    run_flow, workspace: Path, serve_qdrant
) -> None:
    """The database says how far the vectors are behind, and the next run catches up."""
    server = serve_qdrant()
    args = ("--engine", "direct", "--json", "--workspace", workspace, "--execute")
    run_flow("sot_sync", *args, "--full", "--qdrant-host", server.host)
    (workspace / "docs/BUILD_HISTORY.md").write_text(LEDGER + "\n## BUILD-3: c\n")
    run_flow("sot_sync", *args, "--db-only")
    server.kill()
    dead = run_flow("sot_sync", *args, "--full", "--qdrant-host", server.host)
    assert dead.returncode == 4
    behind = run_flow("sot_sync", *args, "--db-only")
    assert behind.report["counts"]["vectors_behind"] >= 1
    again = serve_qdrant(port=server.port)
    caught_up = run_flow("sot_sync", *args, "--full", "--qdrant-host", again.host)
    assert caught_up.returncode == 0, caught_up.stderr
    assert caught_up.report["counts"]["vectors_behind"] == 0
    nothing = run_flow("sot_sync", *args, "--full", "--qdrant-host", again.host)
    assert nothing.report["writes"]["vectors"] == {"upserted": 0, "deleted": 0}


def test_a_dry_run_shows_the_masked_target(run_flow, workspace: Path, dead_port: int) -> None:
    done = run_flow("sot_sync", "--workspace", workspace, env={"DATABASE_URL": url(dead_port)})
    assert done.returncode == 0
    assert f"postgresql://u:***@127.0.0.1:{dead_port}/x" in done.stdout
    for spelling in SPELLED:
        assert spelling not in done.stdout + done.stderr

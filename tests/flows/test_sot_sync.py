"""The SOT sync as its users run it: modes, refusals, exit codes, what is left behind."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.process import Finished

DIRECT = ("--engine", "direct", "--json")


def ledger(n: int, edited: int = 0) -> str:
    entries = (
        f"## BUILD-{i}: title {i}\n\nbody{' edited' if i == edited else ''}\n\n"
        for i in range(n, 0, -1)
    )
    return "# Build History\n\n" + "".join(entries)


@pytest.fixture
def workspace(make_workspace) -> Path:
    return make_workspace(
        {"docs/BUILD_HISTORY.md": ledger(30), "docs/CHANGELOG.md": "# C\n\n## A\n"}
    )


@pytest.fixture
def sync(run_flow, workspace: Path) -> Callable[..., Finished]:
    return lambda *args, **kwargs: run_flow(
        "sot_sync", *DIRECT, "--workspace", workspace, *args, **kwargs
    )


def write(workspace: Path, text: str | bytes, name: str = "BUILD_HISTORY.md") -> None:
    data = text.encode() if isinstance(text, str) else text
    (workspace / "docs" / name).write_bytes(data)


def everything(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else b""
        for path in sorted(root.rglob("*"))
    }


@pytest.mark.parametrize("mode", ["--docs-only", "--db-only", "--qdrant-only", "--full"])
def test_a_dry_run_of_any_mode_changes_and_creates_nothing(sync, workspace, mode: str) -> None:
    before = everything(workspace)
    done = sync(mode, "--qdrant-host", "embedded")
    assert done.returncode == 0, done.stderr
    assert everything(workspace) == before
    assert done.report["execute"] is False
    assert done.report["next_steps"][0]["command"].endswith("--execute --qdrant-host embedded")


def test_the_advised_command_names_the_same_database(sync, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    done = sync("--db-only", "--database-url", url)
    assert done.report["next_steps"][0]["command"].endswith(f"--execute --database-url {url}")


def test_the_default_is_docs_only_and_needs_no_database(sync) -> None:
    done = sync()
    assert done.returncode == 0
    assert done.report["counts"]["BUILD_HISTORY"]["unique_ids"] == 30
    assert {f["severity"] for f in done.report["findings"]} == {"info"}


def test_docs_only_plans_against_the_database_that_is_there(sync, workspace: Path) -> None:
    sync("--db-only", "--execute")
    write(workspace, ledger(30, edited=7))
    done = sync()
    assert done.returncode == 0
    text = sync("--format", "text").stdout
    assert "Plan for the database, against generation 1:" in text
    assert "docs/BUILD_HISTORY.md: insert 0, update 1, delete 0 rows" in text
    assert "update section BUILD-7" in text


def test_docs_only_without_a_reachable_database_plans_against_nothing(sync, dead_port) -> None:
    done = sync("--database-url", f"postgresql://u:hidden@127.0.0.1:{dead_port}/x")
    assert done.returncode == 0
    codes = [f["code"] for f in done.report["findings"] if f["severity"] == "warning"]
    assert codes == ["target_unreachable"]
    assert "hidden" not in done.stdout + done.stderr


def test_docs_only_with_execute_is_a_usage_error(sync, workspace: Path) -> None:
    before = everything(workspace)
    done = sync("--docs-only", "--execute")
    assert done.returncode == 2
    assert everything(workspace) == before


def test_the_story_of_an_index(sync, workspace: Path) -> None:
    """First load, no-op, one edit, one removal, and the vectors beside them."""
    run = lambda: sync("--full", "--execute", "--qdrant-host", "embedded")  # noqa: E731
    first = run()
    assert first.returncode == 0, first.stderr
    assert first.report["writes"]["sql"] == {"inserted": 33, "updated": 0, "deleted": 0}
    assert first.report["writes"]["vectors"] == {"upserted": 31, "deleted": 0}
    assert first.report["counts"]["generation"] == 1
    assert first.report["counts"]["vectors_behind"] == 0

    database = (workspace / "autopack.db").read_bytes()
    again = run()
    assert again.report["writes"]["sql"] == {"inserted": 0, "updated": 0, "deleted": 0}
    assert again.report["writes"]["vectors"] == {"upserted": 0, "deleted": 0}
    assert (workspace / "autopack.db").read_bytes() == database

    write(workspace, ledger(30, edited=7))
    edited = run()
    assert edited.report["writes"]["sql"] == {"inserted": 0, "updated": 1, "deleted": 0}
    assert edited.report["writes"]["vectors"] == {"upserted": 1, "deleted": 0}

    write(workspace, ledger(29, edited=7))
    removed = run()
    assert removed.report["writes"]["sql"] == {"inserted": 0, "updated": 0, "deleted": 1}
    assert removed.report["writes"]["vectors"] == {"upserted": 0, "deleted": 1}
    assert removed.report["counts"]["generation"] == 3


def test_db_only_marks_the_vectors_behind_and_full_catches_up(sync, workspace: Path) -> None:
    embedded = ("--qdrant-host", "embedded")
    sync("--full", "--execute", *embedded)
    write(workspace, ledger(30, edited=7))
    behind = sync("--db-only", "--execute", *embedded)
    assert behind.report["counts"]["vectors_behind"] == 1
    assert behind.report["next_steps"][0]["why"] == "vectors behind by 1"
    caught_up = sync("--full", "--execute", *embedded)
    assert caught_up.report["writes"]["sql"]["updated"] == 0
    assert caught_up.report["writes"]["vectors"] == {"upserted": 1, "deleted": 0}
    assert caught_up.report["counts"]["vectors_behind"] == 0


def test_qdrant_only_opens_no_database(sync, workspace: Path) -> None:
    done = sync(
        "--qdrant-only",
        "--execute",
        "--qdrant-host",
        "embedded",
        "--database-url",
        "sqlite:///x.db",
    )
    assert done.returncode == 0, done.stderr
    assert done.report["writes"]["vectors"]["upserted"] == 31
    assert done.report["targets"]["database"] is None
    assert not (workspace / "x.db").exists()
    assert not (workspace / "autopack.db").exists()
    again = sync("--qdrant-only", "--execute", "--qdrant-host", "embedded")
    assert again.report["writes"]["vectors"] == {"upserted": 0, "deleted": 0}


def test_a_lost_vector_store_is_filled_again(sync, workspace: Path) -> None:
    import shutil

    sync("--full", "--execute", "--qdrant-host", "embedded")
    shutil.rmtree(workspace / ".autonomous_runs/_index")
    done = sync("--full", "--execute", "--qdrant-host", "embedded")
    assert done.report["writes"]["vectors"]["upserted"] == 31
    assert done.report["writes"]["sql"]["inserted"] == 0


@pytest.mark.parametrize("mode", ["--qdrant-only", "--full"])
def test_a_mode_that_needs_qdrant_says_how_to_name_one(sync, mode: str) -> None:
    done = sync(mode, "--execute")
    assert done.returncode == 4
    assert "--qdrant-host embedded" in done.report["message"]


def test_full_with_a_dead_qdrant_leaves_the_database_untouched(sync, workspace, dead_port) -> None:
    sync("--db-only", "--execute")
    before = (workspace / "autopack.db").read_bytes()
    write(workspace, ledger(31))
    done = sync("--full", "--execute", "--qdrant-host", f"127.0.0.1:{dead_port}")
    assert done.returncode == 4
    assert (workspace / "autopack.db").read_bytes() == before


REFUSED = {
    "conflict markers": ledger(30) + "<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> branch\n",
    "invalid UTF-8": ledger(30).encode() + b"\xff\xfe",
    "an empty ledger": "",
    "a blank ledger": " \n\n",
    "a ledger that shrank": ledger(23),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_what_must_not_be_published_is_refused(sync, workspace: Path, what: str) -> None:
    sync("--db-only", "--execute")
    before = (workspace / "autopack.db").read_bytes()
    write(workspace, REFUSED[what])
    done = sync("--db-only", "--execute")
    assert done.returncode == 6
    assert "docs/BUILD_HISTORY.md" in done.report["message"]
    assert done.report["status"] == "refused"
    assert (workspace / "autopack.db").read_bytes() == before
    dry = sync("--db-only")
    assert dry.returncode == 1
    assert "error" in {f["severity"] for f in dry.report["findings"]}


def test_a_ledger_that_vanished_is_refused_and_accepted_on_request(sync, workspace: Path) -> None:
    sync("--db-only", "--execute")
    (workspace / "docs/CHANGELOG.md").unlink()
    assert sync("--db-only", "--execute").returncode == 6
    done = sync("--db-only", "--execute", "--accept-shrink")
    assert done.returncode == 0
    assert done.report["writes"]["sql"]["deleted"] == 2


def test_a_shrunken_ledger_is_accepted_on_request(sync, workspace: Path) -> None:
    sync("--db-only", "--execute")
    write(workspace, ledger(3))
    done = sync("--db-only", "--execute", "--accept-shrink")
    assert done.returncode == 0
    assert done.report["counts"]["BUILD_HISTORY"]["entries"] == 3


def test_conflict_markers_are_never_accepted(sync, workspace: Path) -> None:
    write(workspace, REFUSED["conflict markers"])
    done = sync("--db-only", "--execute", "--accept-shrink")
    assert done.returncode == 6
    assert (
        f"docs/BUILD_HISTORY.md:{REFUSED['conflict markers'].count(chr(10)) - 4}"
        in (done.report["message"])
    )
    assert not (workspace / "autopack.db").exists() or sqlite3.connect(
        workspace / "autopack.db"
    ).execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_shrink_of_a_fifth_or_of_a_small_ledger_is_published(sync, workspace: Path) -> None:
    sync("--db-only", "--execute")
    write(workspace, ledger(24))
    assert sync("--db-only", "--execute").returncode == 0
    write(workspace, ledger(19), "BUILD_HISTORY.md")
    assert sync("--db-only", "--execute", "--accept-shrink").returncode == 0
    write(workspace, ledger(5))
    assert sync("--db-only", "--execute").returncode == 0


def test_odd_bytes_are_named_and_synced(sync, workspace: Path) -> None:
    write(workspace, "# T\r\n## BUILD-1: a\0b\r\n\f\r\n## BUILD-2")
    done = sync("--db-only", "--execute")
    assert done.returncode == 0
    codes = {f["code"] for f in done.report["findings"]}
    assert {"nul_byte", "form_feed", "crlf", "no_final_newline"} <= codes


def test_broken_json_is_a_finding_and_is_stored(sync, workspace: Path) -> None:
    write(workspace, '{"rules": [', "LEARNED_RULES.json")
    done = sync("--db-only", "--execute")
    assert done.returncode == 1
    assert done.report["writes"]["sql"]["inserted"] > 0


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_a_postgres_url_works(sync, fresh_postgres: str, scheme: str) -> None:
    url = f"{scheme}://{fresh_postgres.partition('://')[2]}"
    done = sync("--db-only", "--execute", env={"DATABASE_URL": url})
    assert done.returncode == 0, done.stderr
    assert "DATABASE_URL" in done.report["targets"]["database"]


def test_the_flag_wins_over_the_environment(sync, workspace: Path, fresh_postgres: str) -> None:
    sync("--db-only", "--execute", "--database-url", "sqlite:///mine.db",
         env={"DATABASE_URL": fresh_postgres})  # fmt: skip
    assert (workspace / "mine.db").exists()


def test_a_ledger_comes_back_byte_for_byte_from_the_database_alone(
    run_flow, workspace: Path
) -> None:
    data = b"# T\r\n## BUILD-1: a\0b\f\r\n"
    write(workspace, data)
    run_flow("sot_sync", *DIRECT, "--workspace", workspace, "--db-only", "--execute")
    (workspace / "docs/BUILD_HISTORY.md").unlink()
    args = ("--workspace", workspace, "--rebuild-file", "docs/BUILD_HISTORY.md")
    done = run_flow("sot_sync", *args)
    assert (done.returncode, done.raw) == (0, data)
    unknown = run_flow("sot_sync", "--workspace", workspace, "--rebuild-file", "docs/X.md")
    assert (unknown.returncode, unknown.raw) == (6, b"")
    assert "docs/BUILD_HISTORY.md" in unknown.stderr


@pytest.mark.corpus
def test_the_real_workspace_twice(run_flow, corpus_copy: Path) -> None:
    args = ("--workspace", corpus_copy, "--full", "--execute", "--qdrant-host", "embedded")
    first = run_flow("sot_sync", *DIRECT, *args)
    assert first.returncode == 0, first.stderr
    assert first.report["writes"]["sql"]["inserted"] == 613
    assert first.report["counts"]["vectors_behind"] == 0
    second = run_flow("sot_sync", *DIRECT, *args)
    assert second.report["writes"] == {
        "sql": {"inserted": 0, "updated": 0, "deleted": 0},
        "vectors": {"upserted": 0, "deleted": 0},
        "files": [],
    }


def test_the_report_names_its_targets_steps_and_counts(sync) -> None:
    report = sync("--db-only").report
    assert report["schema"] == "autopack.report/1"
    assert report["targets"]["database"].endswith("(default (DATABASE_URL is unset))")
    assert [step["name"] for step in report["steps"]] == [
        "read-ledgers", "compare-database", "check-ledgers",
    ]  # fmt: skip
    assert json.loads(json.dumps(report)) == report


def test_qdrant_only_keeps_vectors_of_a_ledger_that_vanished(sync, workspace: Path) -> None:
    embedded = ("--qdrant-only", "--execute", "--qdrant-host", "embedded")
    sync(*embedded)
    (workspace / "docs/BUILD_HISTORY.md").unlink()
    refused = sync(*embedded)
    assert refused.returncode == 6
    said = "docs/BUILD_HISTORY.md: the index holds 30 points of this ledger, but the file is gone"
    assert said in refused.report["message"]
    write(workspace, ledger(10))
    assert sync(*embedded).returncode == 6
    accepted = sync(*embedded, "--accept-shrink")
    assert accepted.report["writes"]["vectors"]["deleted"] == 20


@pytest.mark.parametrize("extra", [("--execute", "--db-only"), ("--full",), ("--qdrant-only",)])
def test_rebuild_file_takes_no_other_order(run_flow, workspace: Path, extra) -> None:
    args = ("--rebuild-file", "docs/BUILD_HISTORY.md", "--qdrant-host", "embedded")
    done = run_flow("sot_sync", "--workspace", workspace, "--engine", "direct", *args, *extra)
    assert (done.returncode, done.raw) == (2, b"")


def test_rebuild_file_in_json_says_what_the_bytes_are(sync, workspace: Path) -> None:
    sync("--db-only", "--execute")
    data = (workspace / "docs/BUILD_HISTORY.md").read_bytes()
    rebuilt = sync("--rebuild-file", "docs/BUILD_HISTORY.md").report["rebuilt"]
    assert rebuilt["bytes"] == len(data)


def test_a_run_that_was_overtaken_leaves_the_vectors_marked_behind(
    make_workspace, monkeypatch
) -> None:
    """Another run publishes between this one's commit and its feeding."""
    from flows.sot_sync import sot_sync
    from tasks import sot
    from tasks.engine import plain

    root = make_workspace({"docs/BUILD_HISTORY.md": ledger(30)})

    def run(mode: str):
        return plain(sot_sync)(workspace=str(root), mode=mode, execute=True, qdrant_host="embedded")

    run("full")
    write(root, ledger(30, edited=3))
    feed = sot.feed_vectors

    def late(sync):
        monkeypatch.setattr(sot, "feed_vectors", feed)
        write(root, ledger(30, edited=4))
        run("db-only")
        return feed(sync)

    monkeypatch.setattr(sot, "feed_vectors", late)
    overtaken = run("full")
    assert overtaken.counts["vectors_behind"] == 2
    caught_up = run("full")
    assert caught_up.writes.upserted == 1
    assert caught_up.counts["vectors_behind"] == 0
    assert run("qdrant-only").writes.upserted == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_no_success(workspace: Path) -> None:
    import subprocess
    import sys

    from tests.support import session

    command = [sys.executable, "-m", "flows.sot_sync", "--workspace", str(workspace)]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env=session.clean_environment(),
        )  # fmt: skip
    assert done.returncode == 4
    assert "No space left on device" in done.stderr

"""Mining as its users run it: what is found, what is kept, and ids for a pipe of lines."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from autopack.io.audit import AUDIT_FILE, verify
from autopack.rules.stored import ALIASES, STORE
from tests.support.process import Finished

KEY = "planted-Secret-0123456789"


def report(run: str, message="no such table: parts", days_ago=0.0, **more) -> str:
    at = (datetime.now(UTC) - timedelta(days=days_ago)).isoformat()
    fields = {"timestamp": at, "error_type": "DbError", "error_message": message, "run_id": run}
    return json.dumps({**fields, "phase_id": "p", **more})


FILES = {
    ".autonomous_runs/r1/errors/a.json": report("r1", days_ago=40),
    ".autonomous_runs/r2/errors/a.json": report("r2", f"call refused, api_key={KEY}"),
    ".autonomous_runs/r2/errors/b.json": report("r2", f"call refused, api_key={KEY}!"),
    ".autonomous_runs/r3/app.log": "INFO fine\n",
}


@pytest.fixture
def root(make_workspace):
    return make_workspace(FILES)


@pytest.fixture
def mine(run_flow, root):
    """Return `mine(*words)`: mine the workspace without an engine."""

    def run(*words, form="--json") -> Finished:
        where = ("--workspace", root, "--engine", "direct", form)
        return run_flow("failure_rules", "mine", *words, *where)

    return run


def files_of(root):
    return {path for path in root.rglob("*") if path.is_file()}


def test_groups_tell_how_often_in_how_many_runs_and_since_when(mine):
    done = mine()
    assert done.returncode == 0, done.stderr
    counts = done.report["counts"]
    assert {name: counts[name] for name in ("events", "incidents", "groups")} == {
        "events": 3, "incidents": 2, "groups": 2,
    }  # fmt: skip
    refused, table = sorted(done.report["groups"], key=lambda group: group["template"])
    assert (refused["events"], refused["incidents"], refused["exposure"]) == (2, 1, 3)
    assert table["template"] == "no such table: parts"
    assert table["signature"].startswith("sig:v1:")


def test_a_dry_run_writes_nothing(mine, root):
    before = files_of(root)
    assert mine().returncode == 0
    assert files_of(root) == before


def test_events_are_kept_once_without_secrets_and_audited(mine, root):
    first = mine("--execute")
    assert first.returncode == 0, first.stderr
    assert first.report["writes"]["files"] == [STORE, ALIASES]
    kept = (root / STORE).read_bytes()
    assert kept.count(b"\n") == 3
    second = mine("--execute")
    assert second.report["writes"]["files"] == []
    assert (root / STORE).read_bytes() == kept
    assert verify(root / AUDIT_FILE) is None
    for path in files_of(root) - {root / name for name in FILES}:
        assert KEY.encode() not in path.read_bytes()
    assert KEY not in first.stdout + first.stderr


def test_what_was_kept_outlives_its_artefacts(mine, root):
    before = mine("--execute").report["groups"]
    (root / ".autonomous_runs/r1/errors/a.json").unlink()
    assert mine().report["groups"] == before


def test_the_window_leaves_older_failures_and_runs_out(mine):
    done = mine("--since-days", "30")
    assert [group["template"] for group in done.report["groups"]] != []
    assert done.report["counts"]["groups"] == 1
    assert mine("--since-days", "0").report["counts"]["groups"] == 0


def test_what_cannot_be_read_is_a_finding_and_the_rest_is_mined(mine, root):
    (root / ".autonomous_runs/r2/errors/c.json").write_text('{\n"error_type": "X", ')
    done = mine()
    assert done.returncode == 1
    (finding,) = done.report["findings"]
    assert finding["path"] == ".autonomous_runs/r2/errors/c.json"
    assert finding["line"] == 2
    assert done.report["counts"]["groups"] == 2


def test_a_torn_store_is_a_finding_and_is_made_again(mine, root):
    mine("--execute")
    whole = (root / STORE).read_bytes()
    (root / STORE).write_bytes(whole[:-40])
    assert mine("--execute").returncode == 1
    assert (root / STORE).read_bytes() == whole
    assert mine().returncode == 0


def test_failures_of_the_database_are_groups_too(mine, root):
    with sqlite3.connect(root / "autopack.db") as cx:
        cx.execute("CREATE TABLE phase (run TEXT, why TEXT)")
        cx.execute("INSERT INTO phase VALUES ('r9', 'prompt of 9000 tokens is too long')")
        cx.execute(
            "CREATE VIEW rules_failure_events AS "
            "SELECT run AS run_id, why AS error_message FROM phase"
        )
    done = mine()
    assert done.returncode == 0, done.stderr
    assert done.report["counts"]["rows"] == 1
    assert done.report["counts"]["undated"] == 1
    assert "prompt of <*> tokens is too long" in {g["template"] for g in done.report["groups"]}


def test_a_database_that_does_not_answer_ends_the_run(mine):
    done = mine("--database-url", "postgresql://u:hidden@127.0.0.1:1/x")
    assert done.returncode == 4
    assert "hidden" not in done.stdout + done.stderr


def test_people_read_what_failed_and_what_comes_next(mine):
    shown = mine(form="--strict")
    assert "2 events in 1 of 3 runs" in shown.stdout
    assert "python -m flows.failure_rules mine" in shown.stdout


def test_lines_of_a_pipe_get_one_id_each_in_order(run_flow):
    lines = b"disk 7 full\nuser bob left\ndisk 9 full\n\nlast"
    done = run_flow("failure_rules", "sign", stdin=lines)
    ids = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(ids) == 5
    assert ids[0] == ids[2]
    assert len(set(ids)) == 4
    assert all(one.startswith("fam:v1:") for one in ids)


def test_no_lines_have_no_ids(run_flow):
    assert run_flow("failure_rules", "sign", stdin=b"").stdout == ""


def test_bytes_that_are_no_text_have_an_id_too(run_flow):
    done = run_flow("failure_rules", "sign", stdin=b"\xff\xfe\x00\r\n\x85\xe2\x80\xa8x\n")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2

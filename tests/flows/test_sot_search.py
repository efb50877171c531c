"""The search as its users run it: right entries, right lines, clear errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.io.vectors import open_vectors
from autopack.settings import qdrant_target
from tests.support.process import Finished

LEDGER = """# Build History

## INDEX (Chronological - Most Recent First)

| Timestamp | BUILD-ID | Phase | Summary | Files Changed |
|-----------|----------|-------|---------|---------------|
| 2026-01-02 | BUILD-2 | Locks | A stale lock is broken | `locks.py` |
| 2026-01-01 | BUILD-1 | Retry | Retries back off | `retry.py` |

## BUILDS

### BUILD-2 | 2026-01-02 | Locks | A stale lock is broken

The lease of a dead holder is removed by `break_stale_lock`.

### BUILD-1 | 2026-01-01 | Retry | Retries back off

Every attempt waits twice as long.
"""
DECISIONS = "# D\n\n## DEC-1: Locks are kernel locks\n\nA stale lease must not exist.\n"
RULES = '{\n  "rules": [\n    {"rule_id": "r1", "text": "pin it"}\n  ]\n}\n'


@pytest.fixture
def workspace(make_workspace, run_flow) -> Path:
    files = {
        "docs/BUILD_HISTORY.md": LEDGER,
        "docs/ARCHITECTURE_DECISIONS.md": DECISIONS,
        "docs/LEARNED_RULES.json": RULES,
    }
    root = make_workspace(files)
    args = ("--full", "--execute", "--qdrant-host", "embedded", "--engine", "direct")
    assert run_flow("sot_sync", *args, "--workspace", root).returncode == 0
    return root


@pytest.fixture
def search(run_flow, workspace: Path) -> Callable[..., Finished]:
    return lambda *args: run_flow("sot_search", *args, "--json", "--workspace", workspace)


def test_results_are_one_per_id_with_title_and_line(search) -> None:
    done = search("who breaks a stale lock")
    assert done.returncode == 0, done.stderr
    results = done.report["results"]
    first = results[0]
    assert set(first) == {"id", "title", "path", "line", "score"}
    assert first["id"] == "BUILD-2"
    assert first["title"] in {"A stale lock is broken", "Locks"}
    assert first["path"] == "docs/BUILD_HISTORY.md"
    assert LEDGER.splitlines()[first["line"] - 1].count("BUILD-2") == 1
    assert len({r["id"] for r in results}) == len(results)
    assert [r["score"] for r in results] == sorted((r["score"] for r in results), reverse=True)


def test_a_ledger_and_a_limit_narrow(search) -> None:
    only = search("stale lease", "--ledger", "ARCHITECTURE_DECISIONS").report["results"]
    assert [r["id"] for r in only] == ["DEC-1"]
    assert len(search("stale lock lease", "--limit", "1").report["results"]) == 1


def test_a_json_member_is_found_where_it_stands(search) -> None:
    (rule,) = search("pin", "--ledger", "LEARNED_RULES").report["results"]
    assert (rule["id"], rule["line"]) == ("LEARNED_RULES#r1", 3)


def test_the_line_follows_an_entry_that_moved(search, workspace: Path) -> None:
    before = search("attempts wait longer").report["results"][0]
    path = workspace / "docs/BUILD_HISTORY.md"
    path.write_text(LEDGER.replace("## INDEX", "some\nmore\nlines\n\n## INDEX", 1))
    after = search("attempts wait longer").report["results"][0]
    assert after["line"] == before["line"] + 4


def test_an_entry_that_is_gone_has_no_line_and_the_report_says_so(search, workspace) -> None:
    (workspace / "docs/ARCHITECTURE_DECISIONS.md").write_text("# D\n")
    report = search("stale lease", "--ledger", "ARCHITECTURE_DECISIONS").report
    assert report["results"][0]["line"] is None
    assert [f["code"] for f in report["findings"]] == ["index_behind"]


def test_a_search_changes_nothing(search, workspace: Path) -> None:
    files = {p: p.read_bytes() for p in sorted((workspace / "docs").iterdir())}
    search("lock")
    assert {p: p.read_bytes() for p in sorted((workspace / "docs").iterdir())} == files
    target = qdrant_target("embedded", workspace, {})
    assert target
    vectors = open_vectors(target, Deadline.after(30), create=False)
    assert vectors.count() == 6 + 1
    vectors.close()


def test_no_shared_word_is_no_result(run_flow, workspace: Path) -> None:
    done = run_flow("sot_search", "zygote", "--workspace", workspace)
    assert done.returncode == 0
    assert "No entry shares a word with this query." in done.stdout


def test_a_damaged_index_is_named_and_one_sync_mends_it(run_flow, search, workspace: Path) -> None:
    (page,) = (workspace / ".autonomous_runs").rglob("payload_storage/page_0.dat")
    with page.open("r+b") as file:
        file.write(b"\xff" * 4096)
    done = search("stale lock")
    assert done.returncode == 4
    command = " --full --execute --qdrant-host embedded"
    assert command in done.stderr
    args = ("--full", "--execute", "--qdrant-host", "embedded", "--engine", "direct")
    (workspace / "docs/ARCHITECTURE_DECISIONS.md").write_text(DECISIONS + "\nOne more line.\n")
    assert run_flow("sot_sync", *args, "--workspace", workspace).returncode == 0
    found = search("stale lock").report["results"]
    assert {"BUILD-2", "DEC-1"} <= {r["id"] for r in found}


def test_without_an_index_it_says_how_to_make_one(run_flow, make_workspace) -> None:
    root = make_workspace({"docs/BUILD_HISTORY.md": LEDGER})
    done = run_flow("sot_search", "lock", "--workspace", root)
    assert done.returncode == 4
    assert " --full --execute --qdrant-host embedded" in done.stderr
    assert [p.name for p in root.iterdir()] == ["docs"]


def test_an_empty_server_says_how_to_fill_it(run_flow, make_workspace, qdrant_server) -> None:
    root = make_workspace({"docs/BUILD_HISTORY.md": LEDGER})
    args = ("--workspace", root, "--qdrant-host", qdrant_server.host)
    done = run_flow("sot_search", "lock", *args)
    assert done.returncode == 4
    assert "is empty" in done.stderr
    assert f" --full --execute --qdrant-host http://{qdrant_server.host}" in done.stderr


def test_a_server_answers_like_the_embedded_engine(
    run_flow, workspace: Path, search, qdrant_server
) -> None:
    host = ("--qdrant-host", qdrant_server.host, "--workspace", workspace)
    assert run_flow("sot_sync", "--qdrant-only", "--execute", "--engine", "direct", *host)
    there = run_flow("sot_search", "stale lock", "--json", *host).report["results"]
    here = search("stale lock").report["results"]
    assert [r["id"] for r in there] == [r["id"] for r in here]


@pytest.mark.parametrize(
    "args",
    [(), ("",), ("  ",), ("x", "--limit", "0"), ("x", "--limit", "101"), ("x", "--ledger", "NO"),
     ("x", "--qdrant-host", "a b"), ("x", "y")],
)  # fmt: skip
def test_bad_input_is_one_line_and_2(run_flow, workspace: Path, args: tuple[str, ...]) -> None:
    done = run_flow("sot_search", *args, "--workspace", workspace)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Next: " in done.stderr


@pytest.mark.corpus
def test_paraphrased_questions_find_the_real_entries(corpus: Path, tmp_path: Path) -> None:
    from benchmarks.search import asking, filled, questions, recall

    asked = questions()
    assert len(asked) >= 30
    vectors, _, _ = filled(corpus, tmp_path / "index")
    try:
        assert recall(asked, asking(vectors), 5) >= 0.80
    finally:
        vectors.close()

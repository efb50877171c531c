"""The count check as its users run it: the real drifts, exit codes, mending, new entries."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.autopack.sot.counted import true_files
from tests.support.process import Finished

REAL_DRIFT = [
    ("docs/BUILD_HISTORY.md", 5, "index_entries", 171, 168),
    ("docs/BUILD_HISTORY.md", 5, "unique_base", 151, 149),
    ("docs/BUILD_HISTORY.md", 10, "index_entries", 158, 168),
    ("docs/ARCHITECTURE_DECISIONS.md", 10, "index_entries", 16, 17),
    ("docs/DEBUG_LOG.md", 10, "index_entries", 77, 81),
    ("README.md", 1282, "latest", "BUILD-160", "BUILD-163"),
    ("README.md", 1283, "unique_base", 30, 31),
]
"""Claims of the real workspace that name their count and are wrong: place, count, claimed, true."""
VAGUE = [
    ("docs/ARCHITECTURE_DECISIONS.md", 5, 31),
    ("docs/DEBUG_LOG.md", 5, 83),
    ("README.md", 1281, 169),
    ("README.md", 1284, 83),
]
"""Claims that do not say which count they state."""


@pytest.fixture
def workspace(make_workspace) -> Path:
    return make_workspace(true_files())


@pytest.fixture
def counts(run_flow, workspace: Path) -> Callable[..., Finished]:
    def run(*args, root: Path = workspace, **kwargs) -> Finished:
        flags = ("--engine", "direct", "--json", "--workspace", root)
        return run_flow("sot_counts", *flags, *args, **kwargs)

    return run


def everything(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def texts(root: Path) -> dict[str, bytes]:
    """Everything but the state files of runs that write: audit chain and locks."""
    return {name: data for name, data in everything(root).items() if ".autonomous" not in name}


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.corpus
def test_the_real_drifts_are_reported_mended_once_and_then_clean(counts, corpus_copy) -> None:
    before = everything(corpus_copy)
    checked = counts(root=corpus_copy)
    assert checked.returncode == 1
    assert everything(corpus_copy) == before
    claims = checked.report["claims"]
    wrong = {
        (c["path"], c["line"], c["count"], c["claimed"], c["true"])
        for c in claims
        if c["problem"] == "drift" and c["count"]
    }
    assert wrong == set(REAL_DRIFT)
    vague = {(c["path"], c["line"], c["claimed"]) for c in claims if c["problem"] == "unnamed"}
    assert vague == set(VAGUE)
    for path, line, *_rest in REAL_DRIFT + VAGUE:
        assert any((f["path"], f["line"]) == (path, line) for f in checked.report["findings"])
    assert checked.report["counts"]["BUILD_HISTORY"]["unique_ids"] == 149
    prefixes = [f for f in checked.report["findings"] if f["code"] == "decision_prefix"]
    assert {f["severity"] for f in prefixes} == {"warning"}

    mended = counts("--execute", root=corpus_copy)
    assert mended.returncode == 0, mended.stderr
    assert sorted(mended.report["writes"]["files"]) == [
        "README.md", "docs/ARCHITECTURE_DECISIONS.md", "docs/BUILD_HISTORY.md", "docs/DEBUG_LOG.md",
    ]  # fmt: skip
    after = texts(corpus_copy)
    changed = {name for name in after if before[name] != after[name]}
    assert changed == set(mended.report["writes"]["files"])
    assert {name for name in before if ".autonomous" not in name} == after.keys()

    again = counts("--execute", root=corpus_copy)
    assert (again.returncode, again.report["writes"]["files"]) == (0, [])
    assert again.report["claims"] == []
    assert texts(corpus_copy) == after
    assert counts("--strict", root=corpus_copy).returncode == 1


def test_a_true_workspace_is_clean(counts, workspace) -> None:
    before = texts(workspace)
    for flags in ([], ["--check"], ["--execute"]):
        done = counts(*flags)
        assert (done.returncode, done.stderr) == (0, "")
        assert [f for f in done.report["findings"] if f["severity"] != "info"] == []
        assert done.report["writes"]["files"] == []
        assert flags == ["--execute"] or everything(workspace) == before
    assert texts(workspace) == before


@pytest.mark.parametrize(
    ("edited", "code"),
    [
        (("docs/BUILD_HISTORY.md", "Total_Builds: 3", "Total_Builds: 5"), 0),
        (("docs/BUILD_HISTORY.md", "3 build entries", "5 build entries"), 1),
        (("README.md", "**Unique builds**: 2", "**Unique builds**: 3"), 1),
        (("README.md", "**Build entries**: 3", "**Builds**: 3"), 1),
        (("docs/INDEX.md", "3 build entries", "4 build entries"), 1),
    ],
)
def test_drift_in_meta_alone_is_a_warning_elsewhere_a_finding(
    counts, workspace, edited, code
) -> None:
    edit(workspace, *edited)
    assert counts().returncode == code
    assert counts("--strict").returncode == 1


def test_a_decision_under_another_prefix_is_a_warning_and_under_strict_an_error(
    counts, make_workspace
) -> None:
    files = true_files()
    files["docs/ARCHITECTURE_DECISIONS.md"] += b"\n## ADR-004: elsewhere\n"
    root = make_workspace(files)
    for flags, severity in (([], "warning"), (["--strict"], "error")):
        done = counts(*flags, root=root)
        found = [f for f in done.report["findings"] if f["code"] == "decision_prefix"]
        assert [f["severity"] for f in found] == [severity]


def test_structural_oddities_are_infos(counts, make_workspace) -> None:
    root = make_workspace({"docs/DEBUG_LOG.md": "# D\n\n## DBG-1: a\n\n## DBG-1: b\n\n## DBG-3\n"})
    done = counts(root=root)
    assert done.returncode == 0
    infos = {f["code"] for f in done.report["findings"] if f["severity"] == "info"}
    assert {"duplicate_section", "conflicting_id", "section_without_row"} <= infos
    held = done.report["counts"]["DEBUG_LOG"]
    assert (held["duplicate_ids"], held["conflicting_ids"], held["sections"]) == (1, 1, 3)


def test_an_empty_ledger_has_every_count(counts, make_workspace) -> None:
    done = counts(root=make_workspace({"docs/BUILD_HISTORY.md": "# B\n"}))
    held = done.report["counts"]["BUILD_HISTORY"]
    assert (held["index_entries"], held["unique_ids"], held["latest"]) == (0, 0, "")


def test_people_see_entries_and_unique_ones_apart(run_flow, workspace) -> None:
    done = run_flow("sot_counts", "--workspace", workspace, "--engine", "direct")
    first = done.stdout.splitlines()[0]
    assert first == (
        "docs/BUILD_HISTORY.md: Build entries 3, Unique builds 2, Unique dotted build ids 3; "
        "latest BUILD-170.10"
    )


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--check", "--execute"], "--check only reads"),
        (["--new", "build"], "needs a title"),
        (["--title", "x"], "describe a new entry"),
        (["--new", "debug", "--title", "x", "--cells", "HIGH"], "not NAME=VALUE"),
        (["--new", "decision", "--title", "x", "--cells", "Colour=red"], "no column 'Colour'"),
        (["--new", "chapter", "--title", "x"], "not one of build, decision, debug"),
    ],
)
def test_contradictions_exit_2_in_one_line(counts, flags, says) -> None:
    done = counts(*flags)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_new_entry_is_shown_then_written_and_leaves_no_drift(counts, workspace) -> None:
    ask = ["--new", "decision", "--title", "Keep | it", "--cells", "Impact=Speed", "--text", "Why."]
    before = everything(workspace)
    shown = counts(*ask)
    assert shown.returncode == 0
    assert everything(workspace) == before
    assert shown.report["entry"]["id"] == "DEC-003"
    assert "--new decision '--title=Keep | it'" in shown.report["next_steps"][0]["command"]
    done = counts(*ask, "--execute")
    assert done.returncode == 0, done.stderr
    text = (workspace / "docs/ARCHITECTURE_DECISIONS.md").read_text()
    assert "| DEC-003 | Keep \\| it | Proposed | Speed |" in text
    assert "### DEC-003 | " in text
    assert "Total_Decisions: 2" in text
    assert "- **Unique decisions**: 3" in (workspace / "README.md").read_text()
    assert counts("--strict", "--new", "build", "--title", "x").report["claims"] == []


def test_a_first_entry_makes_its_ledger(counts, make_workspace) -> None:
    root = make_workspace()
    done = counts("--new", "build", "--title", "It begins", "--execute", root=root)
    assert done.returncode == 0, done.stderr
    assert counts(root=root).report["claims"] == []
    assert counts(root=root).report["counts"]["BUILD_HISTORY"]["index_entries"] == 1


def test_two_new_entries_at_once_never_share_an_id(counts, workspace) -> None:
    done: list[Finished] = []

    def add(n: int) -> None:
        done.append(counts("--new", "decision", "--title", f"number {n}", "--execute"))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [d.returncode for d in done] == [0, 0, 0, 0], [d.stderr for d in done]
    written = {d.report["entry"]["id"] for d in done}
    assert written == {"DEC-003", "DEC-004", "DEC-005", "DEC-006"}
    assert counts("--check").report["claims"] == []


def test_a_conflicted_ledger_is_a_finding_and_refuses_new_entries(counts, workspace) -> None:
    path = workspace / "docs/DEBUG_LOG.md"
    path.write_bytes(path.read_bytes() + b"<<<<<<< ours\n")
    before = texts(workspace)
    done = counts("--execute")
    assert done.returncode == 1
    assert [f["code"] for f in done.report["findings"] if f["severity"] == "error"] == [
        "conflict_markers"
    ]
    assert counts("--new", "debug", "--title", "x", "--execute").returncode == 6
    assert texts(workspace) == before


# --- the derived indexes -------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, workspace: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("fresh_postgres"))
    return f"sqlite:///{workspace}/autopack.db"


def codes(done: Finished) -> dict[str, str]:
    return {
        f["code"]: f["message"]
        for f in done.report["findings"]
        if f["code"].startswith(("database_", "vectors_"))
    }


def test_drift_of_the_indexes_is_named_and_gone_after_a_sync(
    counts, run_flow, workspace, url
) -> None:
    targets = ["--database-url", url, "--qdrant-host", "embedded"]
    sync = ["--engine", "direct", "--full", "--execute", "--workspace", workspace, *targets]
    first = counts("--index", *targets)
    assert first.returncode == 1
    assert set(codes(first)) == {"database_missing", "vectors_missing"}
    assert run_flow("sot_sync", *sync).returncode == 0
    assert codes(counts("--index", *targets)) == {}

    path = workspace / "docs/BUILD_HISTORY.md"
    text = path.read_text()
    text = text.replace("### BUILD-9 | 2026-01-03 | About", "### BUILD-9 | 2026-01-03 | Of")
    text = text.replace("| 2026-01-03 | BUILD-170.2 | Title of BUILD-170.2 | b | c |\n", "")
    path.write_text(text + "\n### BUILD-8 | 2026-01-03 | New\n")
    drifted = codes(counts("--index", *targets))
    assert drifted == {
        "database_missing": "1 missing: BUILD-8 (section)",
        "database_extra": "1 extra: BUILD-170.2 (row)",
        "database_stale": "1 stale: BUILD-9 (section)",
        "vectors_missing": "1 missing: BUILD-8 (section)",
        "vectors_stale": "1 stale: BUILD-9 (section)",
        "vectors_extra": "1 extra: BUILD-170.2",
    }
    assert run_flow("sot_sync", *sync).returncode == 0
    assert codes(counts("--index", *targets)) == {}
    path.write_text(path.read_text().replace("# BUILD_HISTORY", "# Builds"))
    assert codes(counts("--index", *targets)) == {
        "database_stale": "1 stale: the text between the entries"
    }
    shutil.move(path, workspace / "elsewhere.md")
    assert codes(counts("--index", *targets))["database_extra"] == "1 extra: the whole ledger"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("UPDATE sot_blob SET content = CAST(replace(CAST(content AS text), 'About', 'Abour')"
         " AS blob)", 1),
        ("UPDATE sot_segment SET ident = 'BUILD-999' WHERE ident = 'BUILD-9'", 1),
        ("DELETE FROM sot_file WHERE id = 1", 6),
        ("UPDATE sot_meta SET value = 'abc' WHERE name = 'schema'", 6),
    ],
)  # fmt: skip
def test_a_damaged_index_is_named_and_the_advice_mends_it(
    counts, run_flow, workspace, damage, code
) -> None:
    sync = ["--engine", "direct", "--db-only", "--execute", "--workspace", workspace]
    assert run_flow("sot_sync", *sync).returncode == 0
    index = workspace / "autopack.db"
    with contextlib.closing(sqlite3.connect(index)) as cx:
        cx.execute(damage)
        cx.commit()
    done = counts("--index")
    assert done.returncode == code, done.stderr
    words = done.stderr if code == 6 else json.dumps(done.report["findings"])
    assert "move autopack.db aside" in words
    index.unlink()
    assert run_flow("sot_sync", *sync).returncode == 0
    assert codes(counts("--index")) == {}


def test_a_page_that_cannot_be_written_leaves_the_ledger_without_the_entry(
    counts, workspace
) -> None:
    readme = workspace / "README.md"
    readme.rename(workspace.parent / "README.md")
    readme.symlink_to(workspace.parent / "README.md")
    ask = ("--new", "decision", "--title", "once", "--execute")
    before = texts(workspace)
    for _ in range(2):
        done = counts(*ask)
        assert done.returncode == 6
        assert done.report["writes"]["files"] == []
        assert done.report["entry"]["id"] == "DEC-003"
    assert texts(workspace) == before


@pytest.mark.parametrize("flags", [["--database-url", "sqlite:///x.db"], ["--qdrant-host", "x"]])
def test_targets_without_index_are_a_usage_error(counts, flags) -> None:
    done = counts(*flags)
    assert (done.returncode, "name what --index compares" in done.stderr) == (2, True)


def test_what_a_killed_run_left_is_swept_by_the_next(counts, workspace) -> None:
    left = [workspace / ".autopack-x.tmp", workspace / "docs" / ".autopack-y.tmp"]
    for path in left:
        path.write_text("half")
    (workspace / "docs" / ".autopack-folder.tmp").mkdir()
    assert counts("--execute").returncode == 0
    assert not any(path.exists() for path in left)


def test_an_unreachable_database_is_4_and_names_it(counts, dead_port) -> None:
    url = f"postgresql://u:sesame-secret@127.0.0.1:{dead_port}/x"
    done = counts("--index", "--database-url", url)
    assert done.returncode == 4
    assert "sesame-secret" not in done.stdout + done.stderr


def test_the_targets_are_printed_only_when_they_are_asked(counts) -> None:
    assert counts().report["targets"] == {}
    shown = counts("--index").report["targets"]
    assert shown["database"].endswith("autopack.db (default (DATABASE_URL is unset))")
    assert shown["qdrant"] is None


def test_the_check_imports_no_database_and_no_prefect(run_flow, workspace) -> None:
    code = (
        "import sys; sys.argv = ['x', '--engine', 'direct', '--workspace', sys.argv[1]]\n"
        "import atexit, json\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "import runpy; runpy.run_module('flows.sot_counts', run_name='__main__')\n"
    )
    import subprocess
    import sys

    from tests.support import session

    done = subprocess.run(
        [sys.executable, "-c", code, str(workspace)], cwd=session.REPOSITORY,
        env=session.clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr))
    assert not loaded & {"sqlalchemy", "prefect", "pydantic", "qdrant_client", "markdown_it"}

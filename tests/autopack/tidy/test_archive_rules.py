"""The archive: what becomes of its pages, its index, old runs, and twins of ledgers."""

from __future__ import annotations

import pytest

from autopack.io.tidy_config import SCHEMA, SHIPPED, shipped
from autopack.tidy.archive_index import render
from autopack.tidy.config import read_config
from autopack.tidy.consolidate import Fate, after, decide, ids_in, mark, text_of, title_of
from autopack.tidy.duplicates import DIFF_LINES, compare
from autopack.tidy.runs import RunFolder, project_of, surplus

CONFIG = read_config(shipped(SHIPPED), shipped(SCHEMA), None)
KNOWN = {"BUILD-158", "BUILD-112", "DBG-007"}


def fate(path: str, head: bytes = b"# A page\n") -> Fate:
    return decide(path, CONFIG, KNOWN, lambda: head)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("archive/reports/BUILD-158_LEASES.md", "archive/superseded/reports/BUILD-158_LEASES.md"),
        ("archive/reports/BUILD_158_X.md", "archive/superseded/reports/BUILD_158_X.md"),
        ("archive/diagnostics/DBG-007_T.md", "archive/superseded/diagnostics/DBG-007_T.md"),
        ("archive/prompts/deep/x.md", "archive/superseded/prompts/deep/x.md"),
        ("archive/research/reviewed/x.md", "archive/superseded/research/reviewed/x.md"),
    ],
)
def test_what_a_ledger_has_is_superseded(path: str, to: str) -> None:
    assert (fate(path).kind, fate(path).destination) == ("superseded", to)
    assert fate(path).reason


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("archive/reports/BUILD-999_X.md", "BUILD-999"),
        ("archive/reports/BUILD-112-113_X.md", "BUILD-113"),
    ],
)
def test_an_id_that_no_ledger_has_is_for_a_person(path: str, missing: str) -> None:
    assert fate(path).kind == "undecided"
    assert missing in fate(path).reason


def test_a_report_whose_first_lines_name_a_known_build_is_superseded() -> None:
    report = "archive/reports/PHASE4_COMPLETION.md"
    assert fate(report, b"# Phase 4 (BUILD-158)\n").kind == "superseded"
    assert fate(report, b"# Phase 4 (BUILD-999)\n").entry == "build"
    assert fate(report, b"# Phase 4\n" + b"\n" * 40 + b"BUILD-158\n").entry == "build"


@pytest.mark.parametrize(
    ("path", "ledger"),
    [
        ("archive/reports/PHASE4_COMPLETION.md", "build"),
        ("archive/diagnostics/DB_ROOT_CAUSE.md", "debug"),
        ("archive/plans/ADR-3_cache.md", "decision"),
    ],
)
def test_what_has_no_entry_gets_one(path: str, ledger: str) -> None:
    assert (fate(path).kind, fate(path).entry) == ("entry", ledger)


@pytest.mark.parametrize(
    "path", ["archive/superseded/reports/BUILD-1.md", "archive/INDEX.md", "archive/x/README.md"]
)
def test_what_has_its_place_stays(path: str) -> None:
    assert fate(path).kind == "keep"


def test_what_no_rule_knows_is_for_a_person() -> None:
    assert fate("archive/plans/SOME_PLAN.md").kind == "undecided"


def test_ids_in_names() -> None:
    assert ids_in("BUILD-112-113_X.md") == ["BUILD-112", "BUILD-113"]
    assert ids_in("build_7.md") == ["BUILD-7"]
    assert ids_in("REBUILD-7.md") == []


def test_an_entry_names_its_page_and_digest_and_holds_no_structure() -> None:
    page = b"# T | x\n\n| a | b |\n\n- list\n\nPlain words,\nsee [docs](../x.md).\n\n## Next\n"
    made = fate("archive/reports/X_COMPLETION.md", page)
    text = text_of(made, page, "ab" * 32)
    assert "archive/superseded/reports/X_COMPLETION.md" in text
    assert mark("ab" * 32) in text
    assert text.endswith("Plain words, see docs.")
    assert title_of(made.path, page) == "T x"
    assert title_of("archive/a/NAME.md", b"no heading") == "NAME"


def test_a_run_begins_behind_the_cursor_and_comes_round() -> None:
    assert after(["a", "b", "c"], "b") == ["c", "a", "b"]
    assert after(["a", "b"], "") == ["a", "b"]


def test_the_index_is_the_same_for_the_same_files_and_leaves_itself_out() -> None:
    paths = ["archive/b/x.log", "archive/a/[p].md", "archive/INDEX.md"]
    index = render(paths, "archive")
    assert index == render(reversed(paths), "archive")
    assert b"2 files in 2 folders" in index
    assert b"- [\\[p\\].md](a/%5Bp%5D.md)" in index


def test_the_newest_runs_of_each_project_stay() -> None:
    runs = [RunFolder(f".autonomous_runs/r{n}", "", n) for n in range(5)]
    runs += [RunFolder(f".autonomous_runs/p{n}", "app", n) for n in range(2)]
    assert [run.ident for run in surplus(runs, 3)] == ["r0", "r1"]
    assert [run.ident for run in surplus(runs, 1)] == ["p0", "r0", "r1", "r2", "r3"]


def test_an_old_run_goes_to_the_archive_of_its_project() -> None:
    assert RunFolder(".autonomous_runs/r", "", 0).destination == "archive/runs/r"
    here = RunFolder(".autonomous_runs/app/runs/r", "app", 0)
    assert here.destination == ".autonomous_runs/app/archive/runs/r"


def test_a_project_is_told_by_the_rules() -> None:
    own = b"version: 1\nruns: {projects: [{project: app, globs: ['app-*']}]}\n"
    policy = read_config(shipped(SHIPPED), shipped(SCHEMA), own).runs
    assert project_of("app-2026", policy) == "app"
    assert project_of("other", policy) == ""


def test_twins_of_ledgers() -> None:
    assert compare("A.md", b"x", "docs/A.md", b"x").kind == "identical"
    assert compare("A.md", b"x", "docs/A.md", None).kind == "only"
    other = compare("A.md", b"x\ny\n", "docs/A.md", b"x\nz\n")
    assert other.kind == "divergent"
    assert {"-z", "+y"} <= set(other.diff)
    assert compare("A.md", b"x\r\n", "docs/A.md", b"x\n").diff == ("the line ends differ",)
    long = compare("A.md", b"a\n" * 900, "docs/A.md", b"b\n" * 900)
    assert len(long.diff) == DIFF_LINES + 1

"""Tidy on the real workspace: what moves, what stays, and a second run that changes nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support.process import Finished
from tests.support.tidy import shape, texts

LEDGERS = (
    "ARCHITECTURE_DECISIONS.md", "DEBUG_LOG.md", "CHANGELOG.md", "FUTURE_PLAN.md",
    "PROJECT_INDEX.json", "LEARNED_RULES.json",
)  # fmt: skip


@pytest.fixture
def tidy(run_flow, corpus_copy: Path):
    def run(*args: str) -> Finished:
        where = ("--engine", "direct", "--json", "--workspace", corpus_copy)
        done = run_flow("tidy", *where, "--max-seconds", "300", *args)
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.mark.corpus
def test_dry_runs_write_nothing_and_agree_with_a_person(tidy, corpus_copy: Path) -> None:
    before = shape(corpus_copy)
    quick = tidy("--quick").report
    full = tidy("--full", "--docs-reduce-to-sot").report
    assert shape(corpus_copy) == before
    assert quick["counts"]["planned_moves"] == 0, "the root is in order"
    assert quick["counts"]["held_back"] == 34
    assert Counter(m["rule"] for m in full["plan"]) == {
        "docs-reports": 19, "docs-plans": 12, "docs-pages": 3,
        "builds-in-the-ledger": 9, "reports-in-the-ledger": 7, "completed-work": 1,
    }  # fmt: skip
    assert list(full["entries"].values()) == ["BUILD-164"]
    assert sum(page["kind"] == "undecided" for page in full["pages"]) == 19
    assert not [f for f in full["findings"] if f["severity"] == "error"]


@pytest.mark.corpus
@pytest.mark.parametrize("flags", [["--quick"], ["--full"], ["--full", "--docs-reduce-to-sot"]])
def test_executed_twice_nothing_is_lost_and_the_second_run_is_quiet(
    tidy, corpus_copy: Path, flags: list[str]
) -> None:
    before = texts(corpus_copy)
    done = tidy(*flags, "--execute").report
    after = texts(corpus_copy)
    changed = {"README.md", "docs/BUILD_HISTORY.md"}
    kept = Counter(data for name, data in before.items() if name not in changed)
    there = Counter(data for name, data in after.items() if name not in changed)
    assert kept <= there
    assert sum(there.values()) - sum(kept.values()) == (flags != ["--quick"]), "the index is new"
    for name in LEDGERS:
        assert after[f"docs/{name}"] == before[f"docs/{name}"]
    assert done["status"] == "followups"
    again = tidy(*flags, "--execute").report
    assert again["writes"]["files"] == []
    assert texts(corpus_copy) == after


@pytest.mark.corpus
def test_undo_brings_the_real_workspace_back(tidy, corpus_copy: Path) -> None:
    before = texts(corpus_copy)
    run = tidy("--full", "--docs-reduce-to-sot", "--execute").report["run"]
    tidy("--undo", run, "--execute")
    written = {"README.md", "docs/BUILD_HISTORY.md", "archive/INDEX.md"}
    after = texts(corpus_copy)
    assert {n: d for n, d in after.items() if n not in written} == {
        n: d for n, d in before.items() if n not in written
    }

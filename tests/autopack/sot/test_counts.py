"""The true counts of the real workspace, and what the names mean."""

from __future__ import annotations

import pytest

from autopack.sot.counts import take_census
from autopack.sot.ledgers import BY_STEM
from autopack.sot.segment import segment
from tests.autopack.sot.builders import BUILD, CHANGELOG, cut
from tests.autopack.sot.test_segment import INDEX

TRUE_COUNTS = {
    "BUILD_HISTORY": {
        "index_entries": 168, "unique_index_ids": 144, "sections": 92, "unique_sections": 88,
        "unique_ids": 149, "non_id_rows": 1, "stray_rows": 3, "rows_without_section": 60,
        "sections_without_row": 4, "mentioned_only": 2, "latest": "BUILD-163",
    },
    "ARCHITECTURE_DECISIONS": {
        "index_entries": 17, "sections": 32, "unique_ids": 31, "sections_without_row": 14,
        "latest": "DEC-033",
    },
    "DEBUG_LOG": {
        "index_entries": 81, "unique_index_ids": 81, "sections": 50, "unique_ids": 82,
        "stray_rows": 2, "rows_without_section": 31,
    },
}  # fmt: skip


@pytest.mark.corpus
@pytest.mark.parametrize("stem", sorted(TRUE_COUNTS))
def test_the_real_workspace_counts_are_true(stem: str, corpus) -> None:
    ledger = BY_STEM[stem]
    data = (corpus / ledger.path).read_bytes()
    counts = take_census(ledger, segment(ledger, data)).counts.as_json()
    assert {name: counts[name] for name in TRUE_COUNTS[stem]} == TRUE_COUNTS[stem]


def test_ids_compare_as_integers_and_dotted_ids_share_a_base() -> None:
    segments = cut("## BUILD-9\n## BUILD-170.2\n## BUILD-170.10\n## BUILD-100\n")
    counts = take_census(BUILD, segments).counts
    assert counts.latest == "BUILD-170.10"
    assert (counts.unique_ids, counts.unique_base) == (4, 3)


def test_only_ids_that_nothing_defines_are_mentioned_only() -> None:
    rows = "| 2026-01-03 | BUILD-5 | p | see BUILD-3 and BUILD-4.1, not BUILD-99 | f |\n"
    census = take_census(BUILD, cut(INDEX + rows + "\n## BUILD-4.1: x\n"))
    assert census.mentioned_only == ("BUILD-3",)


def test_a_ledger_without_ids_counts_entries_alone() -> None:
    counts = take_census(CHANGELOG, cut("# C\n\n## A\n\n## B\n", CHANGELOG)).counts
    assert (counts.entries, counts.unique_ids, counts.latest) == (2, 0, None)

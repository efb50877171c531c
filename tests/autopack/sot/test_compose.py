"""New entries: the next free id, cells in their columns, placed like the rest."""

from __future__ import annotations

from datetime import date

import pytest

from autopack.errors import Refused, UsageError
from autopack.sot.compose import Draft, compose, insert, next_id, skeleton
from autopack.sot.counts import take_census
from autopack.sot.ledgers import BY_STEM, COUNTED, Ledger
from autopack.sot.segment import segment
from tests.autopack.sot.builders import BUILD, DEC

DBG = BY_STEM["DEBUG_LOG"]
TODAY = date(2026, 11, 24)
HEAD = "# B\n\n## INDEX\n\n| Timestamp | BUILD-ID | Phase | Summary | Files Changed |\n|---|---|---|---|---|\n"  # noqa: E501


def grown(ledger: Ledger, text: str, draft: Draft, ident: str | None = None) -> str:
    data = text.encode()
    census = take_census(ledger, segment(ledger, data))
    ident = ident or next_id(ledger, census, [data])
    return insert(ledger, data, compose(ledger, ident, draft, TODAY)).decode()


@pytest.mark.parametrize("ledger", COUNTED, ids=lambda ledger: ledger.stem)
def test_an_empty_ledger_takes_its_first_entry(ledger: Ledger) -> None:
    text = grown(ledger, skeleton(ledger).decode(), Draft("A title", {}, "Words."))
    counts = take_census(ledger, segment(ledger, text.encode())).counts
    assert (counts.index_entries, counts.sections, counts.rows_without_section) == (1, 1, 0)
    assert counts.latest == f"{ledger.prefix}-001"


def test_the_newest_entry_comes_first_where_the_newest_comes_first() -> None:
    text = HEAD + "| d | BUILD-9 | p | s | f |\n| d | BUILD-8 | p | s | f |\n\n## BUILD-9: x\n\nt\n"
    new = grown(
        BUILD, text, Draft("A | b", {"Summary": "all of it", "Files Changed": "`x`"}, "Text.")
    )
    assert new == HEAD + (
        "| 2026-11-24 | BUILD-010 | A \\| b | all of it | `x` |\n"
        "| d | BUILD-9 | p | s | f |\n| d | BUILD-8 | p | s | f |\n\n"
        "## BUILD-010 | 2026-11-24 | A | b\n\n**Files Changed**: `x`\n\nText.\n\n"
        "## BUILD-9: x\n\nt\n"
    )


def test_it_comes_last_where_the_oldest_comes_first() -> None:
    text = HEAD + "| d | BUILD-1 | p | s | f |\n| d | BUILD-2 | p | s | f |\n\nEnd.\n"
    text += "\n### BUILD-1\n\n### BUILD-2\n\nlast words"
    new = grown(BUILD, text, Draft("t", {}))
    assert new.index("BUILD-2 | p") < new.index("BUILD-003 | t") < new.index("End.")
    assert new.endswith("last words\n\n### BUILD-003 | 2026-11-24 | t\n")


def test_line_ends_are_the_ledgers_own() -> None:
    text = skeleton(DBG).decode().replace("\n", "\r\n")
    new = grown(DBG, text, Draft("t", {"severity": "HIGH"}, "one\ntwo"))
    assert new.count("\n") == new.count("\r\n")
    assert "| 2026-11-24 | DBG-001 | HIGH | t | Open |\r\n" in new


def test_ids_that_are_mentioned_anywhere_are_not_free() -> None:
    data = b"# D\n\n## DEC-007: x\n\nDEC-008 will say more.\n"
    census = take_census(DEC, segment(DEC, data))
    assert next_id(DEC, census, [data, b"see DEC-9, DEC-10.1 and DEC-12"]) == "DEC-011"


def test_a_decision_is_numbered_above_every_dotted_part() -> None:
    data = b"# B\n\n## BUILD-170.10: x\n\n## BUILD-99\n"
    assert next_id(BUILD, take_census(BUILD, segment(BUILD, data)), [data]) == "BUILD-171"


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        (Draft("", {}), "--title must be one line"),
        (Draft("a\nb", {}), "--title must be one line"),
        (Draft("t", {"Colour": "red"}), "no column 'Colour'"),
        (Draft("t", {"Status": " "}), "--cells Status must be one line"),
    ],
)
def test_a_bad_draft_is_a_usage_error(draft: Draft, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        compose(DEC, "DEC-001", draft, TODAY)


def test_a_ledger_without_a_table_is_refused() -> None:
    with pytest.raises(Refused, match="no INDEX table"):
        grown(BUILD, "# B\n\n## BUILD-1: x\n", Draft("t", {}))


@pytest.mark.parametrize(
    "text",
    ["text\n\n## BUILD-077: smuggled", "x\n<<<<<<< ours\ny", "| 2026-01-01 | BUILD-099 | y |",
     "## Other", "# Other", "## DEC-9", "```\nopen", "<!-- open"],
)  # fmt: skip
def test_a_text_that_would_not_be_read_back_as_itself_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="would not be read back"):
        grown(BUILD, skeleton(BUILD).decode(), Draft("t", {}, text))


@pytest.mark.parametrize("text", ["```\ncode\n## x\n```", "#### deeper", "| a | b |\n|---|---|\n"])
def test_ordinary_markdown_is_taken_as_it_is(text: str) -> None:
    assert text.strip() in grown(BUILD, skeleton(BUILD).decode(), Draft("t", {}, text))


def test_a_table_of_other_columns_is_refused() -> None:
    text = "# B\n\n## INDEX\n\n| BUILD-ID | Date |\n|---|---|\n"
    with pytest.raises(Refused, match="no INDEX table of 5 columns"):
        grown(BUILD, text, Draft("t", {}))


def test_an_indented_table_takes_a_row() -> None:
    new = grown(BUILD, HEAD.replace("\n|", "\n  |"), Draft("t", {}))
    assert "\n| 2026-11-24 | BUILD-001 | t | - | - |\n" in new


def test_an_example_in_a_fence_is_no_table() -> None:
    example = "```\n## INDEX\n\n| a | b | c | d | e |\n|---|---|---|---|---|\n```\n\n"
    new = grown(BUILD, HEAD.replace("# B\n\n", f"# B\n\n{example}"), Draft("t", {}))
    assert new.index("BUILD-001") > new.index("Timestamp")


def test_an_ascending_ledger_may_end_with_its_last_row_or_with_references() -> None:
    rows = "| d | BUILD-1 | p | s | f |\n| d | BUILD-2 | p | s | f |"
    sections = "# B\n\n## BUILD-1: x\n\n## BUILD-2: y\n\nt\n\n## References\n\nr\n\n"
    new = grown(BUILD, sections + HEAD.removeprefix("# B\n\n") + rows, Draft("t", {}))
    assert new.endswith("| 2026-11-24 | BUILD-003 | t | - | - |\n")
    assert new.index("BUILD-2: y") < new.index("## BUILD-003 |") < new.index("## References")


def test_the_width_of_ids_is_kept() -> None:
    data = b"# D\n\n## DEC-0012: x\n"
    assert next_id(DEC, take_census(DEC, segment(DEC, data)), [data]) == "DEC-0013"

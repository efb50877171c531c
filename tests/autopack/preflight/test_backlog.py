"""A backlog item says everything, or it is told what is missing."""

from __future__ import annotations

import pytest

from autopack.preflight.backlog import FIELDS, check_backlog, read_items, template

ITEM = """# Backlog

Some words, **bold** ones too.

### 1.1 Faster search

- **Why**: it is slow
- **Scope**: `flows/sot_search.py`
- **Non-goals**: other models
- **Acceptance criteria**:
  - twice as fast
- **Failure modes**: an empty index says so
- **Environment assumptions**: none
- **CI coverage plan**: always
"""


def told(text: str) -> list[tuple[str, int | None]]:
    return [(f.code, f.line) for f in check_backlog("B.md", text)[1]]


def test_a_whole_item_is_silent() -> None:
    assert check_backlog("B.md", ITEM) == (1, [])


@pytest.mark.parametrize("name", FIELDS)
def test_each_part_is_needed(name) -> None:
    (found,) = check_backlog("B.md", ITEM.replace(f"**{name}**", "**Note**"))[1]
    assert (found.code, found.line) == ("missing_part", 5)
    assert found.message == f"'1.1 Faster search' lacks {name}"


def test_parts_may_be_paragraphs_or_headings() -> None:
    paragraphs = ITEM.replace("- **", "\n**").replace("  - twice", "- twice")
    assert told(paragraphs) == []
    headings = "### 1.1 A\n\n" + "\n".join(f"#### {name}\n\nalways\n" for name in FIELDS)
    assert told(headings) == []


def test_an_empty_part_and_a_placeholder_are_told() -> None:
    assert told(ITEM.replace(" it is slow", "")) == [("empty_part", 7)]
    assert told(ITEM.replace("it is slow", "TBD")) == [("placeholder", 7)]
    assert told(ITEM.replace("always", "yes")) == [("no_cadence", 14)]


def test_a_numbered_heading_without_parts_is_an_item_too() -> None:
    assert told(ITEM + "\n### 1.2 Later\n\n**Goal**: something\n") == [("missing_part", 16)]


def test_what_stands_in_a_code_block_is_no_part() -> None:
    assert told("### 1.1 A\n\n```\n- **Why**: x\n```\n") == [("missing_part", 1)]


def test_a_page_without_items_is_an_error() -> None:
    assert told("# Plans\n\nWe will see.\n") == [("no_items", None)]


def test_the_template_has_every_part_still_to_be_filled_in() -> None:
    (item,) = read_items(template())
    assert list(item.parts) == list(FIELDS)
    assert {code for code, _ in told(template())} == {"placeholder"}

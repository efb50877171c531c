"""The segmenter: lossless on any bytes, and right about every shape that real ledgers have."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from autopack.sot.entries import Key, title
from autopack.sot.ledgers import LEDGERS
from autopack.sot.segment import segment
from autopack.sot.segments import Kind
from tests.autopack.sot.builders import BUILD, CHANGELOG, DEC, codes, cut, outline

HEAD = "# Build History\n\n<!-- META\nTotal_Builds: 9\n-->\n\n"
INDEX = (
    HEAD + "## INDEX (Chronological - Most Recent First)\n\n"
    "| Timestamp | BUILD-ID | Phase | Summary | Files Changed |\n"
    "|-----------|----------|-------|---------|---------------|\n"
)

PIECES = st.sampled_from(
    [
        "# Title\n", "## INDEX (x)\n", "| T | BUILD-ID | P | S | F |\n", "|---|---|---|---|---|\n",
        "| 2026-01-01 | BUILD-1 | p | s | f |\n", "| 2026-01-01 | OPTION-B | p | s | f |\n",
        "### BUILD-2 | 2026-01-01 | t\n", "## BUILD-170.10: dotted\n", "## DEC-1: foreign\n",
        "## Notes\n", "### plain\n", "#### deep\n", "```python\n", "```\n", "~~~~\n", "text\n",
        "\n", "\f", "\r\n", "\0", "é", "<<<<<<< HEAD\n", "# BUILD-40: comment\n", "  ```\n", "|\n",
    ]
)  # fmt: skip


@given(st.lists(PIECES, max_size=40), st.sampled_from(LEDGERS))
def test_every_byte_of_any_ledger_is_in_exactly_one_segment(pieces: list[str], ledger) -> None:
    segments = cut("".join(pieces), ledger)
    assert list(segments.starts) == sorted(set(segments.starts))


@given(st.binary(max_size=300), st.sampled_from(LEDGERS))
def test_arbitrary_bytes_lose_nothing(data: bytes, ledger) -> None:
    cut(data, ledger)


@pytest.mark.parametrize(
    ("heading", "ident"),
    [
        ("### BUILD-138 | 2025-12-28T18:30 | Tooling | Title", "BUILD-138"),
        ("### BUILD-1 | 2025-12-28 |", "BUILD-1"),
        ("## BUILD-155: Title", "BUILD-155"),
        ("## BUILD-145 Follow-up: Title", "BUILD-145"),
        ("## BUILD-160", "BUILD-160"),
        ("## BUILD-9 | Title", "BUILD-9"),
        ("###   BUILD-170.10 | x", "BUILD-170.10"),
        ("##\tBUILD-7", "BUILD-7"),
    ],
)
@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_every_heading_shape_opens_an_entry(heading: str, ident: str, eol: str) -> None:
    segments = cut(eol.join(["# T", "", heading, "body", ""]))
    assert outline(segments) == ["preamble", f"section {ident}"]


def test_an_entry_at_the_first_byte_leaves_no_empty_preamble() -> None:
    assert outline(cut("## BUILD-1\nx\n")) == ["section BUILD-1"]


def test_a_bom_in_front_of_the_first_heading_hides_nothing() -> None:
    entry = cut("\ufeff## BUILD-1: x\ntext\n")
    assert outline(entry) == ["section BUILD-1"]
    assert title(BUILD, Key(Kind.SECTION, "BUILD-1", 1), "\ufeff## BUILD-1: x") == "x"
    index = "\ufeff" + INDEX.removeprefix(HEAD) + "| 2026-01-03 | BUILD-9 | p | s | f |\n"
    assert outline(cut(index))[1:] == ["row BUILD-9"]
    assert outline(cut("\ufeff## Recent\n\n- a\n", CHANGELOG)) == ["section recent"]


def test_index_rows_are_segments_and_an_id_cell_without_id_is_named() -> None:
    segments = cut(
        INDEX + "| 2026-01-03 | BUILD-163 | p | s | f |\n| 2026-01-02 | OPTION-B | p | s | f |\n"
        "\n## BUILDS\n\n### BUILD-163 | x\n"
    )
    assert outline(segments)[1:] == [
        "text",
        "row BUILD-163",
        "non_id_row OPTION-B",
        "text",
        "text",
        "section BUILD-163",
    ]
    assert codes(segments) == ["non_id_row"]


def test_a_form_feed_inside_a_row_does_not_cut_it() -> None:
    segments = cut(INDEX + "| 2026-01-03 | BUILD-158 | p\f| s | f |\n")
    assert outline(segments)[-1] == "row BUILD-158"


def test_raw_pipes_stay_in_the_row_and_are_named() -> None:
    segments = cut(INDEX + "| 2026-01-03 | BUILD-1 | p | O_CREAT | O_EXCL | f |\n")
    assert codes(segments) == ["overflow_cells"]
    assert b"O_EXCL" in segments.content(len(segments) - 1)


def test_a_row_outside_any_table_is_a_stray_row() -> None:
    segments = cut(
        HEAD + "## BUILD-153: x\n- y\n\n| 2026-01-02 | BUILD-154 | p | s | f |\n\ntail\n"
    )
    assert outline(segments) == ["preamble", "section BUILD-153", "stray_row BUILD-154", "text"]


@pytest.mark.parametrize("between", ["\n", "<!-- older -->\n", "### 2025\n", "text\n\n"])
@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_a_row_behind_the_end_of_the_index_table_is_a_stray_row(between: str, eol: str) -> None:
    rows = [f"| 2026-01-0{n} | BUILD-{n} | p | s | f |\n" for n in (3, 2, 1)]
    text = INDEX + rows[0] + between + rows[1] + rows[2] + "| no row |\n\n## End\nwords\n"
    segments = cut(text.replace("\n", eol))
    assert outline(segments)[1:] == [
        "text", "row BUILD-3", "text", "stray_row BUILD-2", "stray_row BUILD-1", "text", "text end",
    ]  # fmt: skip
    assert codes(segments) == ["stray_row"] * 2


def test_a_row_in_a_code_fence_below_the_index_table_is_content() -> None:
    row = "| 2026-01-03 | BUILD-3 | p | s | f |\n"
    assert outline(cut(INDEX + row + "\n```\n" + row + "```\n"))[2:] == ["row BUILD-3", "text"]


def test_a_row_that_is_indented_belongs_to_the_index_table() -> None:
    rows = [f"| 2026-01-0{n} | BUILD-{n} | p | s | f |\n" for n in (3, 2, 1)]
    segments = cut(INDEX + rows[0] + "  " + rows[1] + rows[2])
    assert outline(segments)[2:] == ["row BUILD-3", "row BUILD-2", "row BUILD-1"]


def test_a_table_inside_a_section_is_ordinary_content() -> None:
    table = "| Date | Id | R |\n|---|---|---|\n| 2026-01-02 | BUILD-9 | ok |\n"
    assert outline(cut(HEAD + "## BUILD-153: x\n\n" + table)) == ["preamble", "section BUILD-153"]


def test_a_row_inside_a_code_fence_is_content() -> None:
    text = "## BUILD-1: x\n```\n| 2026-01-02 | BUILD-9 | p | s | f |\n```\n"
    assert outline(cut(text)) == ["section BUILD-1"]


def test_an_orphan_fence_does_not_swallow_the_next_entry() -> None:
    segments = cut("# T\n\n### DEC-012 | x\nbody\n```\n\n### DEC-013 | y\nbody\n", DEC)
    assert outline(segments) == ["preamble", "section DEC-012", "section DEC-013"]
    assert codes(segments) == ["fence_recovered"]


def test_an_h1_and_a_comment_in_a_fence_are_no_entries() -> None:
    text = "# T\n\n### BUILD-39 | x\n```python\n# BUILD-040: comment\n## Not a heading\n```\nend\n"
    assert outline(cut(text)) == ["preamble", "section BUILD-39"]


def test_a_foreign_id_closes_an_entry_and_is_named() -> None:
    segments = cut("# T\n\n### DEC-1 | x\n## BUILD-155: foreign\n### Decision: y\n", DEC)
    assert outline(segments) == ["preamble", "section DEC-1", "text build-155-foreign"]
    assert codes(segments) == ["foreign_heading"]


def test_h3_belongs_to_an_h2_entry_unless_it_carries_an_id() -> None:
    text = "## BUILD-155: x\n### Part\n#### Deep\n### BUILD-156 | y\n## Notes\n### Part\n"
    assert outline(cut(text)) == ["section BUILD-155", "section BUILD-156", "text notes"]


def test_a_changelog_is_cut_at_h2_and_h3_outside_code() -> None:
    segments = cut("# C\n\n## Recent\n\n### 2026: A\n```\n## no\n```\n### 2026: A\n", CHANGELOG)
    assert outline(segments) == [
        "preamble", "section recent", "section 2026-a", "section 2026-a",
    ]  # fmt: skip


def _oracle(prefix: str, data: bytes) -> list[int]:
    """Lines of entry headings by CommonMark, from markdown-it-py."""
    text = re.sub("[\0\f]", " ", data.decode())
    tokens = MarkdownIt("commonmark").parse(text)
    lines = []
    for token, inline in pairwise(tokens):
        heading = token.type == "heading_open" and token.tag in {"h2", "h3"} and token.level == 0
        if heading and re.match(rf"{prefix}-\d", inline.content):
            lines.append((token.map or [0])[0] + 1)
    return lines


@pytest.mark.corpus
@pytest.mark.parametrize("ledger", [item for item in LEDGERS if item.prefix], ids=lambda x: x.stem)
def test_markdown_it_agrees_on_the_real_entry_headings(ledger, corpus) -> None:
    """It must agree except where an orphan fence hides headings, which the segmenter recovers."""
    data = (corpus / ledger.path).read_bytes()
    segments = segment(ledger, data)
    ours = [
        data.count(b"\n", 0, segments.starts[i]) + 1
        for i in range(len(segments))
        if segments.kinds[i] == Kind.SECTION
    ]
    assert ledger.prefix
    theirs = _oracle(ledger.prefix, data)
    recovered = {note.offset for note in segments.notes if note.code == "fence_recovered"}
    hidden = set(ours) - set(theirs)
    assert set(theirs) <= set(ours)
    if not recovered:
        assert not hidden
    else:
        first = min(data.count(b"\n", 0, offset) + 1 for offset in recovered)
        assert first in hidden
        assert min(hidden) >= first


@given(st.lists(PIECES, max_size=30))
def test_markdown_it_agrees_on_made_ledgers_without_fences_and_odd_bytes(pieces) -> None:
    odd = ("```", "~~~", "\f", "\0", "\r")
    text = HEAD + "".join(p for p in pieces if not any(mark in p for mark in odd))
    segments = cut(text)
    ours = [
        text.encode().count(b"\n", 0, segments.starts[i]) + 1
        for i in range(len(segments))
        if segments.kinds[i] == Kind.SECTION
    ]
    assert ours == _oracle("BUILD", text.encode())


def test_the_segmenter_reads_the_ledger_prefix_only() -> None:
    assert outline(cut("## DBG-1: x\nbody\n", BUILD)) == ["text dbg-1-x"]


def test_a_heading_with_nothing_below_has_no_name() -> None:
    text = "# T\n\n## BUILDS\n\n---\n\n## BUILD-1\n\n## Notes\n\nworth finding\n"
    assert outline(cut(text)) == ["preamble", "text", "section BUILD-1", "text notes"]


@pytest.mark.parametrize(
    "text",
    [
        "## BUILD-1\n\n| D | I |\n|---|---|\n" + "| 2026-01-01 | BUILD-9 | x |\n" * 20_000,
        "## BUILD-1\n\n" + "| 2026-01-01 | BUILD-9 | x |\n" * 20_000,
        "## BUILD-1\n```\n" + "# comment\n" * 20_000,
        "## INDEX\n|" + "-" * 40_000 + "x\n",
        "```\n## BUILD-1: x\n" * 100_000,
    ],
    ids=["table", "stray rows", "fence", "dashes", "orphan fences"],
)
def test_long_tables_fences_and_rows_are_walked_once(text: str) -> None:
    """Quadratic walks took from ten seconds to minutes here."""
    began = time.process_time()
    cut(text)
    cut(text, CHANGELOG)
    assert time.process_time() - began < 10


def test_a_number_that_no_integer_holds_is_no_id() -> None:
    assert outline(cut("## BUILD-" + "1" * 5000 + "\nx\n## BUILD-2\n"))[1:] == ["section BUILD-2"]


def test_a_second_table_under_index_has_a_head_of_its_own() -> None:
    table = "| T | BUILD-ID | P | S | F |\n|---|---|---|---|---|\n| d | BUILD-{} | p | s | f |\n"
    segments = cut("# T\n\n## INDEX\n\n" + table.format(1) + "\n" + table.format(2))
    assert [o for o in outline(segments) if "row" in o] == ["row BUILD-1", "row BUILD-2"]
    assert codes(segments) == []

"""Entries as search sees them: keys, titles, links, lines."""

from __future__ import annotations

import pytest

from autopack.sot.entries import Key, entry_id, key_id, keyed, links, payload, title
from autopack.sot.ids import point_id, slug, sort_key
from autopack.sot.ledgers import BY_STEM
from autopack.sot.results import line_of
from autopack.sot.segments import Kind
from tests.autopack.sot.builders import BUILD, CHANGELOG, RULES, cut


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("### BUILD-1 | 2025-12-28T18:30 | Tooling | Telemetry *now*", "Telemetry now"),
        ("### BUILD-1 | 2025-12-28T18:30 | Telemetry", "Telemetry"),
        ("## BUILD-1: `sync` [done](x.md)", "sync done"),
        ("## BUILD-1 Follow-up: Queue", "Follow-up: Queue"),
        ("### BUILD-1 | 2025-12-28 |", "BUILD-1"),
        ("## BUILD-1", "BUILD-1"),
    ],
)
def test_a_section_title_is_what_stands_behind_id_and_date(line: str, expected: str) -> None:
    assert title(BUILD, Key(Kind.SECTION, "BUILD-1", 1), line) == expected


def test_a_row_title_is_its_phase_cell() -> None:
    row = "| 2026-01-02 | BUILD-1 | **Locks** | text | f |"
    assert title(BUILD, Key(Kind.ROW, "BUILD-1", 1), row) == "Locks"


def test_the_title_of_a_debug_row_is_its_summary_and_not_its_severity() -> None:
    row = "| 2026-01-02 | DBG-1 | LOW | A lock was stale | Fixed |"
    assert title(BY_STEM["DEBUG_LOG"], Key(Kind.ROW, "DBG-1", 1), row) == "A lock was stale"


def test_equal_ids_are_numbered_in_file_order() -> None:
    segments = cut("## BUILD-1: a\n## BUILD-2: b\n## BUILD-1: c\n")
    assert [(key.ident, key.ordinal) for _, key in keyed(segments)] == [
        ("BUILD-1", 1), ("BUILD-2", 1), ("BUILD-1", 2),
    ]  # fmt: skip
    assert [key.ordinal for _, key in keyed(segments, {"BUILD-1"})] == [1, 2]


def test_vector_ids_depend_on_the_key_alone() -> None:
    key = Key(Kind.SECTION, "BUILD-1", 1)
    assert key_id(BUILD, key) == point_id("docs/BUILD_HISTORY.md", "section", "BUILD-1", 1)
    assert key_id(BUILD, key) != key_id(BUILD, Key(Kind.ROW, "BUILD-1", 1))
    assert key_id(BUILD, key) != key_id(BUILD, Key(Kind.SECTION, "BUILD-1", 2))


def test_an_id_without_a_ledger_prefix_names_its_ledger() -> None:
    assert entry_id(BUILD, "BUILD-1") == "BUILD-1"
    assert entry_id(BUILD, "notes") == "BUILD_HISTORY#notes"
    assert entry_id(CHANGELOG, "2026-a") == "CHANGELOG#2026-a"


def test_links_are_those_of_commonmark() -> None:
    text = "[a](x.md) ![i](y.png) <https://e.org> `[no](z.md)`\n\n[r]\n\n[r]: ref.md\n"
    assert links(text) == ["x.md", "y.png", "https://e.org", "ref.md"]
    assert links("no link") == []


def test_a_json_head_is_more_than_its_first_line() -> None:
    content = b'{\n  "rule_id": "a"\n}'
    shown = payload(RULES, Key(Kind.MEMBER, "a", 1), content, "d")
    assert shown["head"] == content.decode()


def test_of_equal_heads_the_ordinal_decides() -> None:
    data = b"# T\n## BUILD-1\nx\n## BUILD-1\n"
    assert [line_of(data, "docs/X.md", "## BUILD-1", n) for n in (1, 2, 3)] == [2, 4, 4]
    assert line_of(data, "docs/X.md", "## BUILD-2", 1) is None
    assert line_of(data, "docs/X.md", "", 1) is None


def test_a_head_is_a_whole_line_and_no_prefix_of_another() -> None:
    data = b"# T\n## BUILD-10: x\nsee ## BUILD-1\n## BUILD-1\r\n"
    assert line_of(data, "docs/X.md", "## BUILD-1", 1) == 4


def test_slugs_and_sort_keys() -> None:
    assert slug("Héllo, *World* `x_y`!") == "héllo-world-x_y"
    assert sort_key("BUILD-170.10") > sort_key("BUILD-170.9")

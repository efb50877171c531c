"""JSON ledgers: members by their exact bytes, broken JSON as a named finding."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.autopack.sot.builders import RULES, codes, cut, outline

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_top_level_members_and_list_elements_are_members() -> None:
    text = '{\n  "version": 1,\n  "rules": [\n    {"rule_id": "a"},\n    {"id": "b"}\n  ]\n}\n'
    assert outline(cut(text, RULES)) == [
        "preamble", "member version", "text", "member a", "member b",
    ]  # fmt: skip


@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_any_object_is_cut_without_loss(value, indent) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    segments = cut(text.encode("utf-8", "surrogatepass"), RULES)
    assert "invalid_json" not in codes(segments) or "\ud800" <= max(text) <= "\udfff"


def test_broken_json_stays_one_segment_with_an_error() -> None:
    for text in ('{"a": 1', "[1]", '{"a" 1}', "", '{"a":1} x', "{'a':1}", '{"a":1,}'):
        segments = cut(text, RULES)
        assert codes(segments) == ["invalid_json"], text
        assert segments.notes[0].severity == "error"
        assert len(segments) == 1

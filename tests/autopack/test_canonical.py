"""One value has one spelling, that of RFC 8785."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.canonical import canonical

TEXTS = st.text(st.characters(codec="utf-8"))
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_bytes_are_json_and_forget_the_order_of_keys(value: Any) -> None:
    data = canonical(value)
    assert json.loads(data) == value
    assert canonical(json.loads(data)) == data


def test_canonical_bytes_are_those_of_rfc_8785() -> None:
    told = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}
    assert list(json.loads(canonical(told)).values()) == [2, 4, 6, 7, 1, 5, 3]
    assert canonical({"b": '\u20ac\n\x0f\\"/', "a": [None, True]}) == (
        '{"a":[null,true],"b":"\u20ac\\n\\u000f\\\\\\"/"}'.encode()
    )
    for odd in (1.5, {"a": [1.0]}, b"x", {1, 2}, 2**53, "\ud800"):
        with pytest.raises((TypeError, ValueError)):
            canonical(odd)

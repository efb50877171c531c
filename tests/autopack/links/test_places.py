"""Where a column of a line stands in the file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopack.links.places import Source

_LINES = st.lists(st.binary(max_size=12).map(lambda b: b.translate(None, b"\r\n")), max_size=3)


@given(_LINES, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 14)), max_size=12))
def test_a_column_is_the_bytes_before_it_in_whatever_order_it_is_asked_for(lines, asked):
    source = Source(b"\n".join(lines))
    for line, column in asked:
        if line < len(source.lines):
            before = source.lines[line][:column].encode("utf-8", "surrogateescape")
            assert source.offset(line, column) == source.starts[line] + len(before)

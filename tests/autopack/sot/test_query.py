"""The text that search encodes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopack.sot.query import query_text, searchable


def test_ids_are_one_word_in_entries_and_questions() -> None:
    assert "DBG9" in searchable("t", "### DBG-009 | x\nsee BUILD-163").split()
    assert "BUILD163" in searchable("t", "### DBG-009 | x\nsee BUILD-163").split()
    assert "dbg9" in query_text("what was dbg-009 about").split()


def test_names_are_also_found_by_their_parts() -> None:
    words = searchable("t", "`PendingMovesQueue` and HTTPServer2").split()
    assert {"Pending", "Moves", "Queue", "HTTP", "Server"} <= set(words)


def test_other_names_of_a_thing_join_the_question() -> None:
    assert "database" in query_text("is the db down").split()


@given(st.text(), st.text())
def test_any_text_can_be_encoded(title: str, body: str) -> None:
    assert title in searchable(title, body)
    query_text(body)

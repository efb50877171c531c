"""Every file name can be told, and found again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autopack.storage.names import spell, unspell


@given(st.binary())
def test_a_name_comes_back_from_its_spelling(name: bytes) -> None:
    assert unspell(spell(name)) == name
    spell(name).encode("utf-8")


def test_ordinary_names_are_spelled_as_they_are() -> None:
    assert spell("docs/Größe 1.md".encode()) == "docs/Größe 1.md"
    assert spell(b"a\\x41\xff\n") == "a\\\\x41\\xff\n"

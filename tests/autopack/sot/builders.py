"""Ledgers made for tests."""

from __future__ import annotations

from autopack.sot.ledgers import BY_STEM, Ledger
from autopack.sot.segment import segment
from autopack.sot.segments import Kind, Segments

BUILD = BY_STEM["BUILD_HISTORY"]
DEC = BY_STEM["ARCHITECTURE_DECISIONS"]
CHANGELOG = BY_STEM["CHANGELOG"]
RULES = BY_STEM["LEARNED_RULES"]


def cut(text: str | bytes, ledger: Ledger = BUILD) -> Segments:
    """Segment a text and check that no byte is lost."""
    data = text.encode() if isinstance(text, str) else text
    segments = segment(ledger, data)
    assert b"".join(segments.content(i) for i in range(len(segments))) == data
    return segments


def outline(segments: Segments) -> list[str]:
    """Return `kind id` of every segment, for comparing."""
    pairs = zip(segments.kinds, segments.idents, strict=True)
    return [f"{Kind(kind).name.lower()} {ident}".rstrip() for kind, ident in pairs]


def codes(segments: Segments) -> list[str]:
    """Return the codes of a file's notes."""
    return [note.code for note in segments.notes]

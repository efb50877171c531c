"""The text that search encodes, for entries and for questions alike."""

from __future__ import annotations


def searchable(title: str, body: str) -> str:
    """Return the text that is encoded for an entry."""
    return f"{title}\n{body}"


def query_text(q: str) -> str:
    """Return the text that is encoded for a question."""
    return q

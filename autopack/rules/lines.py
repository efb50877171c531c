"""Families of log lines, for pipes: the lines of one input are judged together."""

from __future__ import annotations

from collections.abc import Iterable

from autopack.rules.families import families
from autopack.rules.masking import template
from autopack.rules.records import body
from autopack.rules.signature import name_family


def templates(lines: Iterable[str]) -> list[str]:
    """Return the template of each line, of what stands behind the head of its record."""
    return [template(body(line)) for line in lines]


def family_ids(lines: Iterable[str]) -> list[str]:
    """Return the family of each line; it depends on which lines there are, not on their order."""
    masked = templates(lines)
    ids = {text: name_family("", family) for text, family in families(masked).items()}
    return [ids[text] for text in masked]

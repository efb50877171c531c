"""What a Markdown page holds that other pages, or people, can follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["inline", "reference", "autolink", "image", "html"]
"""How a link is written; an image is one in either Markdown form."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link that GitHub renders.

    `raw` is the destination as written, `target` the same with escapes and entities decoded and
    percent signs as they are. `line` counts from 1. `span` holds the first and the behind-last
    byte of the destination in the file, without brackets or quotes around it; None where it cannot
    be told for certain. `enclosed` is the character in front of it that encloses it, if one does.
    """

    kind: Kind
    raw: str
    target: str
    line: int
    span: tuple[int, int] | None = None
    enclosed: str = ""


@dataclass(frozen=True, slots=True)
class CodeSpan:
    """The text of a code span, and its line from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page as its readers see it: links in order, and the fragments that lead into it.

    `redirect` is the path from the root that a redirect stub leads to, empty in any other page.
    """

    path: str
    links: tuple[Link, ...]
    anchors: frozenset[str]
    code: tuple[CodeSpan, ...] = ()
    redirect: str = ""

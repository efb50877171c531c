"""Read a page: the links that GitHub renders, and the fragments that lead into it.

GitHub Flavored Markdown is the standard, as cmark-gfm renders it. Nothing in code, comments or
front matter is a link; a reference definition is one where it is used, and so are the links of a
footnote; bare addresses without brackets are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from autopack.links import html
from autopack.links.anchors import fragments
from autopack.links.gfm import NOTE, label_of
from autopack.links.model import CodeSpan, Kind, Link, Page
from autopack.links.parser import LABEL_END, PLACE, behind_spaces, children_of, destination, parser
from autopack.links.places import Cut, Source, cut_cell, cut_lines
from autopack.links.stubs import read_stub

if TYPE_CHECKING:
    from markdown_it.token import Token

_MAY_LEAD = re.compile(r"[\[<`]")
"""What every link, tag and code span has; other text is not looked into, which saves time."""


def read_page(path: str, data: bytes) -> Page:
    """Return what a Markdown file holds; no file is too damaged to be read."""
    stub = read_stub(path, data)
    return _Reader(path, Source(data)).page(stub.target if stub else "")


class _Reader:
    """One page on its way from tokens to links."""

    def __init__(self, path: str, source: Source) -> None:
        self.path, self.source = path, source
        self.links: list[Link] = []
        self.code: list[CodeSpan] = []
        self.headings = html.Headings()
        self.seen = html.Shown()
        self.ids: set[str] = set()
        self.notes: dict[str, int] = {}
        self.env: dict[str, Any] = {}

    def page(self, redirect: str) -> Page:
        tokens = parser().parse(self.source.markdown, self.env)
        behind, row = 0, -1
        for n in self._shown(tokens):
            token = tokens[n]
            if token.type == "html_block":
                self._html_block(token)
            elif token.type == "inline" and token.map:
                opened = tokens[n - 1].type
                if opened in ("th_open", "td_open"):
                    behind = behind if token.map[0] == row else 0
                    row = token.map[0]
                    cut, behind = cut_cell(self.source, token.content, row, behind)
                else:
                    cut = cut_lines(self.source, token.content, token.map[0])
                self._inline(token, cut, opened)
        self.headings.end()
        anchors = self.ids.union(fragments(self.headings.texts))
        return Page(self.path, tuple(self.links), frozenset(anchors), tuple(self.code), redirect)

    def _shown(self, tokens: Sequence[Token]) -> Iterator[int]:
        """Yield which tokens GitHub shows: all but those of footnotes that nothing cites."""
        if any(token.type == "footnote_open" for token in tokens):
            for label in _cited(tokens, self.env):
                self.notes.setdefault(label, len(self.notes) + 1)
        wanted, hidden = set(self.notes), 0
        for n, token in enumerate(tokens):
            if token.type == "footnote_open":
                hidden += hidden > 0 or token.meta[NOTE] not in wanted
                wanted.discard(token.meta[NOTE])  # the first of two definitions counts
            elif token.type == "footnote_close":
                hidden -= hidden > 0
            elif not hidden:
                yield n

    def _html_block(self, token: Token) -> None:
        assert token.map
        cut = cut_lines(self.source, token.content, token.map[0])
        shown = self.seen.of(token.content)
        self._html(shown, 0, cut)
        self.headings.html(shown)

    def _inline(self, token: Token, cut: Cut, opened: str) -> None:
        heading = opened == "heading_open" and not self.seen.hidden
        if heading:
            self.headings.begin()
        if self.headings.is_open or _MAY_LEAD.search(token.content):
            for child in children_of(token.content, self.env):
                self._child(child, cut)
        if heading:
            self.headings.end()

    def _child(self, child: Token, cut: Cut) -> None:
        if child.type == "html_inline":
            shown = self.seen.of(child.content)
            self._html(shown, child.meta[PLACE][0], cut)
            self.headings.html(shown)
        elif not self.seen.hidden:
            self.headings.text(self._text(child))
            self._lead(child, cut)

    def _lead(self, child: Token, cut: Cut) -> None:
        if child.type in ("link_open", "image"):
            self.links.append(self._link(child, cut))
        elif child.type == "code_inline":
            line = cut.line(child.meta[PLACE][0]) + 1
            self.code.append(CodeSpan(child.content, line))
        elif child.type == "footnote_ref":
            self.ids |= {f"{kind}-{child.meta[NOTE]}" for kind in ("fn", "fnref")}

    def _text(self, child: Token) -> str:
        """Return a part of a heading as its fragment is made of: no alternative texts."""
        if child.type in ("text", "code_inline", "text_special"):
            return child.content
        if child.type == "footnote_ref":
            return str(self.notes[label_of(child.meta[NOTE])])
        return "\n" if child.type in ("softbreak", "hardbreak") else ""

    def _html(self, shown: str, base: int, cut: Cut) -> None:
        for found in html.attributes(shown):
            if html.is_anchor(found):
                self.ids.add(found.value)
            elif html.is_link(found):
                at = base + found.start
                span = cut.span(at, base + found.end)
                line = cut.line(at) + 1
                self.links.append(Link("html", found.raw, found.value, line, span, found.enclosed))

    def _link(self, token: Token, cut: Cut) -> Link:
        start, _ = token.meta[PLACE]
        line, target = cut.line(start) + 1, _target(token)
        if token.info == "auto":
            return Link("autolink", target, target, line)
        kind: Kind = "image" if token.type == "image" else "inline"
        if "label" in token.meta:
            kind = kind if kind == "image" else "reference"
            return self._referenced(kind, token.meta["label"], target, line)
        at = behind_spaces(cut.content, token.meta[LABEL_END] + 2)
        return _spanned(kind, target, line, cut, at)

    def _referenced(self, kind: Kind, label: str, target: str, line: int) -> Link:
        content, columns, at, _ = self.env["references"][label][PLACE]
        first = self.env["references"][label]["map"][0]
        return _spanned(kind, target, line, Cut(self.source, content, first, columns), at)


def _target(token: Token) -> str:
    return str(token.attrGet("href" if token.type == "link_open" else "src") or "")


def _spanned(kind: Kind, target: str, line: int, cut: Cut, at: int) -> Link:
    """Return a link whose destination begins at an offset of the cut."""
    decoded, end = destination(cut.content, at)
    enclosed = "<" if cut.content[at : at + 1] == "<" and end > at else ""
    start, end = (at + 1, end - 1) if enclosed else (at, end)
    span = cut.span(start, end) if decoded == target else None
    raw = cut.content[start:end] if decoded == target else target
    return Link(kind, raw, target, line, span, enclosed)


def _cited(tokens: Sequence[Token], env: dict[str, Any]) -> Iterator[str]:
    """Yield the labels of the footnotes that a page cites, in footnotes too."""
    for token in tokens:
        if token.type == "inline" and "[^" in token.content:
            for child in children_of(token.content, env):
                if child.type == "footnote_ref":
                    yield label_of(child.meta[NOTE])

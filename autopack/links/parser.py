"""markdown-it-py as GitHub renders, with the place of everything that leads somewhere.

CommonMark with tables, strikethrough and the rules of `gfm`. Targets stay as they are: no scheme is
refused and nothing is percent-encoded, so that a judge sees what an author wrote.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from autopack.links.gfm import note_addresses, note_definition, use_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

    InlineRule = Callable[[StateInline, bool], bool]

PLACE = "autopack_place"
"""Under this key a token's `meta` holds its start and end in the inline content."""
LABEL_END = "autopack_label_end"
"""Under this key a link's or image's `meta` holds where `]` of its text stands."""
_NESTED_BLOCKS = 100
"""Blocks within blocks; the preset's 20 are ten lists in each other, and the rest is dropped."""


@cache
def parser() -> MarkdownIt:
    """Return the parser of blocks; it leaves their content to `children_of`."""
    made = _made()
    made.options["maxNesting"] = _NESTED_BLOCKS
    return made


@cache
def _inline_parser() -> MarkdownIt:
    return _made()


def _made() -> MarkdownIt:
    from markdown_it import MarkdownIt, rules_inline
    from markdown_it.rules_block import reference

    made = MarkdownIt("commonmark", {"store_labels": True}).enable(["table", "strikethrough"])
    setattr(made, "normalizeLink", lambda url: url)  # noqa: B010
    setattr(made, "validateLink", lambda _url: True)  # noqa: B010
    for name, kind, label in (
        ("link", "link_open", 0),
        ("image", "image", 1),
        ("autolink", "link_open", None),
        ("html_inline", "html_inline", None),
        ("backticks", "code_inline", None),
    ):
        rule = getattr(rules_inline, "backtick" if name == "backticks" else name)
        made.inline.ruler.at(name, _placed(rule, kind, label))
    made.block.ruler.at("reference", _located(reference), {"alt": []})
    use_rules(made)
    made.core.ruler.disable(["inline", "text_join"])
    return made


def children_of(content: str, env: dict[str, Any]) -> list[Token]:
    """Return the inline tokens of a block's content; `parser` leaves them to whom it needs them."""
    children: list[Token] = []
    note_addresses(content, env)
    _inline_parser().inline.parse(content, _inline_parser(), env, children)
    return children


def _placed(rule: InlineRule, kind: str, label: int | None) -> InlineRule:
    """Return the rule, which also notes where its token came from.

    `label` is how many characters stand before the `[` of a text that the rule has.
    """

    def placed(state: StateInline, silent: bool) -> bool:
        at, known = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        if not silent:
            token = next((t for t in state.tokens[known:] if t.type == kind), None)
            if token is not None:
                token.meta[PLACE] = (at, state.pos)
                if label is not None:
                    find = state.md.helpers.parseLinkLabel
                    token.meta[LABEL_END] = find(state, at + label, label == 0)
        return True

    return placed


def _located(rule: Callable[[StateBlock, int, int, bool], bool]) -> Any:
    """Return the rule for definitions, which also notes where each destination stands."""

    def located(state: StateBlock, first: int, last: int, silent: bool) -> bool:
        before = len(state.env.get("references", ()))
        if not rule(state, first, last, silent):
            return False
        if not silent:
            note_definition(state)
        known = state.env.get("references", {})
        if not silent and len(known) > before:
            known[next(reversed(known))][PLACE] = _destination(state, first, state.line)
        return True

    return located


def _destination(state: StateBlock, first: int, last: int) -> tuple[str, list[int], int, int]:
    """Return a definition's content, the column of each of its lines, and its destination."""
    parts, columns = [], []
    for line in range(first, last):
        start = state.bMarks[line] + state.tShift[line]
        parts.append(state.src[start : state.eMarks[line] + 1])
        columns.append(start - (state.src.rfind("\n", 0, start) + 1))
    content = "".join(parts)
    at = 1
    while content[at] != "]":
        at += 2 if content[at] == "\\" else 1
    at = behind_spaces(content, at + 2)
    return content, columns, at, destination(content, at)[1]


def behind_spaces(content: str, at: int) -> int:
    """Return the offset of the first character from `at` that is no white space."""
    while at < len(content) and content[at] in " \t\n":
        at += 1
    return at


def destination(content: str, at: int) -> tuple[str, int]:
    """Return the destination that begins at an offset, decoded, and the offset behind it."""
    from markdown_it.helpers import parseLinkDestination

    found = parseLinkDestination(content, at, len(content))
    return (found.str, found.pos) if found.ok else ("", at)

"""What cmark-gfm, GitHub's parser, reads otherwise than markdown-it-py: rules around its own.

Footnotes; addresses without brackets, which swallow what looks like a link in them; a line of one
tag, which ends a quote or list whose last paragraph it could have gone on with; definitions of
references, which are the beginning of a paragraph; and headings that could be a table's.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

    BlockRule = Callable[[StateBlock, int, int, bool], bool]
    InlineRule = Callable[[StateInline, bool], bool]

NOTE = "footnote"
"""The tokens `footnote_open` and `footnote_close` surround a definition, `footnote_ref` cites it;
under this key their `meta` has the label."""
_NOTES = "autopack_footnotes"
_DEFINED_UP_TO = "autopack_defined_up_to"
_ADDRESSES = "autopack_addresses"
_DEFINED = re.compile(r"\[\^([^\]\s\0]+)\]:[ \t]*")
_CITED = re.compile(r"\[\^([^\]\s\0]+)\]")
_SWALLOWS = re.compile(r"(?:(?:https?|ftp)://|www\.)[^\s<]*?\[[^\s<]*", re.I)
_HOST = re.compile(r"[\w.-]+")
_OPEN = re.compile(r"\\.|(`+)(?!`).*?(?<!`)\1(?!`)|[\[\]]", re.S)


def label_of(written: str) -> str:
    """Return a footnote's label as others are compared with it."""
    return " ".join(written.split()).casefold()


def use_rules(made: MarkdownIt) -> None:
    """Teach a parser GitHub's rules."""
    from markdown_it import rules_inline
    from markdown_it.rules_block import code, html_block, table

    texts = ["paragraph", "reference"]
    rules = made.block.ruler
    rules.before("reference", "footnote_def", _definition, {"alt": [*texts, "blockquote", "list"]})
    rules.at("html_block", _ending(html_block), {"alt": [*texts, "blockquote"]})
    rules.at("table", _behind_headings(table), {"alt": texts})
    rules.at("code", _not_behind_definitions(code))
    made.inline.ruler.after("image", "footnote_ref", _citation)
    made.inline.ruler.at("text", _swallowing(rules_inline.text))


# --- footnotes --------------------------------------------------------------------------------


def _definition(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """Read `[^label]:` and what is indented by four behind it."""
    if state.is_code_block(first):
        return False
    start = state.bMarks[first] + state.tShift[first]
    found = _DEFINED.match(state.src, start, state.eMarks[first])
    if found is None:
        return False
    if not silent:
        label = label_of(found[1])
        state.env.setdefault(_NOTES, set()).add(label)
        state.push("footnote_open", "", 1).meta[NOTE] = label
        _inside(state, first, last, found.end())
        state.push("footnote_close", "", -1).meta[NOTE] = label
    return True


def _inside(state: StateBlock, first: int, last: int, at: int) -> None:
    """Read the blocks of a definition whose text begins at an offset of its first line."""
    kept = (state.bMarks[first], state.tShift[first], state.sCount[first])
    kept_state = (state.parentType, state.lineMax)
    state.blkIndent += 4
    state.bMarks[first], state.tShift[first], state.sCount[first] = at, 0, state.blkIndent
    state.parentType, state.lineMax = NOTE, _end(state, first, last)
    state.md.block.tokenize(state, first, state.lineMax)
    state.blkIndent -= 4
    state.bMarks[first], state.tShift[first], state.sCount[first] = kept
    state.parentType, state.lineMax = kept_state


def _end(state: StateBlock, first: int, last: int) -> int:
    """Return the line that ends a definition at the latest: one of some spaces, but not enough."""
    behind_empty = False
    for line in range(first + 1, last):
        outside, empty = state.sCount[line] < state.blkIndent, state.isEmpty(line)
        if outside and (state.bMarks[line] < state.eMarks[line] if empty else behind_empty):
            return line
        behind_empty = empty
    return last


def _citation(state: StateInline, silent: bool) -> bool:
    """Read `[^label]` where there is such a definition; a link of that text came before."""
    if not state.src.startswith("[^", state.pos):
        return False
    found = _CITED.match(state.src, state.pos, state.posMax)
    if found is None or label_of(found[1]) not in state.env.get(_NOTES, ()):
        return False
    if not silent:
        state.push("footnote_ref", "", 0).meta[NOTE] = found[1]
    state.pos = found.end()
    return True


# --- addresses --------------------------------------------------------------------------------


def note_addresses(content: str, env: dict[str, Any]) -> None:
    """Note the addresses of a block's content that have a bracket in them, for `text`."""
    env[_ADDRESSES] = list(_addresses(content)) if "[" in content else []


def _addresses(content: str) -> Iterator[tuple[int, int]]:
    """Yield where addresses begin and end; where a bracket is open, none is looked for."""
    at = depth = 0
    for found in _SWALLOWS.finditer(content):
        start = found.start()
        for sign in _OPEN.finditer(content, at, start):
            depth += {"[": 1, "]": -min(depth, 1)}.get(sign[0], 0)
        at = start
        if not depth and _may_begin(content, start, found[0]):
            at = start + _length(found[0])
            yield start, at


def _may_begin(content: str, start: int, text: str) -> bool:
    before = content[start - 1] if start else " "
    if text[:4] == "www.":
        host = _HOST.match(text)
        labels = host[0].split(".") if host else []
        return (before in "*_~(" or before.isspace()) and not any("_" in x for x in labels[-2:])
    behind = text[text.find("//") + 2 :]
    bare = not (before.isascii() and before.isalpha())
    return bare and behind[:1].isalnum() and text[:3].lower() != "www"


def _length(text: str) -> int:
    """Return how much of a text is the address: no closing signs that belong to the sentence."""
    end = len(text)
    while end and (
        text[end - 1] in "?!.,:*_~'\";"
        or (text[end - 1] == ")" and text.count(")", 0, end) > text.count("(", 0, end))
    ):
        end -= 1
    return end


def _swallowing(rule: InlineRule) -> InlineRule:
    """Return the rule for plain text, which goes on to the end of an address."""

    def text(state: StateInline, silent: bool) -> bool:
        start = state.pos
        if not rule(state, silent):
            return False
        known = state.env.get(_ADDRESSES)
        if known:
            nearest = bisect_left(known, (state.pos, 0)) - 1  # the last that began before here
            begins, ends = known[nearest]
            if nearest >= 0 and start <= begins < state.pos < ends <= state.posMax:
                if not silent:
                    state.pending += state.src[state.pos : ends]
                state.pos = ends
        return True

    return text


# --- blocks -----------------------------------------------------------------------------------


def _behind_headings(rule: BlockRule) -> BlockRule:
    """Return the rule for tables, which leaves what `---` underlines to be a heading."""

    def table(state: StateBlock, first: int, last: int, silent: bool) -> bool:
        if first + 1 < last:
            start = state.bMarks[first + 1] + state.tShift[first + 1]
            if not state.src[start : state.eMarks[first + 1]].rstrip(" \t").strip("-"):
                return False
        return rule(state, first, last, silent)

    return table


def note_definition(state: StateBlock) -> None:
    """Note that a definition ends where the parser stands."""
    state.env[_DEFINED_UP_TO] = state.line


def _goes_on(state: StateBlock, line: int) -> bool:
    """Return whether a line goes on with a paragraph that has been nothing but definitions."""
    return state.env.get(_DEFINED_UP_TO) == line and state.sCount[line] >= state.blkIndent


def _not_behind_definitions(rule: BlockRule) -> BlockRule:
    """Return the rule for indented code, which no paragraph can be followed by at once."""

    def code(state: StateBlock, first: int, last: int, silent: bool) -> bool:
        return not _goes_on(state, first) and rule(state, first, last, silent)

    return code


def _ending(rule: BlockRule) -> BlockRule:
    """Return the rule for HTML, where a lone tag begins a block unless a paragraph goes on."""
    from markdown_it.rules_block.html_block import HTML_SEQUENCES

    lone_tag = HTML_SEQUENCES[-1][0]

    def html_block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
        if not silent and _goes_on(state, first) and not rule(state, first, last, True):
            return False
        if rule(state, first, last, silent):
            return True
        lazy = state.sCount[first] < state.blkIndent or state.parentType == "blockquote"
        if not (silent and lazy) or state.is_code_block(first):
            return False
        start = state.bMarks[first] + state.tShift[first]
        return lone_tag.search(state.src[start : state.eMarks[first]]) is not None

    return html_block

"""Read a plain page without a parser: exactly what the parser would find, or nothing at all.

Most pages use little of Markdown: headings, prose, lists, tables, fences at the margin, code spans
and inline links on one line. The scanner reads those and declines a page that has anything of
which it is not sure; that page is the parser's. So no link is overlooked and no count is wrong, and
what is declined costs time only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from autopack.links.anchors import fragments
from autopack.links.model import CodeSpan, Kind, Link, Page
from autopack.links.places import Source

_OPENED = re.compile(r"^(`{3,}|~{3,})(.*)$", re.M)
_MASK = "\x01"
"""Stands for each character of a code span: nothing in one means anything."""
_CODE = re.compile(r"(`(?<!``)`*)(?!`)(.+?)(?<!`)\1(?!`)")
# Patterns begin with what is rare, or with one sure character: only then is the search fast.
_ODD = re.compile(r"[`\\\0\f\v\x1c-\x1e\x85\u2028\u2029]")
"""Escapes, unpaired backticks, and what may end a line to somebody."""
_DECLINED = re.compile(
    r"""
      <[A-Za-z/!?]                             # HTML, autolinks, comments
    | &[#\w]+;                                 # entities
    | \]:                                      # definitions, footnotes
    """,
    re.X,
)
_DECLINED_LINE = re.compile(
    r"""\n(?:
      [ >*+\-\d.)]*\t | \#.*\t                 # columns that depend on tabs
    | [ >*+\-\d.)]+(?:~{3}|\#{1,6}(?:\ |$))    # a fence or heading that is not at the margin
    | [ >]*(?:=+\ *$|:-)                       # what may underline a heading or a table's head
    | (?=[ >*+\-\d.)]*?\ {4}).*[\[\x01]        # what may be code, with something in it
    )""",
    re.M | re.X,
)
_UNDERLINE = re.compile(r"\n(?<=[^\n]\n)[ >*+\d.)]*-[ \-]*$", re.M)
_SWALLOWING = re.compile(r"(?:://|www\.)[^\s<]*?\[", re.I)
"""A bare address with a bracket: on GitHub it may hold what looks like a link."""
_HARD = (_ODD, _DECLINED, _DECLINED_LINE, _UNDERLINE, _SWALLOWING)
_HEADING = re.compile(r"^#{1,6}(?: (.*))?$", re.M)
_CLOSING = re.compile(r"(?:^| )#+$")
_MARKED = re.compile(r"[*~!\[\]&<|]|(?<!\w)_|_(?!\w)")
"""What may be emphasis, a link, an entity or a table in a heading."""
_LEADING = re.compile(r"^[^\n\[]*\[.*$", re.M)
_WORD = r"[^\s()<>\x00-\x20\x7f]*"
_LINK = re.compile(
    rf"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(({_WORD}(?:\({_WORD}\){_WORD})*)"
    r"(?: +(?:\"[^\"]*\"|'[^']*'))? *\)"
)
_PAIR = re.compile(r"\[[^\[\]]*\]")
_NESTED = 3
_DELIMITERS = re.compile(r"^[ >]*[|:\-][|: \-]*$", re.M)


class _Unsure(Exception):
    """The page has something that only the parser can tell."""


def scan(path: str, data: bytes) -> Page | None:
    """Return what a page holds, if the scanner is sure of all of it; its links have no span."""
    try:
        text = _without_fences(_text(data))
        masked, code = _without_code(text)
        if any(hard.search(f"\n{masked}") for hard in _HARD):
            return None
        _check_tables(masked)
        headings = [_heading(text, found) for found in _HEADING.finditer(masked)]
        links = tuple(_links(masked))
    except _Unsure:
        return None
    return Page(path, links, frozenset(fragments(headings)), tuple(code))


def _text(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _Unsure from None
    if text.startswith(("\ufeff", "---")):
        text = Source(data).markdown
    text = text.replace("\r\n", "\n")
    if "\r" in text:  # a line's end by itself, in fences too
        raise _Unsure
    return text


def _without_fences(text: str) -> str:
    """Return the text with blank lines for every fence at the margin.

    Such a line ends all lists and quotes, so it opens a fence whatever stands in front of it.
    """
    kept, at = [], 0
    while opened := _OPENED.search(text, at):
        mark = opened[1]
        if "|" in opened[2] or (mark[0] == "`" and "`" in opened[2]):
            raise _Unsure  # it may be the head of a table, which comes first, or a code span
        closed = _closing(mark[0], len(mark)).search(text, opened.end())
        end = closed.end() if closed else len(text)
        kept += [text[at : opened.start()], "\n" * text.count("\n", opened.start(), end)]
        at = end
    return "".join([*kept, text[at:]])


@cache
def _closing(char: str, length: int) -> re.Pattern[str]:
    return re.compile(rf"^ {{0,3}}{char}{{{length},}}[ \t]*$", re.M)


def _without_code(text: str) -> tuple[str, list[CodeSpan]]:
    """Return the text with its code spans masked, and the spans; each is on one line."""
    spans: list[CodeSpan] = []
    kept, at, line = [], 0, 1
    for found in _CODE.finditer(text):
        if "|" in found[2]:  # a table would cut it there
            raise _Unsure
        line += text.count("\n", at, found.start())
        spans.append(CodeSpan(_content(found[2]), line))
        kept += [text[at : found.start()], _MASK * len(found[0])]
        at = found.end()
    return "".join([*kept, text[at:]]), spans


def _content(code: str) -> str:
    """Return the text of a code span: one space off at both ends, if it is not all spaces."""
    padded = code[0] == code[-1] == " " and code.strip(" ")
    return code[1:-1] if padded else code


def _heading(text: str, found: re.Match[str]) -> str:
    """Return a heading's text; what may be emphasis or a link in it is beyond the scanner."""
    if found[1] is None:
        return ""
    masked = found[1].rstrip(" ")
    masked = _CLOSING.sub("", masked)
    if _MARKED.search(masked):  # with `|` it may be the head of a table, which comes first
        raise _Unsure
    start = found.start(1)
    heading = text[start : start + len(masked)].strip(" ")
    return _CODE.sub(lambda span: _content(span[2]), heading)


def _links(masked: str) -> Iterator[Link]:
    """Yield the inline links of every line; without definitions there are no others."""
    line, at = 1, 0
    for found in _LEADING.finditer(masked):
        line += masked.count("\n", at, found.start())
        at = found.start()
        yield from _links_of(found[0], line)


def _links_of(words: str, line: int) -> Iterator[Link]:
    rest, at = [], 0
    for found in _LINK.finditer(words):
        if "](" in found[2] or _MASK in found[3] or "|" in found[0]:
            raise _Unsure
        rest.append(words[at : found.start()])
        at = found.end()
        kind: Kind = "image" if found[1] else "inline"
        yield Link(kind, found[3], found[3], line)
    left = "\x02".join([*rest, words[at:]])
    if "](" in left:
        raise _Unsure
    for _ in range(_NESTED):
        left = _PAIR.sub("\x02", left)
    if "[" in left:  # what is not closed on its line may be closed on another
        raise _Unsure


def _check_tables(masked: str) -> None:
    """Decline a row with more cells than its table has columns: they are not shown."""
    checked = 0
    for found in _DELIMITERS.finditer(masked):
        if "|" not in found[0] or "-" not in found[0]:
            continue
        if found.start() < checked:  # which of the two begins a table is beyond the scanner
            raise _Unsure
        end = masked.find("\n\n", found.end())
        checked = end if end >= 0 else len(masked)
        columns = _cells(found[0])
        for row in masked[found.end() : checked].split("\n"):
            if _cells(row) > columns and ("[" in row or _MASK in row):
                raise _Unsure


def _cells(row: str) -> int:
    row = row.strip(" >")
    return row.removeprefix("|").removesuffix("|").count("|") + 1

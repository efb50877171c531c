"""Fragments of headings by GitHub's rule (html-pipeline's table of contents, github-slugger)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from autopack.links.model import Page

_WORD = frozenset({"Nd", "Nl", "Pc"})
_CIRCLED = ((0x24B6, 0x24E9), (0x1F130, 0x1F149), (0x1F150, 0x1F169), (0x1F170, 0x1F189))
"""Letters in circles and squares: symbols by category, letters to `\\p{Word}`."""
_PREFIX = "user-content-"
_LINES = re.compile(r"L\d+(C\d+)?(-L?\d+(C\d+)?)?")


def slug(heading: str, strip: bool = True) -> str:
    """Return the fragment of a heading's text: lower case, word characters, `-` for each space."""
    text = heading.strip() if strip else heading
    kept = (c for c in text.lower() if c in "- " or _is_word(c))
    return "".join(kept).replace(" ", "-")


def _is_word(char: str) -> bool:
    category = unicodedata.category(char)
    if category[0] in "LM" or category in _WORD:
        return True
    return category == "So" and any(low <= ord(char) <= high for low, high in _CIRCLED)


def fragments(headings: Iterable[str]) -> Iterator[str]:
    """Yield the fragments of a page's headings, in order, under every rule there is.

    html-pipeline counts equal slugs; github-slugger also steps over a number that a heading has
    by itself. A space that is left at an end by an image or comment is `-` or nothing. Which one
    a renderer uses cannot be seen, so each is right.
    """
    counted: dict[str, int] = {}
    taken: dict[str, int] = {}
    for heading in headings:
        plain = slug(heading)
        yield _counted(plain, counted)
        yield _free(plain, taken)
        spaced = slug(heading, strip=False)
        if spaced != plain:
            yield _counted(spaced, counted)


def _counted(plain: str, counted: dict[str, int]) -> str:
    again = counted[plain] = counted.get(plain, -1) + 1
    return f"{plain}-{again}" if again else plain


def _free(plain: str, taken: dict[str, int]) -> str:
    found = plain
    while found in taken:
        taken[plain] += 1
        found = f"{plain}-{taken[plain]}"
    taken[found] = 0
    return found


def leads_into(page: Page, fragment: str) -> bool:
    """Return whether a decoded fragment leads to a place in a page.

    `top` and the empty fragment are its top, `:~:text=` is looked up by the browser.
    """
    name = plain_name(fragment)
    return not name or name in page.anchors


def plain_name(fragment: str) -> str:
    """Return the heading or id that a decoded fragment names, "" where it names a page's top."""
    name = fragment.partition(":~:")[0].removeprefix(_PREFIX)
    return "" if name == "top" else name


def is_lines(fragment: str) -> bool:
    """Return whether a fragment names lines of a source file, such as `L10-L20`."""
    return _LINES.fullmatch(fragment) is not None

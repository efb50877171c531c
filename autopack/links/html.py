"""Links, ids and headings in raw HTML, as far as GitHub's sanitizer leaves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|textarea|title)\b.*?(?:</\1\s*>|\Z)", re.S | re.I
)
# Possessive, so that no page takes more than a look at each of its characters.
_TAG = re.compile(
    r"<([a-zA-Z][\w-]*+)((?>\s++|/|[^\s\"'<>/=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'=<>`]++))*+)>"
)
_ATTRIBUTE = re.compile(
    r"(?<![^\s/\"'])([^\s\"'<>/=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+))"
)
_HEADING = re.compile(r"<h([1-6])\b[^<>]*+>(.{0,1000}?)</h\1\s*>", re.S | re.I)
_ANY_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its tag and name in lower case, its raw value and where that stands."""

    tag: str
    name: str
    raw: str
    start: int
    end: int
    enclosed: str

    @property
    def value(self) -> str:
        """The value with entities decoded and outer spaces off."""
        return unescape(self.raw).strip()


def shown(html: str) -> str:
    """Return the HTML with spaces where comments and scripts stand; offsets stay."""
    return _HIDDEN.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), html)


def attributes(html: str) -> Iterator[Attribute]:
    """Yield the attributes of every tag of HTML whose comments are gone, in order."""
    for tag in _TAG.finditer(html):
        for found in _ATTRIBUTE.finditer(html, tag.start(2), tag.end(2)):
            group = next(n for n in (2, 3, 4) if found[n] is not None)
            enclosed = {2: '"', 3: "'"}.get(group, "")
            yield Attribute(
                tag[1].lower(), found[1].lower(), found[group], *found.span(group), enclosed
            )


def is_link(attribute: Attribute) -> bool:
    """Return whether an attribute leads somewhere: `href` of a link or area, any `src`."""
    return (attribute.name == "href" and attribute.tag in ("a", "area")) or (
        attribute.name == "src" and attribute.tag in _SOURCES
    )


_SOURCES = frozenset({"img", "video", "audio", "source"})


def is_anchor(attribute: Attribute) -> bool:
    """Return whether an attribute is a place to lead to: any `id`, and `name` of a link."""
    return attribute.name == "id" or (attribute.name == "name" and attribute.tag == "a")


def headings(html: str) -> Iterator[str]:
    """Yield the text of every heading that is written as HTML."""
    for found in _HEADING.finditer(html):
        yield unescape(_ANY_TAG.sub("", found[2]))

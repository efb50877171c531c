"""Links, ids and headings in raw HTML, as far as GitHub's sanitizer leaves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_HIDDEN = re.compile(r"<!--(?:(-?>|.*?--!?>)|.*)|<[!?][^>]*>?", re.S)
_MASK = "\x7f"
_FILTERED = frozenset({
    "title", "textarea", "style", "xmp", "iframe", "noembed", "noframes", "script", "plaintext",
})  # fmt: skip
"""Tags that GFM shows as text (6.11); what stands between them is read like anything else."""
# Possessive, so that no page takes more than a look at each of its characters.
_TAG = re.compile(
    r"<([a-zA-Z][\w-]*+)((?>\s++|/|[^\s\"'<>/=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'=<>`]++))*+)>"
)
_ATTRIBUTE = re.compile(
    r"(?<![^\s/\"'])([^\s\"'<>/=]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+))"
)
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*+)[^<>]*+>")
_LEVELS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})


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


class Shown:
    """What a browser shows of a page's HTML, piece by piece: a comment may go on over blocks."""

    def __init__(self) -> None:
        self.hidden = False

    def of(self, html: str) -> str:
        """Return HTML with a mask where comments and declarations stand; offsets stay."""
        opened = "<!--" if self.hidden else ""
        text = _HIDDEN.sub(self._blank, opened + html)
        return text[len(opened) :]

    def _blank(self, match: re.Match[str]) -> str:
        if match[0].startswith("<!--"):
            self.hidden = match[1] is None
        return re.sub(r"[^\n]", _MASK, match[0])


def attributes(html: str) -> Iterator[Attribute]:
    """Yield the attributes of every tag of HTML whose comments are gone, in order."""
    for tag in _TAG.finditer(html):
        if tag[1].lower() in _FILTERED:
            continue
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
    """Return whether an attribute is a place to lead to."""
    return attribute.name in ("id", "name")


class Headings:
    """The headings of a page, in order; one in HTML may hold Markdown, over several blocks."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._open: list[str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether a heading has begun and not ended."""
        return self._open is not None

    def begin(self) -> None:
        """Open a heading; one in another ends that."""
        self.end()
        self._open = []

    def text(self, text: str) -> None:
        """Add text to the heading that is open, if one is."""
        if self._open is not None:
            self._open.append(text.replace(_MASK, ""))

    def html(self, html: str) -> None:
        """Read HTML whose comments are gone: where headings begin and end, and text between."""
        at = 0
        for tag in _ANY_TAG.finditer(html):
            name = tag[2].lower()
            self.text(unescape(html[at : tag.start()]))
            at = tag.end()
            if name in _FILTERED:
                self.text(tag[0])
            elif name in _LEVELS:
                (self.end if tag[1] else self.begin)()
        self.text(unescape(html[at:]))

    def end(self) -> None:
        """Close the heading that is open, if one is."""
        if self._open is not None:
            self.texts.append("".join(self._open))
            self._open = None

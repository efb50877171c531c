"""A second reading of a page: what markdown-it-py renders, read by Python's HTML parser."""

from __future__ import annotations

from html.parser import HTMLParser

from markdown_it import MarkdownIt


class Rendered(HTMLParser):
    """The links, headings and ids of a page's HTML."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.headings: list[str] = []
        self.ids: set[str] = set()
        self._open = 0
        made = MarkdownIt("commonmark").enable(["table", "strikethrough"])
        made.validateLink = lambda _url: True
        self.feed(made.render(text))
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag in ("a", "area") and values.get("href") is not None:
            self.links.append(values["href"].strip())
        if tag in ("img", "video", "audio", "source") and values.get("src") is not None:
            self.links.append(values["src"].strip())
        self.ids |= {values[name] for name in ("id", "name") if values.get(name)}
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append("")
            self._open += 1

    def handle_endtag(self, tag):
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self._open -= 1

    def handle_data(self, data):
        if self._open > 0:
            self.headings[-1] += data

"""A second reading of a page: what markdown-it-py renders, read by Python's HTML parser."""

from __future__ import annotations

import os
import posixpath
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

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


class Oracle:
    """A second judge: rendered HTML, the disk itself, and a slug rule of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def broken(self, page: str) -> tuple[Counter[str], Counter[str]]:
        """Return the targets of a page that lead to no file, and to no heading."""
        files: Counter[str] = Counter()
        anchors: Counter[str] = Counter()
        for link in self._rendered(page).links:
            if re.match(r"(?:https?|mailto|file):|//", link):
                continue
            path, _, fragment = unquote(link).partition("#")
            base = "" if path.startswith("/") else posixpath.dirname(page)
            there = posixpath.join(base, path.lstrip("/")) if path else page
            there = os.path.normpath(there).replace(os.sep, "/")
            if there.startswith("..") or not (self.root / there).exists():
                files[unquote(link)] += 1
            elif fragment and there.endswith(".md") and fragment not in self._anchors(there):
                anchors[unquote(link)] += 1
        return files, anchors

    def _rendered(self, page: str) -> Rendered:
        return Rendered((self.root / page).read_text(encoding="utf-8"))

    def _anchors(self, page: str) -> set[str]:
        rendered, seen = self._rendered(page), Counter()
        for heading in rendered.headings:
            plain = re.sub(r"[^\w\ufe0f\u20e3\- ]", "", heading.strip().lower()).replace(" ", "-")
            rendered.ids.add(f"{plain}-{seen[plain]}" if seen[plain] else plain)
            seen[plain] += 1
        return rendered.ids

"""Commands, links and headings of a Markdown page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

_EXITS = re.compile(r"#.*\bexits? (\d+)\b")


@dataclass(frozen=True)
class Command:
    """One command a page tells its reader to run, and the exit code it is said to have."""

    line: int
    text: str
    exits: int = 0


def _tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def commands(text: str) -> list[Command]:
    """Return the commands of every `bash` block, and those after `$` in `console` blocks.

    A line that ends in a backslash goes on; a comment line is none; `# exits 1` at a command's
    end says which exit code it has.
    """
    found = []
    for token in _tokens(text):
        language = token.info.split(" ")[0] if token.type == "fence" else ""
        if language not in ("bash", "console"):
            continue
        assert token.map is not None
        for offset, line in _logical_lines(token.content):
            prompt = line.startswith("$ ")
            if language == "console" and not prompt:
                continue
            shown = line.removeprefix("$ ").strip()
            if shown and not shown.startswith("#"):
                code = _EXITS.search(shown)
                number = token.map[0] + 2 + offset
                found.append(Command(number, shown, int(code[1]) if code else 0))
    return found


def _logical_lines(block: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    start, held = 0, ""
    for number, line in enumerate(block.splitlines()):
        start = start if held else number
        if line.endswith("\\"):
            held += line[:-1]
            continue
        lines.append((start, held + line))
        held = ""
    return lines


def links(text: str) -> list[str]:
    """Return the target of every link and image, in order."""
    found = []
    for token in _tokens(text):
        for child in token.children or []:
            target = child.attrs.get("href") or child.attrs.get("src")
            if child.type in ("link_open", "image") and target:
                found.append(str(target))
    return found


def headings(text: str) -> list[str]:
    """Return the text of every heading, in order."""
    tokens = _tokens(text)
    return [
        "".join(child.content for child in tokens[at + 1].children or [])
        for at, token in enumerate(tokens)
        if token.type == "heading_open"
    ]


def anchors(text: str) -> set[str]:
    """Return the fragment of every heading, as GitHub makes them."""
    made: set[str] = set()
    for heading in headings(text):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        again = 0
        while (name := f"{slug}-{again}" if again else slug) in made:
            again += 1
        made.add(name)
    return made


def broken_links(page: Path, root: Path) -> list[str]:
    """Return the relative links of a page whose file or heading is not there."""
    text = page.read_text(encoding="utf-8")
    broken = []
    for link in links(text):
        if re.match(r"[a-z][a-z0-9+.-]*:|//", link):
            continue
        name, _, fragment = unquote(link).partition("#")
        target = (page.parent / name).resolve() if name else page.resolve()
        if not target.exists() or not target.is_relative_to(root.resolve()):
            broken.append(link)
        elif fragment and target.suffix == ".md":
            there = text if target == page.resolve() else target.read_text(encoding="utf-8")
            broken += [] if fragment in anchors(there) else [link]
    return broken

"""Backlog items: why, what, what not, when it is done, how it fails, and what proves it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from autopack.report import Finding

FIELDS = {
    "Why": "what pain it solves, and who has it",
    "Scope": "what will be changed: files, commands, flags",
    "Non-goals": "what is explicitly not included",
    "Acceptance criteria": "measurable conditions of success",
    "Failure modes": "how it should fail, and how it must not",
    "Environment assumptions": "variables and services that it needs, and which are optional",
    "CI coverage plan": "what runs always, what scheduled, what optional",
}
"""The parts of an item, in order, and what each is for."""
_CADENCES = re.compile(r"\b(?:always|scheduled|optional)", re.I)
_PLACEHOLDER = re.compile(r"<[^<>\n]+>|\bTO ?DO\b|\bTBD\b")
_NUMBERED = re.compile(r"\d+\.\d+[\w.]*\s")
_BY_NAME = {re.sub(r"\W", "", name).lower(): name for name in FIELDS}


@dataclass
class Item:
    """One item: the heading it is under, the heading's line, and the text of each part."""

    title: str
    line: int
    level: int
    parts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def is_item(self) -> bool:
        """Whether this heading begins an item: it has a part, or a number such as 1.2."""
        return bool(self.parts) or bool(_NUMBERED.match(self.title))


def template() -> str:
    """Return a new item to fill in."""
    parts = "\n".join(f"- **{name}**: <{what}>" for name, what in FIELDS.items())
    return f"### <number and title>\n\n{parts}\n"


def check_backlog(path: str, text: str) -> tuple[int, list[Finding]]:
    """Return how many items a page has, and what they lack; a page without one is an error."""
    items = [item for item in read_items(text) if item.is_item]
    if not items:
        words = "there is no backlog item: a heading with parts such as **Why**:"
        fix = "python -m flows.preflight backlog --template"
        return 0, [Finding("no_items", "error", path, None, words, fix)]
    return len(items), [finding for item in items for finding in _faults(path, item)]


def _faults(path: str, item: Item) -> Iterator[Finding]:
    missing = [name for name in FIELDS if name not in item.parts]
    if missing:
        words = f"{item.title!r} lacks {', '.join(missing)}"
        fix = "python -m flows.preflight backlog --template"
        yield Finding("missing_part", "error", path, item.line, words, fix)
    for name, text in item.parts.items():
        line = item.lines[name]
        if not text.strip():
            yield Finding("empty_part", "error", path, line, f"{name} says nothing")
        elif _PLACEHOLDER.search(text):
            yield Finding("placeholder", "error", path, line, f"{name} is still to be filled in")
        elif name == "CI coverage plan" and not _CADENCES.search(text):
            words = "the CI coverage plan does not say what runs always, scheduled or optional"
            yield Finding("no_cadence", "error", path, line, words)


def read_items(text: str) -> list[Item]:
    """Return every heading of a page with the parts that stand under it.

    A part is a bold label that begins a paragraph or list item (`**Why**: …`), or a heading below
    the item's own.
    """
    from markdown_it import MarkdownIt

    items: list[Item] = []
    current = ""
    tokens = MarkdownIt("commonmark").parse(text)
    for n, token in enumerate(tokens):
        line = (token.map or [0])[0] + 1
        if token.type == "heading_open":
            title, level = tokens[n + 1].content, int(token.tag[1])
            name = _BY_NAME.get(re.sub(r"\W", "", title).lower())
            if name and items and level > items[-1].level:
                items[-1].parts[name], items[-1].lines[name] = "", line
                current = name
            else:
                items.append(Item(title, line, level))
                current = ""
        elif items and token.type == "inline" and tokens[n - 1].type != "heading_open":
            current = _take(items[-1], token.content, line, current)
        elif items and current and token.type in ("fence", "code_block"):
            items[-1].parts[current] += token.content
    return items


def _take(item: Item, content: str, line: int, current: str) -> str:
    """Add a paragraph to the part that it begins or goes on with; return that part's name."""
    label = re.match(r"\*\*(?P<name>[^*]+?)\s*:?\*\*\s*:?\s*", content)
    name = _BY_NAME.get(re.sub(r"\W", "", label["name"]).lower()) if label else None
    if label and name:
        item.parts[name], item.lines[name] = content[label.end() :], line
        return name
    if label and content[: label.end()].rstrip().endswith((":", "**")) and _is_label(label["name"]):
        return ""  # another label ends the part
    if current:
        item.parts[current] += f"\n{content}"
    return current


def _is_label(name: str) -> bool:
    return len(name.split()) <= 4 and name[:1].isupper()

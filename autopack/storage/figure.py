"""The rectangles as data for plotly.js: a treemap, or several as parts of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from autopack.render import printable, size
from autopack.storage.names import shown
from autopack.storage.page import day, summed
from autopack.storage.picture import Picture
from autopack.storage.treemap import Node
from autopack.storage.uses import PROTECTED, UNSEEN


@dataclass
class _Columns:
    """The columns of the trace; plotly.js reads `label` and `text` as HTML of its own kind."""

    ids: list[str] = field(default_factory=list)
    parents: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    use: list[str] = field(default_factory=list)


def figure(pictures: Sequence[Picture]) -> dict[str, Any]:
    """Return the columns of the treemap, and `legend`: what its colours stand for, in order."""
    columns = _Columns()
    drawn = [picture for picture in pictures if picture.nodes]
    several = len(drawn) > 1
    if several:
        allocated = sum(picture.nodes[0].allocated for picture in drawn)
        _add(columns, "all", "", "all roots", allocated, "", "")
    for n, picture in enumerate(drawn):
        for at, node in enumerate(picture.nodes):
            around = "all" if several else ""
            parent = around if node.parent is None else f"{n}.{node.parent}"
            label = _label(picture, node)
            _add(columns, f"{n}.{at}", parent, label, node.allocated, _hover(node), node.use)
    return {**vars(columns), "legend": legend(pictures, columns.use)}


def legend(pictures: Sequence[Picture], used: Sequence[str]) -> list[str]:
    """Return the words that colours stand for: the heaviest category first, then the fixed ones."""
    there = set(used)
    own = [use.category for use in summed(pictures) if use.category in there]
    return [*own, *(word for word in (PROTECTED, UNSEEN) if word in there)]


def _add(columns: _Columns, *cells: Any) -> None:
    for column, cell in zip(vars(columns).values(), cells, strict=True):
        column.append(cell)


def _label(picture: Picture, node: Node) -> str:
    if node.rest:
        return f"{node.entries:,} smaller"
    name = node.path.rpartition("/")[2] if node.path else picture.root
    return _plain(shown(name))


def _hover(node: Node) -> str:
    path = _plain(shown(node.path) or ".")
    lines = [f"the rest of {path}" if node.rest else f"<b>{path}</b>"]
    lines.append(f"{size(node.allocated)} allocated, {size(node.size)} apparent")
    if node.entries > 1:
        lines.append(f"{node.entries:,} entries")
    lines.append(f"last modified {day(node.newest_ns)}")
    return "<br>".join([*lines, *([_plain(node.use)] if node.use else [])])


def _plain(words: str) -> str:
    return escape(printable(words), quote=False)

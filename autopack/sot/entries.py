"""Entries as search sees them: their keys, titles and links."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from autopack.sot.ids import point_id
from autopack.sot.ledgers import Ledger
from autopack.sot.segment import cells_of
from autopack.sot.segments import Kind, Segments

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

HEAD_BYTES = 200
_ROW_KINDS = frozenset({Kind.ROW, Kind.NON_ID_ROW, Kind.STRAY_ROW})


@dataclass(frozen=True)
class Key:
    """The key of one entry of a file: kind, id and its ordinal among equal ones, from 1."""

    kind: int
    ident: str
    ordinal: int


def keyed(segments: Segments, idents: Set[str] | None = None) -> Iterator[tuple[int, Key]]:
    """Yield the index and key of every searched segment; `idents` limits it to these ids."""
    seen: Counter[tuple[int, str]] = Counter()
    for i, ident in enumerate(segments.idents):
        if ident and (idents is None or ident in idents):
            kind = segments.kinds[i]
            seen[kind, ident] += 1
            yield i, Key(kind, ident, seen[kind, ident])


def key_id(ledger: Ledger, key: Key) -> str:
    """Return the vector id of an entry."""
    return point_id(ledger.path, Kind(key.kind).name.lower(), key.ident, key.ordinal)


def entry_id(ledger: Ledger, ident: str) -> str:
    """Return the id a person uses: the ledger's own id, or `LEDGER#slug` where there is none."""
    own = ledger.prefix and ident.startswith(f"{ledger.prefix}-")
    return ident if own else f"{ledger.stem}#{ident}"


def payload(ledger: Ledger, key: Key, content: bytes, digest: str) -> dict[str, Any]:
    """Return what the vector index stores beside an entry's vector."""
    text = content.decode("utf-8", "replace")
    first = text.partition("\n")[0].rstrip("\r")
    return {
        "entry_id": entry_id(ledger, key.ident),
        "ledger": ledger.stem,
        "kind": Kind(key.kind).name.lower(),
        "ordinal": key.ordinal,
        "path": ledger.path,
        "title": title(ledger, key, first),
        "head": (first if ledger.suffix == ".md" else text)
        .encode()[:HEAD_BYTES]
        .decode("utf-8", "ignore"),
        "links": links(text) if ledger.suffix == ".md" else [],
        "digest": digest,
    }


def title(ledger: Ledger, key: Key, first_line: str) -> str:
    """Return an entry's title as plain text: the cell or heading text behind id and date."""
    if ledger.suffix == ".json":
        return key.ident
    if key.kind in _ROW_KINDS:
        row = first_line.strip().strip("|").encode()
        cells = [cell.decode().replace("\\|", "|").strip() for cell in cells_of(row)]
        at = ledger.title_column
        text = cells[at] if len(cells) > at else first_line
    else:
        text = first_line.lstrip("\ufeff#").strip()
        text = text.removeprefix(key.ident).strip(" \t|:-")
        text = re.sub(r"^\d{4}-\d\d-\d\d(T[\d:]+)?\s*\|?\s*", "", text)
        text = text.partition("|")[2].strip() or text  # a category may stand in front
        text = text.strip(" \t:|")
    return _plain(text)[:160] or key.ident


def links(text: str) -> list[str]:
    """Return the targets of an entry's links and images, as CommonMark sees them."""
    if "](" not in text and "]: " not in text and "<http" not in text:
        return []
    found = []
    for token in _markdown().parse(text):
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src")
            if target:
                found.append(str(target))
    return found


def _plain(text: str) -> str:
    tokens = _markdown().parseInline(text)
    children = tokens[0].children or [] if tokens else []
    return "".join(
        child.content or (" " if child.type == "softbreak" else "") for child in children
    )


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")

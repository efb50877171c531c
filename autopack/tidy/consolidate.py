"""What becomes of Markdown in the archive: an entry, `superseded/`, or a person's decision."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal

from autopack.tidy.config import Config, Consolidation

Entry = Literal["build", "decision", "debug"]
PREFIXES: Mapping[str, Entry] = {"BUILD": "build", "DEC": "decision", "DBG": "debug"}
_IDS = re.compile(r"\b(BUILD|DEC|DBG)[-_]?(\d+)((?:-\d+)*)(?!\d)")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.M)
_LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_EXCERPT = 400
HEAD_LINES = 12
"""How many lines of a page say what it is about."""


@dataclass(frozen=True)
class Fate:
    """What becomes of a page, by which rule and why; `entry` names the ledger that gets one."""

    path: str
    kind: Literal["keep", "superseded", "entry", "undecided"]
    destination: str = ""
    rule: str = ""
    reason: str = ""
    entry: Entry | None = None


def decide(
    path: str, config: Config, known: Set[str], head: Callable[[], bytes], folder: str = ""
) -> Fate:
    """Return what becomes of a page; `known` has every id that a ledger defines.

    `head` gives the page's beginning, where a rule asks for it. `folder` is the place that is
    tidied: globs and destinations are relative to it.
    """
    below = path.removeprefix(f"{folder}/") if folder else path
    name = below.rpartition("/")[2]
    for rule in config.consolidation:
        if not rule.pattern.fullmatch(below):
            continue
        if rule.into == "known":
            ids = ids_in(name)
            if not ids:
                continue
            if unknown := [ident for ident in ids if ident not in known]:
                words = f"no ledger defines {', '.join(unknown)}"
                return Fate(path, "undecided", rule=rule.name, reason=words)
        if rule.into == "mentioned":
            ids = ids_in(_first_lines(head()))
            if not ids or not all(ident in known for ident in ids):
                continue
        return _fate(path, below, rule, config, folder)
    return Fate(path, "undecided", reason="no rule matches its path")


def _fate(path: str, below: str, rule: Consolidation, config: Config, folder: str) -> Fate:
    if rule.into == "keep":
        return Fate(path, "keep", rule=rule.name, reason=rule.reason)
    to = f"{config.superseded}/{below.partition('/')[2]}"
    to = f"{folder}/{to}" if folder else to
    if rule.into in ("known", "mentioned", "superseded"):
        return Fate(path, "superseded", to, rule.name, rule.reason)
    entry = next(entry for entry in PREFIXES.values() if entry == rule.into)
    return Fate(path, "entry", to, rule.name, rule.reason, entry)


def ids_in(name: str) -> list[str]:
    """Return the ids that a text names: `BUILD-112-113_X.md` has two."""
    found = []
    for prefix, number, more in _IDS.findall(name.upper()):
        found += [f"{prefix}-{digits}" for digits in (number, *more.split("-")[1:])]
    return found


def _first_lines(data: bytes) -> str:
    lines = data.decode("utf-8", "replace").splitlines()
    return "\n".join(lines[:HEAD_LINES])


def title_of(path: str, data: bytes) -> str:
    """Return a page's first heading as one line, else its name."""
    heading = _HEADING.search(data.decode("utf-8", "replace"))
    words = heading[1] if heading else path.rpartition("/")[2].rpartition(".")[0]
    return " ".join(re.sub(r"[\x00-\x1f\x7f|`*<>]", " ", words).split())[:120] or "untitled"


def text_of(fate: Fate, data: bytes, digest: str) -> str:
    """Return an entry's text: where the page is kept, its digest, why, and how it begins."""
    kept = f"Taken over from `{fate.destination}` ({mark(digest)})."
    kept += f"\nRule `{fate.rule}`: {fate.reason}."
    begins = _first_paragraph(data)
    return f"{kept}\n\n{begins}" if begins else kept


def mark(digest: str) -> str:
    """Return what an entry says of the content it was made from, by which it is found again."""
    return f"sha256 {digest}"


def _first_paragraph(data: bytes) -> str:
    """Return the first plain paragraph, shortened; what could be read as structure is left out."""
    for block in re.split(r"\n[ \t]*\n", data.decode("utf-8", "replace").replace("\r\n", "\n")):
        words = _LINK.sub(r"\1", " ".join(block.split()))
        if words and not re.match(r"[#|>\-*+`~<=!\d\[]", words) and "<!--" not in words:
            return words if len(words) <= _EXCERPT else f"{words[:_EXCERPT].rpartition(' ')[0]} …"
    return ""


def after(items: Sequence[str], cursor: str) -> list[str]:
    """Return sorted items in the order of a run that begins behind the last one's cursor."""
    return [*(i for i in items if i > cursor), *(i for i in items if i <= cursor)]

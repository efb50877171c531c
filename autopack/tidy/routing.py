"""Where a file of the root or of docs/ belongs: it stays, it goes, or a person decides."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Literal

from autopack.state_files import owner
from autopack.tidy.config import Area, Config

Kind = Literal["file", "folder", "link"]


@dataclass(frozen=True)
class Item:
    """An entry of a folder: its path from the workspace's root, what it is, where a link leads."""

    path: str
    kind: Kind
    size: int = 0
    mtime_ns: int = 0
    target: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Decision:
    """What becomes of an item. `held` says that only an explicit wish moves it."""

    item: Item
    kind: Literal["keep", "route", "held", "undecided", "ledger"]
    destination: str = ""
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Place:
    """The folder that is tidied, "" for the workspace itself, and the names of its ledgers."""

    folder: str
    ledgers: frozenset[str]

    def path(self, name: str) -> str:
        """Return a path below the folder as a path from the workspace's root."""
        return f"{self.folder}/{name}" if self.folder else name


def route_root(item: Item, config: Config, place: Place) -> Decision:
    """Return what becomes of an entry of the root; folders and links stay."""
    if item.kind != "file" or owner(item.path):
        return Decision(item, "keep")
    is_ledger = item.name.casefold() in _folded(place.ledgers)
    if is_ledger and not config.root.allow.fullmatch(item.name):
        return Decision(item, "ledger")
    return _routed(item, config.root, place, reduce=True)


def route_docs(item: Item, config: Config, place: Place, *, reduce: bool) -> Decision:
    """Return what becomes of an entry of docs/; ledgers, folders and links stay.

    Without `reduce` only what a rule always moves is routed.
    """
    if item.kind != "file" or owner(item.path) or item.name.casefold() in _folded(place.ledgers):
        return Decision(item, "keep")
    return _routed(item, config.docs, place, reduce=reduce)


def led_to(items: Iterable[Item]) -> dict[str, str]:
    """Return the paths that relative links lead to, each with the path of a link."""
    links = ((item, posixpath.dirname(item.path)) for item in items if item.kind == "link")
    return {
        posixpath.normpath(posixpath.join(folder, item.target)): item.path for item, folder in links
    }


def stays_for(decision: Decision, links: Mapping[str, str]) -> Decision:
    """Return the decision about what a link may lead to: moving it would break the link."""
    link = links.get(decision.item.path)
    if link is None or decision.kind not in ("route", "held"):
        return decision
    return Decision(decision.item, "undecided", reason=f"the link {link} leads to it")


def _routed(item: Item, area: Area, place: Place, *, reduce: bool) -> Decision:
    if area.allow.fullmatch(item.name):
        return Decision(item, "keep")
    for rule in area.rules:
        if rule.pattern.fullmatch(item.name):
            kind: Literal["route", "held"] = "route" if reduce or rule.always else "held"
            to = place.path(f"{rule.to}/{item.name}")
            return Decision(item, kind, to, rule.name, rule.reason)
    return Decision(item, "undecided", reason="no rule matches its name")


def _folded(names: Set[str]) -> set[str]:
    return {name.casefold() for name in names}


def beside(destination: str, digest: str, number: int = 1) -> str:
    """Return another name for a destination that is taken: with a part of the content's digest."""
    folder, slash, name = destination.rpartition("/")
    stem, dot, ending = name.partition(".")
    if not stem:  # a name that begins with a dot
        stem, dot, ending = name, "", ""
    again = f"-{number}" if number > 1 else ""
    return f"{folder}{slash}{stem}.{digest[:8]}{again}{dot}{ending}"


def free_place(destination: str, digest: str, taken: Callable[[str], bool]) -> str:
    """Return the destination, or the first name beside it that is not taken."""
    found, number = destination, 0
    while taken(found):
        number += 1
        found = beside(destination, digest, number)
    return found

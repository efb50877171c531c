"""The first screen of a tidy: the moves by rule, what stays, and what a person decides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tasks.tidy_session import Tidying

if TYPE_CHECKING:
    from autopack.tidy.consolidate import Fate
    from autopack.tidy.moves import Move

NAMES = 3
"""How many names stand for a group of moves."""
MOST = 12
"""How many lines a list has."""


def body(tidying: Tidying, moved: list[Move]) -> Iterator[str]:
    """Yield the parts of the screen, empty ones too."""
    shown = moved if tidying.wish.execute else tidying.plan
    if shown:
        verb = "Moved" if tidying.wish.execute else "To be moved with --execute"
        yield "\n".join([f"{verb}: {items(len(shown))}", *_grouped(shown)])
    elif not tidying.phases or all(phase.status != "failed" for phase in tidying.phases):
        yield "Nothing to move."
    yield "\n".join(_kept_back(tidying))
    yield "\n".join(_person(tidying))
    yield tidying.readme_text
    yield "\n".join(_made(tidying))


def items(n: int) -> str:
    """Return a number of items in words."""
    return f"{n} item{'s' * (n != 1)}"


def pages_of(n: int) -> str:
    """Return a number of pages in words."""
    return f"{n} page{'s' * (n != 1)}"


def _grouped(moves: Iterable[Move]) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for move in moves:
        to = move.destination.rpartition("/")[0]
        groups[move.rule, to, move.reason].append(move.source)
    for (rule, to, reason), sources in sorted(groups.items(), key=lambda group: -len(group[1])):
        yield f"  {len(sources):>4}  {to}/  {rule}: {reason}"
        yield f"        {_some(sources)}"


def _line(name: str) -> str:
    """Return a name on one line, whatever is in it."""
    return " ".join(name.split())


def _some(names: list[str], most: int = NAMES) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(_line, names[:most])) + more


def _kept_back(tidying: Tidying) -> Iterator[str]:
    held = tidying.seen.held
    if held:
        yield f"Left where they are, because links lead there: {pages_of(len(held))} of docs/"
        rules = Counter((d.rule, d.destination.rpartition("/")[0]) for d in held)
        for (rule, to), n in rules.most_common():
            yield f"  {n:>4}  {to}/  {rule}"


def _person(tidying: Tidying) -> Iterator[str]:
    """Yield what a person has to decide."""
    lines = [f"  {_line(d.item.path)}: {d.reason}" for d in tidying.seen.undecided]
    lines += [
        f"  {twin.path}: {about_twin(twin.kind, twin.ledger)}"
        for twin in tidying.seen.duplicates
        if twin.kind != "identical"
    ]
    pages = [fate for fate in tidying.seen.fates if fate.kind == "undecided"]
    if lines or pages:
        yield f"A person decides: {len(lines) + len(pages)}"
        yield from lines[:MOST]
        if len(lines) > MOST:
            yield f"  and {len(lines) - MOST} more; --json lists them all"
        yield from _pages(pages)


def _pages(fates: list[Fate]) -> Iterator[str]:
    """Yield a line per folder and reason, with some of its pages."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for fate in fates:
        folder, _, name = fate.path.rpartition("/")
        groups[folder, fate.reason].append(name)
    for (folder, reason), names in sorted(groups.items()):
        yield f"  {folder}/: {len(names)} Markdown: {reason}"
        yield f"        {_some(names)}"


def about_twin(kind: str, ledger: str) -> str:
    """Return what a person does about a ledger that stands at the root."""
    if kind == "only":
        return f"a ledger that {ledger} does not have; move it there by hand"
    return f"it differs from {ledger}, the ledger; compare the two and remove this one"


def _made(tidying: Tidying) -> Iterator[str]:
    verb = "" if tidying.wish.execute else "to be "
    if tidying.entries:
        made = [f"{ident} from {path}" for path, ident in tidying.entries.items() if ident]
        if made:
            yield f"Ledger entries {verb}made: {len(made)}"
            yield f"        {_some(made)}"
    if tidying.created:
        yield f"Structure {verb}created: {_some(tidying.created, MOST)}"
    if tidying.generated:
        yield f"Generated pages {verb}written: {_some(tidying.generated)}"
    if tidying.seen.removed:
        yield f"Empty folders {verb}removed: {_some(tidying.seen.removed)}"

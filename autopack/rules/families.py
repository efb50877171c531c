"""Families: templates that differ only where many values were seen are one.

All templates are judged together, by counts of different words: neither their order nor how often
each occurs changes the outcome. A family is an alias of signatures and never what anything is
stored under, because the next template may widen it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations

from autopack.rules.masking import MASK, fold

MANY = 6
"""Different words at one position that make it a variable."""
MANY_FIRST = 12
"""The same for the first word, which mostly says what the message is; dotted names do not."""
MANY_CONSTANTS = 20
"""The same for words in capitals: states and codes, of which a program has a set."""
MANY_PAIRS = 12
"""Different words at each of two positions that vary together."""
LONGEST = 60
"""Parts of a template up to which pairs of positions are tried."""
MOST = 1000
"""Templates of one length up to which pairs are tried."""
ENOUGH = 3
"""Words that must stay the same for one value, beside a masked one, to make a variable."""

Parts = tuple[str, ...]
_PART = re.compile(r"<\*>|[\w$](?:[\w.$\\/-]*[\w$])?|\s+|.", re.S)
_VALUE_OF = frozenset("=:'\"([{<")


def parts(template: str) -> Parts:
    """Return the words, signs and blanks of a template; joined they are the template again."""
    return tuple(_PART.findall(template))


def families(templates: Iterable[str]) -> dict[str, str]:
    """Return for each template the template of its family."""
    current = {text: parts(text) for text in set(templates)}
    while widened := _widened(set(current.values())):
        current = {text: widened.get(shape, shape) for text, shape in current.items()}
    return {text: fold("".join(shape)) for text, shape in current.items()}


def _widened(shapes: set[Parts]) -> dict[Parts, Parts]:
    """Return what one round changes: the shapes with a position that others of its length vary."""
    by_length: dict[int, set[Parts]] = defaultdict(set)
    for shape in shapes:
        by_length[len(shape)].add(shape)
    changed: dict[Parts, Parts] = {}
    for members in by_length.values():
        if len(members) > 1:
            changed |= _round(members, 1) or (_round(members, 2) if _may_pair(members) else {})
    return changed


def _may_pair(members: set[Parts]) -> bool:
    return MANY_PAIRS <= len(members) <= MOST and len(next(iter(members))) <= LONGEST


def _round(members: set[Parts], width: int) -> dict[Parts, Parts]:
    holes: dict[Parts, set[int]] = defaultdict(set)
    for at, group in _variables(members, width):
        for shape in group:
            holes[shape].update(at)
    changed = {
        shape: tuple(MASK if n in at else part for n, part in enumerate(shape))
        for shape, at in holes.items()
    }
    return {shape: new for shape, new in changed.items() if new != shape}


def _variables(members: set[Parts], width: int) -> Iterator[tuple[tuple[int, ...], list[Parts]]]:
    """Yield positions that vary, and the templates that are the same everywhere else.

    Sums of hashes find what may be the same, at one subtraction a position; then the words are
    compared.
    """
    alike: dict[tuple[tuple[int, ...], int], list[Parts]] = defaultdict(list)
    for shape in members:
        hashes = [hash((n, part)) for n, part in enumerate(shape)]
        whole = sum(hashes)
        words = [n for n, part in enumerate(shape) if part == MASK or _is_word(part)]
        if width == 1:
            for n in words:
                alike[(n,), whole - hashes[n]].append(shape)
        else:
            for one, other in combinations(words, 2):
                alike[(one, other), whole - hashes[one] - hashes[other]].append(shape)
    least = 2 if width == 1 else MANY_PAIRS
    for (at, _), maybe in alike.items():
        if len(maybe) >= least:
            for rest, group in _same_but(at, maybe).items():
                if len(group) > 1 and all(_varies(n, rest, group, width) for n in at):
                    yield at, group


def _same_but(at: tuple[int, ...], shapes: list[Parts]) -> dict[Parts, list[Parts]]:
    """Return the shapes by what stands at all other positions."""
    found: dict[Parts, list[Parts]] = defaultdict(list)
    for shape in shapes:
        rest = list(shape)
        for n in at:
            rest[n] = ""
        found[tuple(rest)].append(shape)
    return found


def _varies(at: int, rest: Parts, group: list[Parts], width: int) -> bool:
    values = {shape[at] for shape in group}
    fixed = sum(map(_is_word, rest))
    if width == 1 and MASK in values and fixed >= ENOUGH:
        return True
    is_value = at > 0 and (rest[at - 1] in _VALUE_OF or rest[max(0, at - 2)] in _VALUE_OF)
    return fixed >= (1 if is_value else 2) and len(values) >= _needed(at, values, width)


def _needed(at: int, values: set[str], width: int) -> int:
    if all(value.isupper() for value in values if value != MASK):
        return MANY_CONSTANTS
    if width == 2:
        return MANY_PAIRS
    return MANY_FIRST if at == 0 and not all("." in value for value in values) else MANY


def _is_word(part: str) -> bool:
    return part[:1].isalnum()

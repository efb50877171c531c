"""The canonical lock names, their order, and the files and limits that belong to them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from autopack.errors import UsageError
from autopack.locks.errors import LockOrderError

Mode = Literal["exclusive", "shared"]

RANKS = {
    "tidy": 10,
    "db": 20,
    "queue": 30,
    "runs": 40,
    "archive": 50,
    "docs": 60,
    "index": 70,
    "storage": 80,
}
"""The plain names; locks are taken in the order of their ranks."""
FAMILIES = {"run": 45, "maintenance": 90}
"""Names with an id, as in `run:2026-01-31-a`; within a family the id decides the order."""

_LIMITS = {"run": "runs", "maintenance": "maintenance"}
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_FILE = re.compile(r"(?:=[a-z]|[a-z0-9._@-])+")


@dataclass(frozen=True, order=True)
class LockName:
    """A valid name. Two of them compare by the order in which they are taken."""

    rank: int
    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def file(self) -> str:
        """The file name without its suffix: another one for every name, on any filesystem.

        An upper-case letter is written as `=` and the small one, because some filesystems do not
        tell them apart.
        """
        return re.sub("[A-Z]", lambda m: f"={m[0].lower()}", self.text.replace(":", "@"))

    @property
    def limit(self) -> str:
        """The name of the Prefect limit that queues for this lock."""
        return _LIMITS.get(self.text.partition(":")[0], self.text)


def parse(text: str) -> LockName:
    """Return the name that `text` spells.

    Raises:
        UsageError: It is none; the message has the known names and the nearest.
    """
    if text in RANKS:
        return LockName(RANKS[text], text)
    family, colon, ident = text.partition(":")
    if colon and family in FAMILIES and _ID.fullmatch(ident):
        return LockName(FAMILIES[family], text)
    raise UsageError(f"{text!r} is not a lock name{_guess(text)}", next_step=f"use {known()}")


def known() -> str:
    """Return every name there is, in order, as people read it."""
    shown = {**RANKS, **{f"{family}:<id>": rank for family, rank in FAMILIES.items()}}
    return ", ".join(sorted(shown, key=shown.__getitem__))


def _guess(text: str) -> str:
    family, colon, ident = text.partition(":")
    if family in FAMILIES:
        rule = "1 to 100 letters, digits, '.', '_' or '-', and does not start with '.' or '-'"
        return f": the id after '{family}:' has {rule}"
    near = get_close_matches(family, [*RANKS, *FAMILIES], n=1)
    if not near:
        return ""
    return f"; did you mean {near[0]}{f':{ident}' if colon and near[0] in FAMILIES else ''}?"


def from_file(stem: str) -> LockName | None:
    """Return the name whose file has this stem; None for a file that is nobody's."""
    if not _FILE.fullmatch(stem):
        return None
    text = re.sub("=([a-z])", lambda m: m[1].upper(), stem).replace("@", ":", 1)
    try:
        return parse(text)
    except UsageError:
        return None


def ordered(wants: Iterable[str]) -> tuple[LockName, ...]:
    """Return the names, each once, in the order in which they must be taken.

    Raises:
        UsageError: One of them is not a name.
    """
    return tuple(sorted({parse(text) for text in wants}))


def check_order(held: Iterable[LockName], wanted: Iterable[LockName]) -> None:
    """Let `wanted` pass only when all of it comes after all of `held`.

    Raises:
        LockOrderError: It does not, so two such programs could wait for each other for ever.
    """
    last, first = max(held, default=None), min(wanted, default=None)
    if last is not None and first is not None and first <= last:
        raise LockOrderError(
            f"lock '{first}' (rank {first.rank}) is wanted while '{last}' "
            f"(rank {last.rank}) is held",
            next_step="take the whole set at once, at the start",
        )

"""What a policy says of every row of a snapshot before anything is chosen.

A row belongs to the first category that matches it. It is *whole* if it may go with everything in
it: nothing protected, foreign, special, unseen or reserved for a report is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from autopack.storage.classify import Kind
from autopack.storage.matcher import Globs
from autopack.storage.policy import Category, Policy
from autopack.storage.protection import Guard, Protection, above
from autopack.storage.snapshot import Snapshot

if TYPE_CHECKING:
    import polars as pl


class State(IntEnum):
    """What becomes of a row that a category matches; every such row has exactly one state."""

    NONE = 0
    """No category matches it."""
    ELIGIBLE = 1
    """It is an item of the report, or lies in one."""
    PROTECTED = 2
    """It is protected, or a folder that holds something protected."""
    DENIED = 3
    """It, or something in it, is special, a mount, foreign or unseen; or it is a link by itself."""
    YOUNG = 4
    """It, or something beside it in its item, was changed too lately."""
    KEPT = 5
    """It is among the newest of its folder."""
    CAPPED = 6
    """It would go, but for the caps of its category."""
    REPORTED = 7
    """Its category proposes nothing."""


@dataclass(frozen=True, eq=False)
class Verdicts:
    """By row: the number of its category in the policy, from 1, or 0; what it may do; its guard."""

    names: tuple[str, ...]
    category: pl.Series
    guard: pl.Series
    denied: pl.Series
    proposed: pl.Series
    unit: pl.Series
    """Whether it is the outermost that may go as a whole."""


def verdicts(snapshot: Snapshot, policy: Policy, protection: Protection) -> Verdicts:
    """Return what a policy says of every row of a snapshot."""
    import polars as pl

    frame = snapshot.frame
    names = tuple(policy.categories)
    category = _categories(frame, policy)
    going = [n for n, name in enumerate(names, 1) if proposes(policy.categories[name])]
    proposed = category.is_in(going)
    guard = protection.flags(frame)
    denied = _denied(snapshot)
    reserved = (category != 0) & ~proposed
    kinds = frame["kind"].is_in([int(Kind.FILE), int(Kind.FOLDER)])
    whole = (guard == int(Guard.FREE)) & ~_with_above(frame, denied | reserved) & kinds
    good = whole & proposed
    at = frame.select(pl.int_range(pl.len())).to_series()
    unit = good & ~(good.gather(frame["parent"]) & (frame["parent"] != at))
    return Verdicts(names, category, guard, _with_above(frame, denied), proposed, unit)


def proposes(category: Category) -> bool:
    """Return whether a category may put anything into a report."""
    return category.action == "quarantine" and category.older_than_days is not None


def _with_above(frame: pl.DataFrame, marked: pl.Series) -> pl.Series:
    return marked | above(frame["parent"], marked)


def _categories(frame: pl.DataFrame, policy: Policy) -> pl.Series:
    import polars as pl

    paths, fold = frame["path"], policy.case == "insensitive"
    found = pl.repeat(0, frame.height, dtype=pl.UInt16, eager=True)
    for number, category in enumerate(policy.categories.values(), 1):
        matched = Globs(tuple(category.match), fold=fold, covering=True).series(paths)
        new = matched & (found == 0) & (paths != "")  # the root itself is of no category
        found = found + new.cast(pl.UInt16) * number
    return found.alias("category")


def _denied(snapshot: Snapshot) -> pl.Series:
    """Return the rows that nobody may touch or that hide something; not the folders around them."""
    frame = snapshot.frame
    plain = [int(Kind.FILE), int(Kind.FOLDER), int(Kind.LINK)]
    strange = ~frame["kind"].is_in(plain) | frame["foreign"]
    elsewhere = (frame["dev"] != snapshot.root.dev).fill_null(True)
    return strange | elsewhere | _unseen(frame["path"], [one.path for one in snapshot.not_seen])


def _unseen(paths: pl.Series, unseen: Sequence[str]) -> pl.Series:
    """Mark what was not looked into; where it has no row, the nearest folder that has one."""
    import polars as pl

    known = paths.is_in(pl.Series(unseen, dtype=pl.String).implode())
    missing = set(unseen) - set(paths.filter(known))
    for path in missing:
        folder = path
        while folder and not (paths == folder).any():
            folder = folder.rpartition("/")[0]
        known = known | (paths == folder)
    return known

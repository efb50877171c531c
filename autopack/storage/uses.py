"""What the bytes of a tree are for: the categories of the policy, and what of them could go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from autopack.storage.classify import Kind
from autopack.storage.snapshot import NotSeen
from autopack.storage.verdicts import State

if TYPE_CHECKING:
    import polars as pl

PROTECTED, UNSEEN = "protected", "not seen"


@dataclass(frozen=True, eq=False)
class Judged:
    """By row of a frame: the number of its category in `names`, from 1, or 0; its `State`."""

    names: tuple[str, ...]
    category: pl.Series
    state: pl.Series


@dataclass(frozen=True)
class Use:
    """One category in allocated bytes, each under exactly one head.

    `eligible` could go; `capped` would, but for the caps; `kept` is too young or among the newest;
    `reported` is only counted; `protected` and `denied` never go.
    """

    category: str
    eligible: int = 0
    capped: int = 0
    kept: int = 0
    reported: int = 0
    protected: int = 0
    denied: int = 0

    @property
    def allocated(self) -> int:
        """Return all of its bytes."""
        return sum(getattr(self, head) for head in HEADS)

    def plus(self, other: Use) -> Use:
        """Return the two together."""
        return Use(self.category, *(getattr(self, head) + getattr(other, head) for head in HEADS))


HEADS = tuple(field.name for field in fields(Use)[1:])
_STATES = {
    "eligible": (State.ELIGIBLE,),
    "capped": (State.CAPPED,),
    "kept": (State.YOUNG, State.KEPT),
    "reported": (State.REPORTED,),
    "protected": (State.PROTECTED,),
    "denied": (State.DENIED,),
}


def words(sized: pl.DataFrame, judged: Judged, not_seen: Iterable[NotSeen]) -> pl.Series:
    """Return what every row is coloured by: not seen, protected, its category, or nothing."""
    import polars as pl

    unseen = [one.path for one in not_seen]
    names = pl.Series(["", *judged.names], dtype=pl.String)
    told = sized.select("path", category=names.gather(judged.category), state=judged.state)
    return told.select(
        pl.when(pl.col("path").is_in(unseen)).then(pl.lit(UNSEEN))
        .when(pl.col("state") == int(State.PROTECTED)).then(pl.lit(PROTECTED))
        .otherwise("category")
    ).to_series()  # fmt: skip


def uses(sized: pl.DataFrame, judged: Judged) -> tuple[Use, ...]:
    """Return every category that something is in, the heaviest first; hard links count once."""
    import polars as pl

    own = pl.when(pl.col("kind") == int(Kind.FOLDER)).then("allocated").otherwise("tree_allocated")
    sums = (
        sized.select(own=own, category=judged.category, state=judged.state)
        .filter(pl.col("category") > 0)
        .group_by("category")
        .agg(
            pl.col("own").filter(pl.col("state").is_in([int(state) for state in states])).sum()
            .alias(head) for head, states in _STATES.items()
        )
    )  # fmt: skip
    found = [
        Use(judged.names[row[0] - 1], *row[1:])
        for row in sums.select("category", *HEADS).iter_rows()
    ]
    return tuple(sorted(found, key=lambda use: (-use.allocated, use.category)))

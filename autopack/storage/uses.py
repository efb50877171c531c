"""What the bytes of a tree are for: the categories of the policy, and what may not go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from autopack.storage.classify import Kind
from autopack.storage.matcher import Globs
from autopack.storage.policy import Policy
from autopack.storage.protection import Guard, Protection
from autopack.storage.snapshot import NotSeen, below

if TYPE_CHECKING:
    import polars as pl

State = Literal["eligible", "protected", "kept"]
"""`eligible` could go, `protected` never may, `kept` is too young or among the newest."""
PROTECTED, UNSEEN = "protected", "not seen"


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What the policy says of every row of a frame: its category and its state, None without."""

    category: pl.Series
    state: pl.Series


@dataclass(frozen=True)
class Use:
    """One category, in allocated bytes; `denied` counts folders of it that were not looked into."""

    category: str
    eligible: int = 0
    protected: int = 0
    kept: int = 0
    denied: int = 0

    def plus(self, other: Use) -> Use:
        """Return the two together."""
        return Use(
            self.category,
            self.eligible + other.eligible,
            self.protected + other.protected,
            self.kept + other.kept,
            self.denied + other.denied,
        )

    @property
    def allocated(self) -> int:
        """Return all of its bytes."""
        return self.eligible + self.protected + self.kept


def spread(frame: pl.DataFrame, rows: Sequence[int], told: Sequence[str]) -> pl.Series:
    """Return a word per row: those of the rows given, and of everything below each of them.

    The rows are in order. Where one lies below another, the inner word holds.
    """
    import polars as pl

    marks: list[str | None] = [None] * frame.height
    first, last = below(frame)
    for row, word in zip(rows, told, strict=True):
        marks[row] = word
        start, end = int(first[row]), int(last[row])
        marks[start:end] = [word] * (end - start)
    return pl.Series(marks, dtype=pl.String)


def nothing(frame: pl.DataFrame) -> Verdicts:
    """Return the verdicts where no policy was asked."""
    none = spread(frame, (), ())
    return Verdicts(none, none)


def words(sized: pl.DataFrame, verdicts: Verdicts, not_seen: Iterable[NotSeen]) -> pl.Series:
    """Return what every row is coloured by: not seen, protected, its category, or nothing."""
    import polars as pl

    unseen = [one.path for one in not_seen]
    told = sized.select("path", category=verdicts.category, state=verdicts.state)
    return told.select(
        pl.when(pl.col("path").is_in(unseen)).then(pl.lit(UNSEEN))
        .when(pl.col("state") == "protected").then(pl.lit(PROTECTED))
        .otherwise(pl.col("category").fill_null(""))
    ).to_series()  # fmt: skip


def uses(sized: pl.DataFrame, verdicts: Verdicts, not_seen: Iterable[NotSeen]) -> tuple[Use, ...]:
    """Return every category that something is in, the heaviest first."""
    import polars as pl

    denied = [one.path for one in not_seen if one.why == "denied"]
    own = pl.when(pl.col("kind") == int(Kind.FOLDER)).then("allocated").otherwise("tree_allocated")
    states = ("eligible", "protected", "kept")
    told = (
        sized.select(
            "path", own=own, category=verdicts.category, state=verdicts.state.fill_null("kept")
        )
        .filter(pl.col("category").is_not_null())
        .group_by("category")
        .agg(
            *(
                pl.col("own").filter(pl.col("state") == state).sum().alias(state)
                for state in states
            ),
            denied=pl.col("path").is_in(denied).sum(),
        )
    )
    found = [Use(*(row[key] for key in ("category", *states, "denied")))
             for row in told.iter_rows(named=True)]  # fmt: skip
    return tuple(sorted(found, key=lambda use: (-use.allocated, use.category)))


def verdicts(
    frame: pl.DataFrame, policy: Policy, protection: Protection, going: Sequence[int]
) -> Verdicts:
    """Return what a policy says of every row; `going` are the rows of what could go, in order.

    The first category that matches a path counts, as it does for what could go.
    """
    import polars as pl

    category = pl.Series([None], dtype=pl.String).extend_constant(None, frame.height - 1)
    fold = policy.case == "insensitive"
    for name, told in reversed(policy.categories.items()):
        matched = Globs(tuple(told.match), fold, covering=True).series(frame["path"])
        category = frame.select(pl.when(matched).then(pl.lit(name)).otherwise(category)).to_series()
    eligible = spread(frame, going, ["eligible"] * len(going))
    guarded = protection.flags(frame) == int(Guard.PROTECTED)
    state = frame.select(
        pl.when(guarded).then(pl.lit("protected")).when(eligible.is_not_null()).then(eligible)
    )
    return Verdicts(category.alias("category"), state.to_series().alias("state"))

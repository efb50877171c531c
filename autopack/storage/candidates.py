"""What could go: whole folders and files of a category that are old enough, within its caps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from autopack.storage.classify import Kind
from autopack.storage.policy import Caps, Category, Policy
from autopack.storage.protection import Guard, Protection
from autopack.storage.snapshot import Snapshot, totals
from autopack.storage.units import spread, summed
from autopack.storage.verdicts import State, Verdicts, verdicts

if TYPE_CHECKING:
    import polars as pl

DAY_NS = 86_400 * 10**9
_WOULD = (State.ELIGIBLE, State.CAPPED)


@dataclass(frozen=True)
class Candidate:
    """A file or folder that may go as a whole; sizes in bytes, a hard link once.

    `row` is its row in the snapshot, `parent` that of its folder, `rule` the glob that named it,
    `newest_ns` the latest mtime in it; `reclaimable` leaves out what names outside still hold.
    """

    row: int
    parent: int
    path: str
    category: str
    rule: str
    size: int
    allocated: int
    reclaimable: int
    files: int
    newest_ns: int
    age_days: int

    @property
    def counted(self) -> int:
        """The bytes that caps count: a sparse file has few on the disk, and may tell of many."""
        return max(self.size, self.allocated)


@dataclass(frozen=True)
class Sum:
    """How many entries (files, folders and links), and their bytes on the disk, hard links once."""

    entries: int = 0
    allocated: int = 0

    def plus(self, other: Sum) -> Sum:
        """Return the two together."""
        return Sum(self.entries + other.entries, self.allocated + other.allocated)


@dataclass(frozen=True)
class CategoryTotals:
    """How many items of a category are in the report, and its entries, each in one state."""

    category: str
    items: int
    by_state: dict[State, Sum]

    def of(self, *states: State) -> Sum:
        """Return the sum over some states, or over all."""
        found = Sum()
        for state in states or tuple(self.by_state):
            found = found.plus(self.by_state.get(state, Sum()))
        return found


@dataclass(frozen=True, eq=False)
class Candidates:
    """What could go of one root, in the order of rows, and what the categories hold.

    `category` has for each row the number of its category in the policy, from 1, or 0; `state` its
    `State`. `refusal` says why no report may be made of it.
    """

    items: tuple[Candidate, ...]
    totals: tuple[CategoryTotals, ...]
    category: pl.Series
    state: pl.Series
    refusal: str | None = None


def candidates(
    snapshot: Snapshot, policy: Policy, now_ns: int, protection: Protection | None = None
) -> Candidates:
    """Return what could go of a root now.

    What was changed after the scan began, or in the future, is young, whatever the policy says.
    """
    frame = snapshot.frame
    seen = verdicts(snapshot, policy, protection or Protection(policy))
    unit = spread(frame, seen.unit)
    found = _found(summed(frame, seen, policy, unit), seen, now_ns)
    before_ns = min(now_ns, snapshot.started_ns)
    states = _states_of(policy, found, now_ns, before_ns)
    would = [one for one in found if states[one.row] in _WOULD]
    items = tuple(one for one in found if states[one.row] is State.ELIGIBLE)
    category, state = _by_row(seen, unit, states)
    sums = tuple(_totals(frame, seen.names, category, state, items))
    return Candidates(items, sums, category, state, _refusal(snapshot, policy, would))


def _found(units: pl.DataFrame, seen: Verdicts, now_ns: int) -> list[Candidate]:
    return [
        Candidate(
            row["unit"], row["parent"], row["path"], seen.names[row["category"] - 1], row["rule"],
            row["size"], row["allocated"], row["allocated"] - row["outside"], row["files"],
            row["mtime_ns"], max(0, now_ns - row["mtime_ns"]) // DAY_NS,
        )
        for row in units.iter_rows(named=True)
    ]  # fmt: skip


# --- the choice -------------------------------------------------------------------------------


def _states_of(
    policy: Policy, found: Iterable[Candidate], now_ns: int, before_ns: int
) -> dict[int, State]:
    """Return what becomes of each unit, by its row."""
    states: dict[int, State] = {}
    by_category = sorted(found, key=lambda one: one.category)
    for name, group in groupby(by_category, key=lambda one: one.category):
        category, mine = policy.categories[name], list(group)
        kept = set(_kept(mine, category.keep_newest))
        free = [one for one in mine if one.row not in kept]
        old = [one for one in free if _is_old(one, category, now_ns, before_ns)]
        states |= dict.fromkeys((one.row for one in free), State.YOUNG)
        states |= dict.fromkeys(kept, State.KEPT)
        states |= _capped(old, category.caps)
    return states


def _is_old(one: Candidate, category: Category, now_ns: int, before_ns: int) -> bool:
    days = category.older_than_days
    if days is None or one.newest_ns >= before_ns:
        return False
    return now_ns - one.newest_ns >= days * DAY_NS


def _kept(found: Sequence[Candidate], newest: int) -> Iterator[int]:
    """Yield the rows of the newest units of each folder."""
    ordered = sorted(found, key=lambda one: (one.parent, -one.newest_ns, one.path))
    for _, group in groupby(ordered, key=lambda one: one.parent):
        yield from (one.row for one in list(group)[:newest])


def _capped(old: Iterable[Candidate], caps: Caps) -> dict[int, State]:
    """Return which may go: the oldest first, as long as the caps hold with them."""
    states, items, size = {}, 0, 0
    for one in sorted(old, key=lambda one: (one.newest_ns, one.path)):
        fits = items < caps.max_items and size + one.counted <= caps.max_bytes
        states[one.row] = State.ELIGIBLE if fits else State.CAPPED
        items, size = items + fits, size + one.counted * fits
    return states


def _refusal(snapshot: Snapshot, policy: Policy, would: Sequence[Candidate]) -> str | None:
    """Return why so much may not go at once, the caps left aside; None where it may."""
    whole = totals(snapshot.frame)
    held = sum(one.allocated for one in would)
    if held * 100 > whole.allocated * policy.refuse_share:
        share = held * 100 // max(1, whole.allocated)
        return (
            f"{len(would)} items with {share} % of what {snapshot.root.path} holds on the disk "
            f"could go; the policy refuses more than {policy.refuse_share} % (refuse_share)"
        )
    left = whole.files - sum(one.files for one in would)
    if would and left < policy.min_keep:
        return (
            f"only {left} files of {snapshot.root.path} would stay; the policy keeps at least "
            f"{policy.min_keep} (min_keep)"
        )
    return None


# --- by row -----------------------------------------------------------------------------------


def _by_row(
    seen: Verdicts, unit: pl.Series, states: dict[int, State]
) -> tuple[pl.Series, pl.Series]:
    """Return the category and the state of each row; what lies in a unit is as the unit is."""
    import polars as pl

    rows = pl.Series("unit", list(states), dtype=unit.dtype)
    told = pl.DataFrame(
        {
            "unit": rows,
            "told": pl.Series([int(state) for state in states.values()], dtype=pl.UInt8),
            "of": seen.category.gather(rows),
        }
    )
    alone = (
        pl.when(pl.col("category") == 0).then(int(State.NONE))
        .when(~pl.col("proposed")).then(int(State.REPORTED))
        .when(pl.col("guard") != int(Guard.FREE)).then(int(State.PROTECTED))
        .otherwise(int(State.DENIED))
    )  # fmt: skip
    frame = pl.DataFrame(
        {
            "unit": unit, "category": seen.category, "proposed": seen.proposed,
            "guard": seen.guard,
        }
    ).join(told, on="unit", how="left", maintain_order="left")  # fmt: skip
    both = frame.select(
        category=pl.coalesce("of", "category"), state=pl.coalesce("told", alone).cast(pl.UInt8)
    )
    return both["category"], both["state"]


def _totals(
    frame: pl.DataFrame, names: Sequence[str], category: pl.Series, state: pl.Series,
    items: Sequence[Candidate],
) -> Iterator[CategoryTotals]:  # fmt: skip
    import polars as pl

    several = (pl.col("kind") != int(Kind.FOLDER)) & (pl.col("nlink") > 1)
    again = several & ~pl.struct("dev", "ino").is_first_distinct()
    rows = (
        frame.select("kind", "nlink", "dev", "ino", "allocated", category=category, state=state)
        .filter(pl.col("category") != 0)
        .with_columns(allocated=pl.when(again).then(0).otherwise("allocated"))
    )
    sums = rows.group_by("category", "state").agg(entries=pl.len(), allocated=pl.sum("allocated"))
    found: dict[int, dict[State, Sum]] = {}
    for number, told, entries, allocated in sums.sort("category", "state").iter_rows():
        found.setdefault(number, {})[State(told)] = Sum(entries, allocated)
    for number, name in enumerate(names, 1):
        mine = sum(one.category == name for one in items)
        yield CategoryTotals(name, mine, found.get(number, {}))

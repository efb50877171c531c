"""What a ledger holds, by name: a number always says which count it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import KeysView
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from autopack.sot.ids import base, sort_key
from autopack.sot.ledgers import Ledger
from autopack.sot.segments import ENTRY_KINDS, Kind, Segments


@dataclass(frozen=True)
class Counts:
    """The named counts of one ledger.

    `entries`: every entry segment. `index_entries`: INDEX rows with an id. `sections`: detail
    sections. `unique_ids`: full dotted ids over rows, sections and stray rows. `unique_base`:
    the same without the dotted part. `mentioned_only`: ids the text names and nothing defines,
    up to the highest defined id. `duplicate_ids`: ids with several rows or several sections;
    `conflicting_ids`: those of them, and of stray rows beside a row, whose texts differ.
    `latest`: the highest id in integer order.
    """

    entries: int
    index_entries: int = 0
    unique_index_ids: int = 0
    sections: int = 0
    unique_sections: int = 0
    unique_ids: int = 0
    unique_base: int = 0
    non_id_rows: int = 0
    stray_rows: int = 0
    rows_without_section: int = 0
    sections_without_row: int = 0
    mentioned_only: int = 0
    duplicate_ids: int = 0
    conflicting_ids: int = 0
    latest: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the counts by name; of a ledger without ids, those that mean something."""
        if self.latest is None:
            return {"entries": self.entries, "sections": self.sections}
        return asdict(self)


@dataclass(frozen=True)
class Census:
    """Which ids a ledger holds where; `counts` and the whole-file notes are read off it."""

    kinds: Counter[int]
    rows: Counter[str]
    sections: Counter[str]
    strays: Counter[str]
    mentioned_only: tuple[str, ...] = ()
    conflicting: tuple[str, ...] = ()
    latest: str | None = None

    @property
    def duplicates(self) -> list[str]:
        """Ids with several rows or several sections, in file order."""
        if self.rows.total() == len(self.rows) and self.sections.total() == len(self.sections):
            return []
        return [i for i in self.defined if self.rows[i] > 1 or self.sections[i] > 1]

    @property
    def defined(self) -> KeysView[str]:
        """Every full id that a row, a section or a stray row defines, in file order."""
        return _defined(self.rows, self.sections, self.strays)

    @cached_property
    def counts(self) -> Counts:
        """The named counts."""
        defined = self.defined
        return Counts(
            entries=sum(n for kind, n in self.kinds.items() if kind in ENTRY_KINDS),
            index_entries=self.kinds[Kind.ROW],
            unique_index_ids=len(self.rows),
            sections=self.kinds[Kind.SECTION],
            unique_sections=len(self.sections),
            unique_ids=len(defined),
            unique_base=len({base(ident) for ident in defined} if _dotted(defined) else defined),
            non_id_rows=self.kinds[Kind.NON_ID_ROW],
            stray_rows=self.kinds[Kind.STRAY_ROW],
            rows_without_section=len(self.rows.keys() - self.sections.keys()),
            sections_without_row=len(self.sections.keys() - self.rows.keys()),
            mentioned_only=len(self.mentioned_only),
            duplicate_ids=len(self.duplicates),
            conflicting_ids=len(self.conflicting),
            latest=self.latest,
        )


def take_census(ledger: Ledger, segments: Segments) -> Census:
    """Count the ids of one ledger; ledgers without ids have only entries."""
    kinds = Counter(segments.kinds)
    if not ledger.prefix:
        return Census(kinds, Counter(), Counter(), Counter())
    rows, sections, strays = (
        Counter(segments.idents_of(kind)) for kind in (Kind.ROW, Kind.SECTION, Kind.STRAY_ROW)
    )
    defined = _defined(rows, sections, strays)
    latest = _latest(ledger.prefix, defined)
    only = _mentioned_only(ledger.prefix, segments.data, defined, latest)
    census = Census(kinds, rows, sections, strays, only, (), latest)
    return replace(census, conflicting=tuple(_conflicting(census, segments)))


def _conflicting(census: Census, segments: Segments) -> list[str]:
    """Return ids that stand several times, as rows or as sections, with different texts."""
    suspects = {*census.duplicates, *(census.strays.keys() & census.rows.keys())}
    texts: dict[tuple[str, bool], set[bytes]] = {}
    if suspects:
        for i, ident in enumerate(segments.idents):
            if ident in suspects and segments.kinds[i] in ENTRY_KINDS:
                text = b" ".join(segments.content(i).split())
                texts.setdefault((ident, segments.kinds[i] == Kind.SECTION), set()).add(text)
    return [*dict.fromkeys(ident for (ident, _), found in texts.items() if len(found) > 1)]


def _defined(*counters: Counter[str]) -> KeysView[str]:
    # A dict keeps file order, in which large ledgers are walked several times faster than a set.
    return dict.fromkeys(chain(*counters)).keys()


def _latest(prefix: str, defined: KeysView[str]) -> str:
    """Return the highest id in integer order."""
    if _dotted(defined):
        return max(defined, key=sort_key)
    skip = len(prefix) + 1
    return max(defined, key=lambda ident: int(ident[skip:]), default="")


def _dotted(defined: KeysView[str]) -> bool:
    return "." in "".join(defined)


def _mentioned_only(
    prefix: str, data: bytes, defined: KeysView[str], latest: str
) -> tuple[str, ...]:
    """Return ids up to the latest that the text names and no row or section defines."""
    highest = sort_key(latest)[0] if latest else 0
    found = set(re.findall(prefix.encode() + rb"-\d{1,18}\b", data))
    named = {*b" ".join(found).decode().split()} - defined
    known = {base(ident) for ident in defined} if named else set()
    only = (name for name in named - known if 0 < sort_key(name)[0] <= highest)
    return tuple(sorted(only, key=sort_key))

"""What a ledger holds, by name: a number always says which count it is."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
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
    between the lowest and the highest defined id.
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
    latest: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True)
class Census:
    """Which ids a ledger holds where; `counts` and the whole-file notes are read off it."""

    kinds: Counter[int]
    rows: Counter[str]
    sections: Counter[str]
    strays: Counter[str]
    mentioned_only: tuple[str, ...]

    @property
    def defined(self) -> set[str]:
        """Every full id that a row, a section or a stray row defines."""
        return {*self.rows, *self.sections, *self.strays}

    def counts(self) -> Counts:
        """Return the named counts."""
        defined = self.defined
        return Counts(
            entries=sum(n for kind, n in self.kinds.items() if kind in ENTRY_KINDS),
            index_entries=self.kinds[Kind.ROW],
            unique_index_ids=len(self.rows),
            sections=self.kinds[Kind.SECTION],
            unique_sections=len(self.sections),
            unique_ids=len(defined),
            unique_base=len({base(ident) for ident in defined}),
            non_id_rows=self.kinds[Kind.NON_ID_ROW],
            stray_rows=self.kinds[Kind.STRAY_ROW],
            rows_without_section=len(self.rows.keys() - self.sections.keys()),
            sections_without_row=len(self.sections.keys() - self.rows.keys()),
            mentioned_only=len(self.mentioned_only),
            latest=max(defined, key=sort_key, default=""),
        )


def take_census(ledger: Ledger, segments: Segments) -> Census:
    """Count the ids of one ledger; ledgers without ids have only entries."""
    by_kind: dict[int, Counter[str]] = {
        kind: Counter() for kind in (Kind.ROW, Kind.SECTION, Kind.STRAY_ROW)
    }
    if ledger.prefix:
        for kind, counter in by_kind.items():
            counter.update(
                ident
                for ident, k in zip(segments.idents, segments.kinds, strict=True)
                if k == kind
            )
    rows, sections, strays = by_kind.values()
    census = Census(Counter(segments.kinds), rows, sections, strays, ())
    if not ledger.prefix:
        return census
    only = _mentioned_only(ledger.prefix, segments.data, census.defined)
    return Census(census.kinds, rows, sections, strays, only)


def _mentioned_only(prefix: str, data: bytes, defined: set[str]) -> tuple[str, ...]:
    """Return ids the text names as whole builds that no row or section defines."""
    highest = max((sort_key(ident)[0] for ident in defined), default=0)
    named = {match.decode() for match in set(re.findall(prefix.encode() + rb"-\d+", data))}
    known = {base(ident) for ident in defined}
    return tuple(
        sorted((n for n in named - known if 0 < sort_key(n)[0] <= highest), key=sort_key)
    )

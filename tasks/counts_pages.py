"""The files that state counts, at one moment: their claims judged, and their mended version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from autopack.io.files import LedgerFile, ledger_file
from autopack.report import Finding
from autopack.sot.drift import Drift, Truth, check_ledger, check_page
from autopack.sot.ledgers import LEDGERS, Ledger
from autopack.sot.segments import Kind

README, INDEX = "README.md", "docs/INDEX.md"


@dataclass(frozen=True)
class Pages:
    """The ledgers, and the other pages by path."""

    ledgers: tuple[LedgerFile, ...]
    others: Mapping[str, bytes]

    @property
    def counted(self) -> list[LedgerFile]:
        """The ledgers whose entries carry ids."""
        return [file for file in self.ledgers if file.ledger.prefix]

    @property
    def contents(self) -> dict[str, bytes]:
        """Every file's bytes, by path."""
        return {file.ledger.path: file.data for file in self.ledgers} | dict(self.others)

    @cached_property
    def blocked(self) -> list[Finding]:
        """Why a ledger cannot be counted: conflict markers, or bytes that are no UTF-8."""
        return [f for file in self.counted for f in file.blocking(0, len(file.segments))]

    @cached_property
    def truth(self) -> Truth:
        """The true counts, by prefix; None of a ledger that cannot be counted."""
        bad = {finding.path for finding in self.blocked}
        return {
            file.ledger.prefix: None if file.ledger.path in bad else file.census.counts
            for file in self.counted
        }

    @cached_property
    def drifts(self) -> list[Drift]:
        """Every claim that is not true as it stands."""
        found = []
        for file in self.counted:
            if self.truth[file.ledger.prefix] is not None:
                end = file.segments.preamble_end
                found += check_ledger(file.ledger, file.data, end, self.truth)
        for name, data in self.others.items():
            found += check_page(name, data, self.truth, navigation=name == INDEX)
        return found

    def with_ledger(self, file: LedgerFile) -> Pages:
        """Return these pages with a ledger put in its place."""
        by_path = {other.ledger.path: other for other in self.ledgers} | {file.ledger.path: file}
        ordered = (by_path[ledger.path] for ledger in LEDGERS if ledger.path in by_path)
        return replace(self, ledgers=tuple(ordered))

    def mended(self, now: datetime) -> Pages:
        """Return these pages with every owned block true; what is true already stays."""
        from autopack.sot import generate

        wrong = {(drift.path, drift.place) for drift in self.drifts if drift.mendable}
        done = self
        for file in self.counted:
            data, ledger = file.data, file.ledger
            if (ledger.path, "meta") in wrong:
                data = generate.mend_meta(data, file.segments.preamble_end, ledger, self.truth, now)
            if (ledger.path, "summary") in wrong:
                end = file.segments.preamble_end + len(data) - len(file.data)
                data = generate.mend_summary(data, end, ledger, self.truth, now)
            if data != file.data:
                done = done.with_ledger(ledger_file(ledger, data))
        others = {
            name: generate.mend_readme(data, self.truth, now, self._latest_title)
            if (name, "readme") in wrong
            else data
            for name, data in self.others.items()
        }
        return replace(done, others=others)

    def _latest_title(self, ledger: Ledger) -> str:
        from autopack.sot.entries import Key, title

        file = next(file for file in self.counted if file.ledger is ledger)
        latest, segments = file.census.latest or "", file.segments
        for kind in (Kind.ROW, Kind.SECTION, Kind.STRAY_ROW):
            for i, ident in enumerate(segments.idents):
                if ident == latest and segments.kinds[i] == kind:
                    first = segments.content(i).partition(b"\n")[0].decode("utf-8", "replace")
                    return title(ledger, Key(kind, latest, 1), first)
        return ""

"""Which files are ledgers and what their entries look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Ledger:
    """One canonical file. `prefix` is the id prefix of its entries, if they carry ids.

    INDEX rows have `columns` cells, of which number `title_column` (from 0) names the entry.
    """

    stem: str
    suffix: Literal[".md", ".json"] = ".md"
    prefix: str | None = None
    columns: int = 5
    title_column: int = 2

    @property
    def path(self) -> str:
        """Workspace-relative path, with `/`."""
        return f"docs/{self.stem}{self.suffix}"


LEDGERS: tuple[Ledger, ...] = (
    Ledger("BUILD_HISTORY", prefix="BUILD"),
    Ledger("ARCHITECTURE_DECISIONS", prefix="DEC"),
    Ledger("DEBUG_LOG", prefix="DBG", title_column=3),
    Ledger("CHANGELOG"),
    Ledger("FUTURE_PLAN"),
    Ledger("PROJECT_INDEX", suffix=".json"),
    Ledger("LEARNED_RULES", suffix=".json"),
)
BY_STEM = {ledger.stem: ledger for ledger in LEDGERS}

"""Which files are ledgers and what their entries look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Ledger:
    """One canonical file. `prefix` is the id prefix of its entries, empty if they carry none.

    INDEX rows have the cells that `columns` names, of which number `title_column` (from 0) names
    the entry. `noun` and `units` are what people call an entry and several different ones;
    `total_key` is the key in the META block that states how many there are.
    """

    stem: str
    suffix: Literal[".md", ".json"] = ".md"
    prefix: str = ""
    columns: tuple[str, ...] = ()
    title_column: int = 2
    noun: str = ""
    units: str = ""
    total_key: str = ""

    @property
    def path(self) -> str:
        """Workspace-relative path, with `/`."""
        return f"docs/{self.stem}{self.suffix}"


# fmt: off
LEDGERS: tuple[Ledger, ...] = (
    Ledger(
        "BUILD_HISTORY", prefix="BUILD", noun="build", units="builds", total_key="Total_Builds",
        columns=("Timestamp", "BUILD-ID", "Phase", "Summary", "Files Changed"),
    ),
    Ledger(
        "ARCHITECTURE_DECISIONS", prefix="DEC", noun="decision", units="decisions",
        total_key="Total_Decisions",
        columns=("Timestamp", "DEC-ID", "Decision", "Status", "Impact"),
    ),
    Ledger(
        "DEBUG_LOG", prefix="DBG", title_column=3, noun="debug", units="debug sessions",
        total_key="Total_Issues",
        columns=("Timestamp", "DBG-ID", "Severity", "Summary", "Status"),
    ),
    Ledger("CHANGELOG"),
    Ledger("FUTURE_PLAN"),
    Ledger("PROJECT_INDEX", suffix=".json"),
    Ledger("LEARNED_RULES", suffix=".json"),
)
# fmt: on
BY_STEM = {ledger.stem: ledger for ledger in LEDGERS}
COUNTED = tuple(ledger for ledger in LEDGERS if ledger.prefix)
"""The ledgers whose entries carry ids: those that META, summaries and README count."""

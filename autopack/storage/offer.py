"""What a clean-up report offers, as a table: the items that free most come first."""

from __future__ import annotations

from autopack.report import Table
from autopack.storage.names import shown
from autopack.storage.schema import CleanupReport, Item

ROWS = 200
"""As many items are listed; the report has all of them."""


def offered(paper: CleanupReport) -> Table:
    """Return the table of a report's items; with several roots the paths are whole."""
    most = sorted(paper.items, key=lambda item: (-item.reclaimable, item.root, item.path))
    rows = [
        (
            _place(paper, item), item.reclaimable, item.size, item.files, item.age_days,
            item.category, item.rule, item.id,
        )
        for item in most[:ROWS]
    ]  # fmt: skip
    return Table(
        "candidates", "What could go",
        ("item", "reclaimable", "apparent", "files", "days old", "category", "rule", "id"), rows,
        sizes=("reclaimable", "apparent"), among=len(most),
    )  # fmt: skip


def _place(paper: CleanupReport, item: Item) -> str:
    if len(paper.roots) == 1:
        return shown(item.path)
    return shown(f"{paper.roots[item.root].path.rstrip('/')}/{item.path}")

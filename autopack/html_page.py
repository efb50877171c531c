"""A report as one self-contained HTML page: nothing in it is fetched from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autopack.render import cleaned, pairs, status_line, steps, writes
from autopack.report import Report, Table

TEMPLATE = Path(__file__).with_name("html_page.html.j2")
FIRST = 10
"""The rows of a table that are seen at once; the others unfold."""


@dataclass(frozen=True)
class _Row:
    cells: tuple[str | int | float, ...]
    share: float
    """How long the row's bar is, in percent of the longest."""


def html(report: Report) -> str:
    """Return the page: how it ended, what to do next, what to look at, every finding."""
    from jinja2 import Environment, StrictUndefined

    report = cleaned(report)
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return page.render(
        report=report,
        line=status_line(report),
        first=FIRST,
        tables=[(table, _rows(table)) for table in report.tables if table.rows],
        steps=steps(report),
        counts=pairs(report.counts),
        writes=writes(report),
        codes=sorted({finding.code for finding in report.findings}),
    )


def _rows(table: Table) -> list[_Row]:
    if table.bar is None:
        return [_Row(row, 0.0) for row in table.rows]
    at = table.columns.index(table.bar)
    numbers = [float(row[at]) for row in table.rows]
    longest = max(numbers) or 1.0
    return [
        _Row(row, 100 * number / longest) for row, number in zip(table.rows, numbers, strict=True)
    ]

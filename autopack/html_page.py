"""A report as one self-contained HTML page: nothing in it is fetched from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autopack.render import audit, cleaned, pairs, status_line, steps, writes
from autopack.report import Chart, Report, Table

TEMPLATE = Path(__file__).with_name("html_page.html.j2")
FIRST = 10
"""The rows of a table that are seen at once; the others unfold."""
WIDE, HIGH = 640, 160
"""The size of a chart's plane, in its own units."""


@dataclass(frozen=True)
class _Row:
    cells: tuple[str | int | float, ...]
    share: float
    """How long the row's bar is, in percent of the longest."""


@dataclass(frozen=True)
class _Dot:
    x: float
    y: float
    words: str


@dataclass(frozen=True)
class _Line:
    name: str
    dots: tuple[_Dot, ...]


@dataclass(frozen=True)
class _Drawn:
    """A chart as coordinates; `top` is the number at the upper edge of its plane."""

    chart: Chart
    top: float
    lines: tuple[_Line, ...]
    mark: float | None


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
        charts=[_drawn(chart) for chart in report.charts if chart.labels],
        wide=WIDE,
        high=HIGH,
        steps=steps(report),
        counts=pairs(report.counts),
        writes=writes(report),
        audit=audit(report),
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


def _drawn(chart: Chart) -> _Drawn:
    """Return where a chart's lines go: the first label at the left edge, 0 at the bottom."""
    top = max((value for series in chart.series for value in series.values), default=0.0) or 1.0
    step = WIDE / max(1, len(chart.labels) - 1)
    lines = tuple(
        _Line(
            series.name,
            tuple(
                _Dot(
                    round(n * step, 1),
                    round(HIGH * (1 - max(0.0, value) / top), 1),
                    f"{chart.labels[n]}: {value:.4g}",
                )
                for n, value in enumerate(series.values)
            ),
        )
        for series in chart.series
    )
    mark = None if chart.mark is None else round(min(max(chart.mark * step, 0.0), WIDE), 1)
    return _Drawn(chart, top, lines, mark)

"""A report as one self-contained HTML page: nothing in it is fetched from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autopack.render import audit, cells, cleaned, pairs, size, status_line, steps, writes
from autopack.report import Chart, Report, Table

TEMPLATE = Path(__file__).with_name("html_page.html.j2")
SCRIPTS = "'unsafe-inline'"
"""The scripts that the page's Content-Security-Policy allows: those in itself."""
FIRST = 10
"""The rows of a table that are seen at once; the others unfold."""
WIDE, HIGH = 640, 160
"""The size of a chart's plane, in its own units."""


@dataclass(frozen=True)
class _Cell:
    words: str | int | float
    number: bool


@dataclass(frozen=True)
class _Row:
    """`share` is how long the row's bar is, in percent of the longest; of a loss it is `less`."""

    cells: tuple[_Cell, ...]
    share: float
    less: bool


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


def html(report: Report, template: Path = TEMPLATE, scripts: str = SCRIPTS, **more: object) -> str:
    """Return the page: how it ended, what to do next, what to look at, every finding.

    A `template` of another folder may extend this one's; `more` is for it, `scripts` the sources
    that its Content-Security-Policy allows.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    report = cleaned(report)
    environment = Environment(
        loader=FileSystemLoader([template.parent, TEMPLATE.parent]),
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined,
    )  # fmt: skip
    environment.filters["size"] = size
    return environment.get_template(template.name).render(
        **more,
        report=report,
        scripts=scripts,
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
    at = table.columns.index(table.bar) if table.bar else None
    numbers = [0.0 if at is None else float(row[at]) for row in table.rows]
    longest = max(map(abs, numbers), default=0.0) or 1.0
    return [
        _Row(_cells(table, row), 100 * abs(number) / longest, number < 0)
        for row, number in zip(table.rows, numbers, strict=True)
    ]


def _cells(table: Table, row: tuple[str | int | float, ...]) -> tuple[_Cell, ...]:
    shown = zip(row, cells(table, row), strict=True)
    return tuple(_Cell(words, not isinstance(cell, str)) for cell, words in shown)


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

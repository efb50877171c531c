"""A report as terminal text and as Markdown."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from autopack.report import Finding, NextStep, PlacedFinding, Report, Table
from autopack.settings import redact

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_COLOURS = {"error": "31", "warning": "33", "info": "36", "good": "32", "dim": "2", "bold": "1"}
_SHOWN = 200
_INFOS = 8


def text(report: Report, *, colour: bool = False) -> str:
    """Return the report for a terminal; the last line is the status line."""
    report, paint = cleaned(report), _painter(colour)
    timing = [f"{name:<28} {status:<8} {seconds}" for name, status, seconds in steps(report)]
    counts = [f"{key:<28} {value}" for key, value in pairs(report.counts)]
    advice = [line for step in report.next_steps for line in (step.why, f"  {step.command}")]
    blocks = [
        [report.body.rstrip("\n")] if report.body.strip() else [],
        _section("targets", _targets(report), paint),
        _section("steps", timing, paint),
        _section("counts", counts, paint),
        _section("writes", writes(report), paint),
        _section("audit", audit(report), paint),
        _section(_headline(report), _findings(report, paint), paint),
        _section("next", advice, paint),
    ]
    shown = "\n\n".join("\n".join(block) for block in blocks if block)
    tail = paint(status_line(report), "good" if report.exit_code == 0 else "error")
    return f"{shown}\n\n{tail}\n" if shown else f"{tail}\n"


def status_line(report: Report) -> str:
    """Return the one line that says how the run ended."""
    what = report.message or _summary(report)
    mode = "executed" if report.execute else "dry run"
    how = f"exit {int(report.exit_code)}, {mode}, {report.engine}, {report.seconds:.2f} s"
    return f"{report.flow}: {report.status}{f' - {what}' if what else ''} ({how})"


def markdown(report: Report) -> str:
    """Return the report as Markdown, as the Prefect artifact shows it."""
    report = cleaned(report)
    parts = [
        f"# {report.flow}: {report.status}",
        _md(status_line(report)),
        f"```text\n{report.body.rstrip()}\n```" if report.body.strip() else "",
        _table(("target", "address"), ((k, v or "not set") for k, v in report.targets.items())),
        _table(("step", "status", "seconds"), steps(report)),
        _table(("count", "value"), pairs(report.counts)),
        _list("## Writes", writes(report)),
        _list("## Audit", audit(report)),
        _list(f"## {_headline(report)}", _finding_rows(report))
        if report.findings or report.crowds
        else "",
        _list("## Next", (f"{s.why}: `{s.command}`" for s in report.next_steps), escape=False),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def question(asked: str, report: Report, how: str) -> str:
    """Return what a paused run shows a person, as Markdown: the question, what it is about, how.

    Args:
        asked: The question, one line.
        report: What is known so far.
        how: What answering means, one paragraph.
    """
    report = cleaned(report)
    parts = [
        f"# {_md(asked)}",
        _md(how),
        f"```text\n{report.body.rstrip()}\n```" if report.body.strip() else "",
        _table(("count", "value"), pairs(report.counts)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(report: Report) -> str:
    if report.findings or report.crowds:
        return _headline(report)
    written = len(writes(report))
    return "nothing written" if report.execute and not written else ""


def _painter(colour: bool) -> Any:
    if not colour:
        return lambda words, _kind: words
    return lambda words, kind: f"\x1b[{_COLOURS[kind]}m{words}\x1b[0m"


def size(count: int | float) -> str:
    """Return a number of bytes as people read it, in the binary units of IEC 80000-13."""
    rest = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if abs(rest) < 1023.95 or unit == "PiB":
            break
        rest /= 1024
    return f"{count:,} B" if unit == "B" else f"{rest:,.1f} {unit}"


def cells(table: Table, row: Sequence[str | int | float]) -> list[str | int | float]:
    """Return a row as a person is shown it: bytes in units, everything else as it is."""
    return [
        size(cell) if column in table.sizes and not isinstance(cell, str) else cell
        for column, cell in zip(table.columns, row, strict=True)
    ]


def printable(words: str) -> str:
    """Show control and direction marks as escapes, so that file content can't drive a terminal.

    So are the bytes of names that are no UTF-8, which no stream or API would take.
    """
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), words)


def _flat(words: str) -> str:
    words = redact(words)  # before any escaping: an escaped secret is not found any more
    if words.isprintable() and "  " not in words and words == words.strip():
        return words  # reports of a large workspace have a hundred thousand of these
    return printable(" ".join(words.split()))


def cleaned(report: Report) -> Report:
    """Return a copy whose texts are safe to print, each on its one line except the body.

    They hold no secret and nothing that drives a terminal.
    """
    return replace(
        report,
        body=printable(redact(report.body)),
        message=_flat(report.message),
        targets={name: shown and _flat(shown) for name, shown in report.targets.items()},
        writes=replace(report.writes, files=[_flat(name) for name in report.writes.files]),
        findings=[_cleaned(finding) for finding in report.findings],
        next_steps=[NextStep(_flat(s.why), _flat(s.command)) for s in report.next_steps],
        tables=[
            replace(
                table, title=_flat(table.title), rows=[tuple(map(_cell, row)) for row in table.rows]
            )
            for table in report.tables
        ],
        charts=[
            replace(
                chart,
                title=_flat(chart.title),
                labels=tuple(map(_flat, chart.labels)),
                series=tuple(replace(s, name=_flat(s.name)) for s in chart.series),
                mark_label=_flat(chart.mark_label),
            )
            for chart in report.charts
        ],
    )


def _cleaned(finding: Finding) -> Finding:
    said = finding.path, finding.message, finding.fix
    path, message, fix = map(_flat, said)
    if (path, message, fix) == said:
        return finding
    return replace(finding, path=path, message=message, fix=fix)


def _cell(value: str | int | float) -> str | int | float:
    return _flat(value) if isinstance(value, str) else value


def _section(title: str, lines: list[str], paint: Any) -> list[str]:
    return [paint(title, "bold"), *(f"  {line}" for line in lines)] if lines else []


def _targets(report: Report) -> list[str]:
    return [f"{name:<28} {shown or 'not set'}" for name, shown in report.targets.items()]


def steps(report: Report) -> list[tuple[str, str, str]]:
    """Return each step's name, status and time."""
    return [(step.name, step.status, f"{step.seconds:.2f} s") for step in report.steps]


def pairs(counts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a line per count; a group of counts is one line that leaves its zeros out."""
    return [(_flat(key), _flat(_count(value))) for key, value in counts.items()]


def _count(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_count(n)}" for name, n in value.items() if n) or "nothing"
    return str(value) if isinstance(value, (str, int, float)) else json.dumps(value, default=str)


def writes(report: Report) -> list[str]:
    """Return what was written, a line per kind and per file."""
    w = report.writes
    sql = [
        f"{n} {word}"
        for n, word in ((w.inserted, "inserted"), (w.updated, "updated"), (w.deleted, "deleted"))
        if n
    ]
    vectors = [f"{n} {word}" for n, word in ((w.upserted, "upserted"), (w.removed, "deleted")) if n]
    return [
        *([f"rows: {', '.join(sql)}"] if sql else []),
        *([f"vectors: {', '.join(vectors)}"] if vectors else []),
        *(f"file: {name}" for name in w.files),
    ]


def audit(report: Report) -> list[str]:
    """Return the head that the run left in the audit chain, as `audit verify --head` takes it."""
    said = report.extra.get("audit")
    if not isinstance(said, dict) or "sha256" not in said:
        return []
    lines = [f"head: {said['seq']}:{said['sha256']}"]
    if "signature" in said:
        lines += [f"signed: {said['at']} by {said['key']}", f"signature: {said['signature']}"]
    lines += [f"kept in: {said['database']}"] if "database" in said else []
    return [_flat(line) for line in lines]


def _headline(report: Report) -> str:
    by = Counter(finding.severity for finding in report.findings)
    for crowd in report.crowds:
        by[crowd.severity] += crowd.count
    counts = [
        f"{by[s]} {s}{'s' if by[s] != 1 and s != 'info' else ''}"
        for s in ("error", "warning", "info")
        if by[s]
    ]
    return f"findings: {', '.join(counts)}"


def _place(finding: Finding) -> str:
    column = finding.column if isinstance(finding, PlacedFinding) else None
    place = [finding.path, *(str(n) for n in (finding.line, column) if n is not None)]
    return ":".join(place)


def _findings(report: Report, paint: Any) -> list[str]:
    shown, grouped = _grouped(report)
    lines: list[str] = []
    for f in shown[:_SHOWN]:
        place = f"{_place(f)}: " if f.path else ""
        lines.append(f"{place}{paint(f.severity, f.severity)} {f.code}: {f.message}")
        if f.fix:
            lines.append(f"    fix: {f.fix}")
    return [*lines, *_rest(shown), *(f"{paint('info', 'info')} {line}" for line in grouped)]


def _grouped(report: Report) -> tuple[list[Finding], list[str]]:
    """Split off the infos, a line per code, when there are more than a reader wants to see."""
    infos = [f for f in report.findings if f.severity == "info"]
    if len(infos) <= _INFOS and not report.crowds:
        return report.findings, []
    by: dict[str, list[str]] = {}
    for f in infos:
        by.setdefault(f.code, []).append(_place(f))
    counts = Counter({code: len(places) for code, places in by.items()})
    for crowd in report.crowds:
        counts[crowd.code] += crowd.count
        by.setdefault(crowd.code, []).extend(map(_flat, crowd.places))
    lines = [
        f"{code} ×{counts[code]}: {', '.join(places[:3])}{', …' if counts[code] > 3 else ''}"
        for code, places in by.items()
    ]
    others = [f for f in report.findings if f.severity != "info"]
    return others, [*lines, "(--json has each of them)"]


def _rest(findings: list[Finding]) -> list[str]:
    more = len(findings) - _SHOWN
    return [f"... and {more} more; --json lists them all"] if more > 0 else []


def _finding_rows(report: Report) -> list[str]:
    shown, grouped = _grouped(report)
    rows = []
    for f in shown[:_SHOWN]:
        place = f"{_place(f)}: " if f.path else ""
        rows.append(f"{place}{f.severity} {f.code}: {f.message}{f' Fix: {f.fix}' if f.fix else ''}")
    return [*rows, *_rest(shown), *grouped]


def _md(words: str) -> str:
    """Escape what Markdown or HTML would act on."""
    return re.sub(r"([\\`*_\[\]<>|#&~])", r"\\\1", words)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = [f"| {' | '.join(_md(cell) for cell in row)} |" for row in rows]
    if not body:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *body])


def _list(title: str, lines: Iterable[str], *, escape: bool = True) -> str:
    rows = [f"- {_md(line) if escape else line}" for line in lines]
    return "\n".join([title, "", *rows]) if rows else ""

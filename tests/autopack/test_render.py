"""A report as text and as Markdown."""

from __future__ import annotations

import pytest

from autopack.render import cells, markdown, size, text
from autopack.report import Finding, NextStep, Report, Step, Table, Writes

REPORT = Report(
    "sot-sync",
    execute=True,
    exit_code=1,
    seconds=0.42,
    targets={"database": "postgresql://user:***@host/db", "qdrant": None},
    counts={"entries": 3, "by kind": {"build": 2, "debug": 1}, "names": ["a"]},
    writes=Writes(inserted=2, upserted=3, files=["docs/INDEX.md"]),
    findings=[
        Finding("drift", "error", "docs/A.md", 9, "META says 3,\nfound 4", "python -m flows.x"),
        Finding("old", "info", "", None, "no path"),
    ],
    steps=[Step("read-ledgers", "done", 0.014)],
    next_steps=[NextStep("bring the index in line", "python -m flows.sot_sync --execute")],
    body="plan: 2 rows\n",
)

TEXT = """\
plan: 2 rows

targets
  database                     postgresql://user:***@host/db
  qdrant                       not set

steps
  read-ledgers                 done     0.01 s

counts
  entries                      3
  by kind                      build 2, debug 1
  names                        ["a"]

writes
  rows: 2 inserted
  vectors: 3 upserted
  file: docs/INDEX.md

findings: 1 error, 1 info
  docs/A.md:9: error drift: META says 3, found 4
      fix: python -m flows.x
  info old: no path

next
  bring the index in line
    python -m flows.sot_sync --execute

sot-sync: findings - findings: 1 error, 1 info (exit 1, executed, direct, 0.42 s)
"""


def test_text() -> None:
    assert text(REPORT) == TEXT


def test_an_empty_report_is_its_status_line() -> None:
    assert text(Report("toy")) == "toy: clean (exit 0, dry run, direct, 0.00 s)\n"


def test_colour_only_adds_escapes() -> None:
    import re

    shown = text(REPORT, colour=True)
    assert "\x1b[31merror\x1b[0m" in shown
    assert re.sub(r"\x1b\[\d+m", "", shown) == TEXT


def test_file_content_cannot_drive_the_terminal() -> None:
    hostile = Finding("x", "error", "a\x1b]0;title\x07.md", 1, "\x1b[2Jgone\u202e")
    shown = text(Report("toy", findings=[hostile], body="\x1b[31mred"), colour=True)
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[31mred" in shown


def test_markdown_escapes_what_would_format() -> None:
    shown = markdown(Report("toy", findings=[Finding("x", "error", "a_b.md", 1, "<b> | `c`")]))
    assert r"a\_b.md:1: error x: \<b\> \| \`c\`" in shown


def test_markdown_has_every_section() -> None:
    shown = markdown(REPORT)
    for part in (
        "# sot-sync: findings",
        "| database |",
        "| read-ledgers |",
        "## Writes",
        "## Next",
    ):
        assert part in shown


def test_thousands_of_findings_are_cut() -> None:
    many = [Finding("x", "error", "a", n, "m") for n in range(5000)]
    shown = text(Report("toy", findings=many))
    assert "... and 4800 more; --json lists them all" in shown
    assert len(shown.splitlines()) < 220


def test_zeros_of_a_group_of_counts_are_left_out() -> None:
    shown = text(Report("toy", counts={"LEDGER": {"entries": 3, "stray_rows": 0}}))
    assert "  LEDGER                       entries 3\n" in shown


def test_many_infos_are_one_line_per_code_and_errors_stay_whole() -> None:
    infos = [Finding("stray_row", "info", "a.md", n, "row") for n in range(1, 10)]
    error = Finding("broken", "error", "b.md", 1, "what")
    shown = text(Report("toy", findings=[*infos, error]))
    assert "info stray_row ×9: a.md:1, a.md:2, a.md:3, …" in shown
    assert "b.md:1: error broken: what" in shown
    assert "a.md:4" not in shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (-1536, "-1.5 KiB"),
     (1024**2 - 1, "1.0 MiB"), (3 * 1024**3, "3.0 GiB"), (5000 * 1024**5, "5,000.0 PiB")],
)  # fmt: skip
def test_bytes_are_shown_in_binary_units(count, shown):
    assert size(count) == shown


def test_only_columns_that_count_bytes_are_shown_in_units():
    table = Table("k", "T", ("name", "bytes", "files"), [("a", 2048, 2048)], sizes=("bytes",))
    assert cells(table, table.rows[0]) == ["a", "2.0 KiB", 2048]

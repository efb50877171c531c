"""A small workspace whose every count is true, and ways to look at it."""

from __future__ import annotations

from datetime import UTC, datetime

from autopack.io.files import ledger_file
from autopack.sot.ledgers import BY_STEM
from tasks.counts_pages import INDEX, README, Pages

NOW = datetime(2026, 11, 24, 12, 0, 5, 120_000, tzinfo=UTC)

_HEAD = """# {title}

<!-- AUTO-GENERATED SUMMARY - DO NOT EDIT MANUALLY -->
<!-- END AUTO-GENERATED SUMMARY -->

<!-- META
Last_Updated: 2026-01-03T20:30:00Z
{key}: 0
Format_Version: 2.0
Sources: archive/
-->

## INDEX (Chronological - Most Recent First)

| Timestamp | ID | A | B | C |
|---|---|---|---|---|
{rows}

## ENTRIES

{sections}
"""

_IDS = {
    "BUILD_HISTORY": ("Total_Builds", ["BUILD-170.10", "BUILD-170.2", "BUILD-9"], ["BUILD-9"]),
    "ARCHITECTURE_DECISIONS": ("Total_Decisions", ["DEC-002"], ["DEC-002", "DEC-001"]),
    "DEBUG_LOG": ("Total_Issues", ["DBG-003", "DBG-001"], []),
}


def _ledger(stem: str) -> bytes:
    key, rows, sections = _IDS[stem]
    return _HEAD.format(
        title=stem,
        key=key,
        rows="\n".join(f"| 2026-01-03 | {i} | Title of {i} | b | c |" for i in rows),
        sections="\n\n".join(f"### {i} | 2026-01-03 | About {i}\n\nText." for i in sections),
    ).encode()


def pages(files: dict[str, bytes]) -> Pages:
    """Return the pages that these files are, by path."""
    ledgers = [
        ledger_file(ledger, files[ledger.path])
        for ledger in BY_STEM.values()
        if ledger.path in files
    ]
    others = {name: files[name] for name in (README, INDEX) if name in files}
    return Pages(tuple(ledgers), others)


def true_files() -> dict[str, bytes]:
    """Return a workspace in which every claim is there, once, and true."""
    files = {f"docs/{stem}.md": _ledger(stem) for stem in _IDS}
    files[README] = b"# R\n\n<!-- SOT_SUMMARY_START -->\n<!-- SOT_SUMMARY_END -->\n\nThe end.\n"
    files[INDEX] = (
        b"# Index\n\n- `docs/BUILD_HISTORY.md`: 3 build entries, 2 unique builds\n"
        b"- `docs/DEBUG_LOG.md`: 2 debug entries; the last 5 builds are elsewhere\n"
    )
    return pages(files).mended(NOW).contents


def said(files: dict[str, bytes]) -> list[str]:
    """Return what is wrong with these files: `severity code path:line`."""
    found = (drift.finding() for drift in pages(files).drifts)
    return [f"{f.severity} {f.code} {f.path}:{f.line}" for f in found]

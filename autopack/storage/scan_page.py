"""A scan as one page: the report's own page with pictures before its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autopack.html_page import SCRIPTS
from autopack.html_page import html as report_page
from autopack.render import printable, size
from autopack.report import Report
from autopack.storage.figure import figure
from autopack.storage.names import shown
from autopack.storage.page import counted, moment, signed, summed
from autopack.storage.picture import Picture
from autopack.storage.uses import PROTECTED, UNSEEN

TEMPLATE = Path(__file__).with_name("scan_page.html.j2")
HEADS = {
    "eligible": "eligible",
    "capped": "over the caps",
    "kept": "kept: too young, or among the newest",
    "reported": "only counted",
    "protected": "protected",
    "denied": "denied: links, mounts, or not seen",
}
"""What the parts of a category's bar mean."""
COLOURS = 8
"""The colours that categories have; with more categories they come again."""
BESIDE = f"{SCRIPTS} 'self' file:"
"""The page's own scripts, and one that lies beside it: on a disk or on a server."""


@dataclass(frozen=True)
class Reclaimable:
    """What could go by the clean-up report, None where there can be none."""

    items: int
    size: int


def html(
    report: Report, pictures: Sequence[Picture], script: str, could_go: Reclaimable | None
) -> str:
    """Return the page; `script` is the file name of plotly.js, which lies beside it.

    Without the script the page says all but the treemap.
    """
    drawn = figure(pictures)
    bars = summed(pictures)
    return report_page(
        report,
        TEMPLATE,
        BESIDE,
        figure=drawn,
        colours=list(_colours(drawn["legend"])),
        bars=bars,
        heads=[(head, HEADS[head]) for head in HEADS if any(getattr(use, head) for use in bars)],
        longest=max((use.allocated for use in bars), default=0) or 1,
        tiles=list(_tiles(pictures, could_go)),
        roots=[(printable(shown(p.root)), _label(p)) for p in pictures],
        script=script,
    )


def _label(picture: Picture) -> str:
    part = "; not all of it was seen" if picture.partial else ""
    since = picture.since_ns
    compared = f"; compared with the scan of {moment(since)}" if since is not None else ""
    return f"{picture.label}, {moment(picture.started_ns)}{part}{compared}"


def _colours(legend: Sequence[str]) -> Iterator[str]:
    """Yield the CSS name of each colour: the fixed ones by name, the others in turn."""
    fixed = {PROTECTED: "protected", UNSEEN: "unseen"}
    for n, word in enumerate(legend):
        yield fixed.get(word, f"u{n % COLOURS}")


def _tiles(pictures: Sequence[Picture], could_go: Reclaimable | None) -> Iterator[tuple[str, str]]:
    totals = [picture.totals for picture in pictures]
    yield "allocated on the disk", size(sum(one.allocated for one in totals))
    yield "apparent, hard links once", size(sum(one.apparent for one in totals))
    yield "files", f"{sum(one.files for one in totals):,}"
    yield "folders", f"{sum(one.folders for one in totals):,}"
    if could_go:
        yield f"could go, in {counted(could_go.items, 'item')}", size(could_go.size)
    grown = [picture.growth for picture in pictures if picture.growth]
    if grown:
        yield "since the last scan", signed(sum(one.change for one in grown))
    blind = sum(len(picture.not_seen) for picture in pictures)
    yield "places not seen", f"{blind:,}"

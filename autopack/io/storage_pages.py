"""The pages of scans on disk, and the script that draws their treemaps, once for all of them."""

from __future__ import annotations

import contextlib
from contextlib import nullcontext
from importlib.resources import files
from pathlib import Path

from autopack.errors import Refused
from autopack.io.replace import remove_file, replace_file
from autopack.state_files import REPORTS

PAGES = f"{REPORTS}/storage"
KEPT = 30
"""So many pages stay; the older ones of a workspace go when a new one is written."""


def script_name() -> str:
    """Return the name of the script beside the pages."""
    import plotly

    return f"plotly-{plotly.__version__}.min.js"


def keep_page(workspace: Path, name: str, page: str) -> list[str]:
    """Write a page and what draws it, take older pages away, and return what was written.

    Two scans may do this at once: the name of a page is its scan's own, so that only another try
    of the same scan finds one there, and the script is the same for both.

    Raises:
        Refused: A link or another file is in the place.
        Unreachable: The disk is full, or the folder cannot be written.
    """
    made = []
    script = f"{PAGES}/{script_name()}"
    data = files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    if _bytes(workspace / script) != data:
        _put(workspace, script, data)
        made.append(script)
    shown = f"{PAGES}/{name}"
    replace_file(workspace, shown, _bytes(workspace / shown), page.encode(), nullcontext)
    _sweep(workspace)
    return [*made, shown]


def _put(workspace: Path, script: str, data: bytes) -> None:
    try:
        replace_file(workspace, script, _bytes(workspace / script), data, nullcontext)
    except Refused:
        if _bytes(workspace / script) != data:  # else another scan put it there meanwhile
            raise


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _sweep(workspace: Path) -> None:
    pages = sorted((workspace / PAGES).glob("scan-*.html"), key=lambda path: path.name)
    for old in pages[:-KEPT]:
        with contextlib.suppress(Refused, FileNotFoundError):  # another scan took it away
            remove_file(workspace, f"{PAGES}/{old.name}", old.read_bytes(), nullcontext)

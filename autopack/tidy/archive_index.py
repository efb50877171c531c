"""`archive/INDEX.md`: what lies where in the archive, made from names alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import quote

NAME = "INDEX.md"
MARK = "<!-- Made by python -m flows.tidy; edits are lost. -->"
SHOWN = 50
"""Pages that are listed of one folder."""


def render(paths: Iterable[str], folder: str) -> bytes:
    """Return the index of the files below a folder; the same files give the same bytes."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    total = 0
    for path in paths:
        below = path.removeprefix(f"{folder}/")
        if below != NAME:
            above, _, name = below.rpartition("/")
            by_folder[above].append(name)
            total += 1
    lines = ["# Archive", "", MARK, "", f"{total} files in {len(by_folder)} folders.", ""]
    for above in sorted(by_folder):
        lines += _section(above, sorted(by_folder[above]))
    return "\n".join(lines).rstrip("\n").encode("utf-8", "backslashreplace") + b"\n"


def _section(above: str, names: list[str]) -> list[str]:
    pages = [name for name in names if name.lower().endswith(".md")]
    lines = [f"## {_plain(above) or '.'}", "", _counted(names, pages)]
    if pages:
        lines.append("")
    for name in pages[:SHOWN]:
        target = quote(f"{above}/{name}" if above else name, errors="surrogateescape")
        lines.append(f"- [{_plain(name)}]({target})")
    if len(pages) > SHOWN:
        lines.append(f"- and {len(pages) - SHOWN} more")
    return [*lines, ""]


def _counted(names: list[str], pages: list[str]) -> str:
    files = f"{len(names)} file{'s' * (len(names) != 1)}"
    return f"{files}, {len(pages)} of them Markdown" if pages else files


def _plain(name: str) -> str:
    for char in "\\`*_[]<>#|":
        name = name.replace(char, f"\\{char}")
    return " ".join(name.split())

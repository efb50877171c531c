"""The files of a workspace at one moment, and where a path leads among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from autopack.state_files import QUARANTINE, RUNS

MARKDOWN = (".md", ".markdown", ".mdown", ".mkd")
SKIPPED = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", RUNS,
    QUARANTINE, ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".tox",
    ".import_linter_cache",
})  # fmt: skip
"""Folders that hold no documentation of anybody's, wherever they stand: no tree has them."""


@dataclass(frozen=True)
class Tree:
    """Paths below the repository's root, with `/`, without one at either end; the root is "".

    `links` gives, for a symbolic link to a file, the path inside that it stands for, "" where that
    is outside or nothing. Names are compared byte by byte, whatever the disk does.
    """

    files: frozenset[str]
    folders: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, path: str) -> bool:
        """Whether a file or folder has this very name."""
        return path in self.files or path in self.folders

    def readme(self, folder: str) -> str | None:
        """Return the file that GitHub shows below a folder's listing."""
        there = self._readmes.get(folder, ())
        return min(there, key=lambda path: (not path.lower().endswith(".md"), path), default=None)

    def real(self, path: str) -> str:
        """Return the file behind a path, "" for none here: a symbolic link is followed once."""
        return self.links.get(path, path)

    def ignoring_case(self, path: str) -> list[str]:
        """Return what has this name but for upper and lower case, sorted."""
        return self._folded.get(path.casefold(), [])

    def named_alike(self, path: str, most: int | None = None) -> list[str]:
        """Return files with the same last name, those that share the longest end first.

        Where there are more than `most`, they must share the last folder too.
        """
        wanted = path.split("/")
        there = self._by_name.get(wanted[-1], [])
        if most is not None and len(there) > most:
            tail = "/".join(wanted[-2:])
            there = [other for other in there if other == tail or other.endswith(f"/{tail}")]
        return sorted(
            there, key=lambda other: (other != path, -_shared(wanted, other.split("/")), other)
        )

    def with_files(self, names: Iterable[str]) -> Tree:
        """Return this tree with more files or folders in it."""
        more = tree_of(names)
        return Tree(self.files | more.files, self.folders | more.folders, self.links)

    @cached_property
    def _readmes(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for path in self.files:
            folder, _, name = path.rpartition("/")
            stem, dot, ending = name.lower().rpartition(".")
            if stem == "readme" and f"{dot}{ending}" in (*MARKDOWN, ".rst", ".txt"):
                found[folder].append(path)
        return found

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.files | self.folders):
            found[path.casefold()].append(path)
        return found

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.files):
            found[path.rpartition("/")[2]].append(path)
        return found


def tree_of(files: Iterable[str], links: Mapping[str, str] | None = None) -> Tree:
    """Return the tree of these files; folders are what leads to them."""
    names = frozenset(files)
    folders = {""}
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return Tree(names, frozenset(folders), links or {})


def is_markdown(path: str) -> bool:
    """Return whether GitHub renders a file as Markdown, by its name."""
    return path.lower().endswith(MARKDOWN)


def _shared(wanted: list[str], other: list[str]) -> int:
    """Return how many names, from the last one, two paths share."""
    n = 0
    for a, b in zip(reversed(wanted), reversed(other), strict=False):
        if a != b:
            break
        n += 1
    return n

"""What files held when a phase began, and what they hold now."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Refused
from autopack.io.beneath import opened, opened_root, split
from autopack.io.fingerprint import CHUNK, NotPlain, open_plain
from autopack.io.git import ask_git
from autopack.io.phase_diff import Content
from autopack.phases.census import Change, Item, digest, in_git

BIGGEST = 16 << 20
"""Bytes; of a larger file no earlier content is kept."""
MOST = 512 << 20
"""Bytes of earlier contents of one phase; what comes after is left out."""
CARRIED = 256 << 20
"""Bytes that are in memory at once when changes are shown; what comes after is left out."""
ANSWERS_WITHIN_S = 20
"""Longest time that git may need for one file."""
NOTHING = Content(None)
_DAY = (1980, 1, 1, 0, 0, 0)


def contents_of(root: Path, items: Iterable[tuple[str, Item]], deadline: Deadline) -> bytes:
    """Return a ZIP archive of what some files hold, each content once, by its digest.

    Raises:
        Refused: A file is being written just now.
    """
    made, total, seen = io.BytesIO(), 0, set()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, item in items:
            if item.kind != "file" or item.digest in seen or total + item.size > MOST:
                continue
            deadline.check(f"keeping {path}")
            content = content_now(root, path, item)
            if content is None or content.data is None:
                continue
            if digest(content.data) != item.digest:
                raise Refused(f"{path} is being written", next_step="run again when it is quiet")
            seen.add(item.digest)
            total += item.size
            archive.writestr(zipfile.ZipInfo(item.digest, _DAY), content.data)
    return made.getvalue()


def content_now(root: Path, path: str, item: Item | None) -> Content | None:
    """Return what a name holds now; None for what is no file or link, or is too large to show."""
    if item is None:
        return NOTHING
    if item.kind == "link":
        return Content(os.fsencode(item.digest), link=True)
    if item.kind != "file" or item.size > BIGGEST:
        return None
    folder, name = split(path)
    with suppress(OSError, NotPlain), opened_root(root) as top, opened(top, folder) as held:
        return Content(_read(held, name), executable=bool(item.mode & 0o100))
    return None


def sides(
    root: Path, found: Iterable[Change], earlier: Earlier
) -> Iterator[tuple[Change, Content | None, Content | None]]:
    """Yield changes with what each name held and holds; None for what is not known or too much."""
    left = CARRIED
    for change in found:
        left -= sum(item.size for item in (change.before, change.after) if item and _shows(item))
        if left < 0:
            yield change, None, None
        else:
            before = earlier.content(change.path, change.before)
            yield change, before, content_now(root, change.path, change.after)


def _shows(item: Item) -> bool:
    return item.kind == "file" and item.size <= BIGGEST


def _read(folder: int, name: str) -> bytes:
    blocks, left = [], BIGGEST
    with open_plain(folder, name) as descriptor:
        while left > 0 and (block := os.read(descriptor, min(CHUNK, left))):
            blocks.append(block)
            left -= len(block)
    return b"".join(blocks)


class Earlier:
    """What names held when a phase began: from its archive, else from the commit it began at.

    What git has counts only where it is byte for byte what was there.
    """

    def __init__(self, root: Path, archive: bytes, commit: str, deadline: Deadline) -> None:
        self._root = root
        self._archive = zipfile.ZipFile(io.BytesIO(archive))
        self._names = frozenset(self._archive.namelist())
        self._commit = commit
        self.deadline = deadline

    def content(self, path: str, item: Item | None) -> Content | None:
        """Return what a name held, or None where nobody knows."""
        if item is None:
            return NOTHING
        if item.kind == "link":
            return Content(os.fsencode(item.digest), link=True)
        if item.kind != "file":
            return None
        if item.digest in self._names:
            data: bytes | None = self._archive.read(item.digest)
        else:
            data = self._committed(path, item)
        return None if data is None else Content(data, executable=bool(item.mode & 0o100))

    def _committed(self, path: str, item: Item) -> bytes | None:
        if not self._commit or in_git(path) or item.size > BIGGEST:
            return None
        words = ("cat-file", "blob", f"{self._commit}:{path}")
        try:
            done = ask_git(
                self._root, self.deadline, *words, limit_s=ANSWERS_WITHIN_S, doing=f"reading {path}"
            )
        except (OSError, subprocess.TimeoutExpired):
            self._commit = ""  # it would keep each of the others waiting as long
            return None
        same = digest(done.stdout) == item.digest
        return done.stdout if same and not done.returncode else None

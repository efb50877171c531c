"""Phases of a full tidy: the archive's Markdown is consolidated, indexed, and looked at closely."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from autopack.errors import AutopackError, DeadlineExceeded
from autopack.report import Finding
from autopack.state_files import TIDY, TIDY_CURSOR, owner
from autopack.tidy import archive_index
from autopack.tidy.consolidate import Fate, after, decide
from autopack.tidy.routing import Decision, Item
from tasks import policy
from tasks.counts_session import Counting
from tasks.engine import task
from tasks.tidy import as_finding
from tasks.tidy_session import Tidying

if TYPE_CHECKING:
    from autopack.tidy.routing import Item as Found


@dataclass
class Archive:
    """The archive as it was walked, and what is decided about its pages."""

    files: list[Found] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    left: int = 0
    cursor: str = ""


@task(**policy.READ)
def walk_archive(tidying: Tidying) -> Archive:
    """Take the names of everything in the archive."""
    from autopack.io.listing import walk

    return Archive(*walk(tidying.root, tidying.place.path("archive")))


@task(**policy.READ)
def decide_pages(tidying: Tidying, archive: Archive, counting: Counting, cursor: str) -> None:
    """Decide about every page of the archive, beginning behind the last run's cursor."""
    known = {ident for file in counting.pages.counted for ident in file.census.defined}
    below = tidying.place.path("archive/")
    files = tidying.foreseen(item.path for item in archive.files if item.kind == "file")
    pages = sorted(p for p in files if p.lower().endswith(".md") and p.startswith(below))
    archive.fates, archive.left, archive.cursor = [], 0, ""
    ordered = after(pages, cursor)
    for number, path in enumerate(ordered):
        if tidying.out_of_time():
            archive.left = len(ordered) - number
            archive.cursor = ordered[number - 1] if number else cursor
            return
        head = partial(_head, tidying, path)
        archive.fates.append(decide(path, tidying.config, known, head, tidying.place.folder))


def _head(tidying: Tidying, path: str) -> bytes:
    """Return how a page begins; of one that cannot be read, nothing."""
    from autopack.io.files import read_head

    return read_head(tidying.root, tidying.now_at(path))


def superseding(archive: Archive, ready: set[str]) -> list[Decision]:
    """Return the pages that go to `superseded/`: those without an entry, and those that have it."""
    return [
        Decision(Item(f.path, "file"), "route", f.destination, f.rule, f.reason)
        for f in archive.fates
        if f.kind == "superseded" or f.path in ready
    ]


@task(**policy.READ)
def plan_index(tidying: Tidying) -> tuple[str, bytes | None, bytes]:
    """Return the archive's index: its path, the bytes it has, and those it should have."""
    from autopack.io.files import read_page
    from autopack.io.listing import walk

    folder = tidying.place.path("archive")
    path = f"{folder}/{archive_index.NAME}"
    files, _ = walk(tidying.root, folder)
    there = tidying.foreseen(item.path for item in files)
    names = [name for name in there if name != path and name.startswith(f"{folder}/")]
    old = read_page(tidying.root, path)
    if not names and old is None:
        return path, None, b""
    return path, old, archive_index.render(names, folder)


@task(**policy.IDEMPOTENT_WRITE)
def write_file(
    tidying: Tidying, path: str, old: bytes | None, new: bytes, written: list[str]
) -> None:
    """Replace a generated file, only while it still holds what was read."""
    from autopack.io.replace import replace_file

    held = tidying.held
    assert held
    replace_file(tidying.root, path, old, new, lambda: held.guarded("archive"))
    written.append(path)


@task(**policy.READ)
def plan_empty(tidying: Tidying) -> list[str]:
    """Return the folders of the archive that hold nothing but empty folders, the deepest first."""
    from autopack.io.listing import walk

    files, folders = walk(tidying.root, tidying.place.path("archive"))
    used = {tidying.place.path(folder) for folder in tidying.config.folders}
    used |= tidying.foreseen(item.path for item in files)
    above: set[str] = set()
    for path in used:
        while "/" in path:
            path = path.rpartition("/")[0]  # noqa: PLW2901 - up to the root
            above.add(path)
    spare = set(folders) - above - used
    return sorted((f for f in spare if owner(f) is None), key=lambda f: (-f.count("/"), f))


@task(**policy.IDEMPOTENT_WRITE)
def remove_empty(tidying: Tidying, folders: list[str]) -> list[str]:
    """Remove folders that are still empty; return those that are gone."""
    from autopack.io.folders import remove_if_empty

    held = tidying.held
    assert held
    gone = []
    for folder in folders:
        if tidying.out_of_time():
            break
        if remove_if_empty(tidying.root, folder, lambda: held.guarded("archive")):
            gone.append(folder)
    return gone


@task(**policy.READ)
def look_closely(tidying: Tidying, counting: Counting, archive: Archive) -> list[Finding]:
    """Return claims that are not true, and files of the archive that hold the same bytes."""
    drifts = [
        drift for drift in counting.pages.drifts if drift.path != "README.md" and not drift.absent
    ]
    found = []
    if drifts:
        words = f"{len(drifts)} stated counts are not what the ledgers hold"
        path, fix = tidying.place.path(drifts[0].path), tidying.other("sot_counts")
        found.append(Finding("counts_drift", "warning", path, drifts[0].line, words, fix))
    twins, looked, of = _twins(tidying, archive)
    if twins:
        extra = sum(len(paths) - 1 for paths in twins)
        names = ", ".join(sorted(twins[0])[:2])
        words = f"{extra} files of the archive hold the same bytes as another, such as {names}"
        found.append(Finding("archive_duplicates", "info", sorted(twins[0])[0], None, words))
    if looked < of:
        words = f"{of - looked} of {of} files of equal size were not compared: the time ran out"
        found.append(Finding("not_compared", "info", tidying.place.path("archive"), None, words))
    return found


def _twins(tidying: Tidying, archive: Archive) -> tuple[list[list[str]], int, int]:
    """Return the groups of equal files, how many files were compared, and how many should be."""
    from autopack.io.files import read_page

    sizes: dict[int, list[str]] = defaultdict(list)
    for item in archive.files:
        if item.kind == "file" and item.size:
            sizes[item.size].append(item.path)
    suspects = [path for paths in sizes.values() if len(paths) > 1 for path in paths]
    digests: dict[bytes, list[str]] = defaultdict(list)
    for looked, path in enumerate(suspects):
        if tidying.out_of_time():
            return _groups(digests), looked, len(suspects)
        try:
            data = read_page(tidying.root, path)
        except DeadlineExceeded:
            raise
        except AutopackError as error:
            tidying.findings.append(as_finding(error, path))
            continue
        if data is not None:
            digests[sha256(data).digest()].append(path)
    return _groups(digests), len(suspects), len(suspects)


def _groups(digests: dict[bytes, list[str]]) -> list[list[str]]:
    return sorted(
        (paths for paths in digests.values() if len(paths) > 1), key=lambda p: (-len(p), p)
    )


# --- what a run leaves for the next one -------------------------------------------------------


def read_cursor(tidying: Tidying) -> str:
    """Return the page that the last run stopped behind, "" where it came to the end."""
    from autopack.io.files import read_page

    kept = _cursors(read_page(tidying.root, TIDY_CURSOR))
    return str(kept.get(tidying.place.folder or ".", ""))


def _cursors(data: bytes | None) -> dict[str, object]:
    """Return where the last run of each place stopped; of a file that says nothing, nowhere."""
    import json

    try:
        kept = json.loads(data or b"{}")
    except ValueError:  # it only says where to begin
        return {}
    return kept if isinstance(kept, dict) else {}


def keep_cursor(tidying: Tidying, before: str, cursor: str, written: list[str]) -> None:
    """Write down where the next run begins, if that is another page than before."""
    import json

    from autopack.io.files import read_page
    from autopack.io.folders import make_folder

    held = tidying.held
    if not tidying.wish.execute or cursor == before or held is None:
        return
    make_folder(tidying.root, TIDY, lambda: held.guarded("archive"))
    old = read_page(tidying.root, TIDY_CURSOR)
    new = json.dumps({**_cursors(old), tidying.place.folder or ".": cursor}).encode() + b"\n"
    write_file(tidying, TIDY_CURSOR, old, new, written)

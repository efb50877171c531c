"""What earlier deep scans read, kept in the user's cache folder: one file per workspace.

It spares reading, never judging: every link is judged anew. A file that is damaged, cut off or made
by another version of the parser is as good as none.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path

from autopack.io.git import checkout_id
from autopack.links.history import History
from autopack.links.shelf import Shelf, Stat, shelf_from
from autopack.settings import cache_folder

_MAGIC = b"autopack links cache\n"
_SUM = 32
_RACY_NS = 2_000_000_000
"""The coarsest clock of a file system (FAT): within it a file can change and look the same."""
_LEFT_S = 3600
_WHAT_READS = (
    "anchors", "code_paths", "extract", "gfm", "history", "html", "model", "parser", "places",
    "resolve", "scan", "shelf", "shelving", "stubs", "target", "tree",
)  # fmt: skip


@dataclass(frozen=True)
class Cached:
    """What a cache file holds; `began` is when the run that wrote it looked at the first page."""

    began: int
    shelf: Shelf
    history: History | None = None
    history_key: str = ""

    def trusts(self, row: int, now: Stat) -> bool:
        """Return whether a page is the one that was read, judged by what its file is like.

        A file that changed shortly before it was read may have changed again without a trace, so
        its bytes must be looked at (as git does with its index).
        """
        return self.shelf.stat(row) == now and max(now.mtime, now.ctime) < self.began - _RACY_NS


def cache_file(root: Path) -> Path:
    """Return the name of a workspace's cache, which need not be there."""
    return cache_folder() / f"links-{checkout_id(root)}.bin"


def load(root: Path) -> Cached | None:
    """Return the cache of a workspace, None where there is none that is whole and ours."""
    try:
        data = cache_file(root).read_bytes()
        return _read(root, memoryview(data))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _read(root: Path, data: memoryview) -> Cached | None:
    start = len(_MAGIC) + _SUM
    body = data[start:]
    if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : start] != _sum(body):
        return None
    at = 4 + int.from_bytes(body[:4], "big")
    head = json.loads(bytes(body[4:at]))
    if head["key"] != version_key() or head["root"] != os.fspath(root):
        return None
    kept = head["history"]
    history = History({k: tuple(v) for k, v in kept[0].items()}, kept[1], kept[2]) if kept else None
    return Cached(head["began"], shelf_from(body[at:]), history, head["history_key"])


def store(root: Path, cached: Cached) -> Path:
    """Put a cache in place as a whole, so that another run sees the old one or this one.

    Raises:
        OSError: It cannot be written; the one before is still there.
    """
    path = cache_file(root)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = cached.history and [
        dict(cached.history.moved), dict(cached.history.deleted), cached.history.skipped
    ]  # fmt: skip
    head = json.dumps({
        "key": version_key(), "root": os.fspath(root), "began": cached.began, "history": kept,
        "history_key": cached.history_key,
    }).encode()  # fmt: skip
    body = b"".join([len(head).to_bytes(4, "big"), head, cached.shelf.to_bytes()])
    descriptor, made = tempfile.mkstemp(".tmp", f"{path.stem}-", path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines((_MAGIC, _sum(body), body))
        os.replace(made, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(made)
        raise
    _sweep(path)
    return path


def _sweep(path: Path) -> None:
    """Remove what killed runs left beside a cache."""
    for left in path.parent.glob(f"{path.stem}-*.tmp"):
        with suppress(OSError):  # another run's, or gone
            if left.stat().st_mtime < time.time() - _LEFT_S:
                left.unlink()


def _sum(data: bytes | memoryview) -> bytes:
    return blake2b(data, digest_size=_SUM).digest()


@cache
def version_key() -> str:
    """Return what names everything that a reading depends on but the page: code and Unicode."""
    made = blake2b(digest_size=16)
    made.update(f"{sys.version_info[:3]} {unicodedata.unidata_version}".encode())
    parser = find_spec("markdown_it")
    if parser is None or parser.origin is None:
        raise ValueError("the Markdown parser has no source")
    rooms = Path(__file__).parents[1] / "links"
    for path in (Path(parser.origin), *(rooms / f"{name}.py" for name in _WHAT_READS)):
        made.update(path.read_bytes())
    return made.hexdigest()


def stats(root: Path, names: Iterable[str]) -> dict[str, Stat]:
    """Return what files are like, without those that are gone or cannot be asked."""
    found, base = {}, os.fspath(root)
    for name in names:
        try:
            s = os.stat(f"{base}/{name}")
        except (OSError, ValueError):
            continue
        found[name] = Stat(s.st_mtime_ns, s.st_size, s.st_ino & (2**63 - 1), s.st_ctime_ns)
    return found

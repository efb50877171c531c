"""Read many pages at once: in this process, or in two of their own that do nothing else.

The readers are new Python processes, not forks: under Prefect this one has threads. A reader ends
when its input does, so none outlives the run.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.links.model import Page
from autopack.links.shelf import DIGEST, Reading, Shelf, Stat, shelf_from
from autopack.links.shelving import shelf_of

READERS = 2
_WORTH = 1_000_000
"""Bytes of Markdown below which new processes cost more than they save."""
_BATCH = 150_000
_LOOK_S = 0.2
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from autopack.io.link_readers import serve; serve(sys.argv[2])"
)

Progress = Callable[[int], None]
"""Is told how many bytes more have been read."""


def digest(data: bytes) -> bytes:
    """Return what a page's bytes are known by."""
    return blake2b(data, digest_size=DIGEST).digest()


def read_pages(
    root: Path,
    wanted: Mapping[str, Stat],
    deadline: Deadline,
    *,
    exact: bool,
    progress: Progress,
) -> Iterator[Shelf]:
    """Yield what pages hold, some at a time; one that went away meanwhile is left out.

    With `exact` all are read by the parser, otherwise those that the scanner declines or that have
    something to tell whatever the tree holds: links that lead out of it.

    Raises:
        Unreachable: A page is there but cannot be read.
        DeadlineExceeded: The deadline passed; no reader is left.
    """
    left = dict(wanted)
    if sum(stat.size for stat in left.values()) >= _WORTH and _processors() >= READERS:
        for shelf in _beside(root, left, exact, deadline):
            done = list(shelf.texts["names"])
            progress(sum(wanted[name].size for name in done))
            yield shelf
    for name in sorted(left):
        deadline.check(f"reading {name}")
        yield _read(root, [name], exact, left)
        progress(wanted[name].size)


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _read(root: Path, names: Sequence[str], exact: bool, stats: Mapping[str, Stat]) -> Shelf:
    from autopack.io.files import read_page as bytes_of
    from autopack.links.extract import read_page

    found = []
    for name in names:
        data = bytes_of(root, name)
        if data is None:
            continue
        page = None if exact else _scanned(name, data)
        known = page is None
        page = read_page(name, data) if page is None else page
        found.append(Reading(page, digest(data), stats[name], known))
    return shelf_of(found)


def _scanned(name: str, data: bytes) -> Page | None:
    from autopack.links.scan import scan
    from autopack.links.target import take_apart

    page = scan(name, data)
    targets = (link.target for link in page.links) if page else ()
    outside = (t for t in targets if ":" in t or t.startswith("//"))
    return None if any(take_apart(t).where in ("web", "local") for t in outside) else page


# --- readers ----------------------------------------------------------------------------------


def _beside(
    root: Path, left: dict[str, Stat], exact: bool, deadline: Deadline
) -> Iterator[Shelf]:  # fmt: skip
    """Yield what readers read and take it out of `left`; what they fail to read stays there."""
    batches = _batches(left)
    with selectors.DefaultSelector() as waiting:
        readers = _started(root, exact)
        try:
            for reader in readers:
                reader.ask(next(batches, None))
                if not reader.done:  # one without a batch never answers
                    waiting.register(reader.out, selectors.EVENT_READ, reader)
            while waiting.get_map():
                deadline.check("reading pages")
                for key, _ in waiting.select(min(_LOOK_S, deadline.remaining())):
                    reader = key.data
                    shelf = reader.answer()
                    if shelf is not None:
                        for name, _stat in reader.asked:
                            del left[name]
                        reader.ask(next(batches, None))
                        yield shelf
                    if reader.done:
                        waiting.unregister(reader.out)
        finally:
            for reader in readers:
                reader.end()


def _batches(left: Mapping[str, Stat]) -> Iterator[list[tuple[str, Stat]]]:
    batch, size = [], 0
    for name, stat in sorted(left.items()):
        batch.append((name, stat))
        size += stat.size + 1000
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _started(root: Path, exact: bool) -> list[_Reader]:
    """Return readers, fewer or none where the system gives no more processes."""
    readers: list[_Reader] = []
    for _ in range(READERS):
        try:
            readers.append(_Reader(root, exact))
        except OSError:
            break
    return readers


class _Reader:
    """One process that reads pages, with one batch at a time."""

    def __init__(self, root: Path, exact: bool) -> None:
        command = [sys.executable, "-c", _CODE, json.dumps(sys.path), os.fspath(root)]
        self.process = subprocess.Popen(  # noqa: S603 - this Python, a fixed argument vector
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdin
        assert self.process.stdout
        self.into, self.out = self.process.stdin, self.process.stdout
        self.exact, self.done = exact, False
        self.asked: list[tuple[str, Stat]] = []
        self.held = bytearray()

    def ask(self, batch: list[tuple[str, Stat]] | None) -> None:
        """Give it a batch, or nothing more."""
        self.asked = batch or []
        if batch is None:
            self.done = True
            return
        words = [[n, s.mtime, s.size, s.inode, s.ctime] for n, s in batch]
        try:
            self.into.write(_framed(json.dumps([self.exact, words]).encode()))
            self.into.flush()
        except OSError:
            self.done = True

    def answer(self) -> Shelf | None:
        """Return its answer once it is whole; a reader that broke off is done."""
        part = os.read(self.out.fileno(), 1 << 20)
        self.held += part
        self.done = not part
        size = int.from_bytes(self.held[:4], "big")
        if len(self.held) < 4 or len(self.held) < 4 + size:
            return None
        whole, self.held = bytes(self.held[4 : 4 + size]), self.held[4 + size :]
        return shelf_from(whole)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        for stream in (self.into, self.out):
            with contextlib.suppress(OSError):  # it may hold words that nobody reads any more
                stream.close()


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def serve(root: str) -> None:
    """Read what is asked for on standard input until it ends; then end at once."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run that started this one ends it
    gc.set_threshold(200_000, 50, 50)
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, asked), daemon=True).start()
    while True:
        exact, words = json.loads(asked.get())
        stats = {name: Stat(*numbers) for name, *numbers in words}
        try:
            shelf = _read(Path(root), list(stats), exact, stats)
            sys.stdout.buffer.write(_framed(shelf.to_bytes()))
            sys.stdout.buffer.flush()
        except (Unreachable, OSError):  # asked again where it can be told, or nobody listens
            os._exit(1)


def _listen(stream: BinaryIO, asked: queue.SimpleQueue[bytes]) -> None:
    while len(size := stream.read(4)) == 4:
        asked.put(stream.read(int.from_bytes(size, "big")))
    os._exit(0)

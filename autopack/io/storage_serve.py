"""What a walking process does: it reads orders from standard input until that ends.

It loads nothing but what it needs, so that it is at work some 20 ms after it was started.
"""

from __future__ import annotations

import gc
import os
import select
import signal

from autopack.io.storage_backends import attributes_of
from autopack.io.storage_walk import Limits, Walk
from autopack.storage.rows import jobs_of, joined, parted

WALK, SWEEP = b"walk", b"sweep"
_SIZE = 8


def framed(data: bytes) -> bytes:
    """Return a message with its length before it."""
    return len(data).to_bytes(_SIZE, "big") + data


def serve(root: int, backend: str) -> None:
    """Answer orders about the tree below an open root; the first message says what its limits are.

    Ctrl-C is for the process that started this one: it ends this one too.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # nothing here refers to itself
    device, mounts = parted(_read_message())
    limits = Limits(int(device), frozenset(mounts.split(b"\0")) - {b""})
    attributes = attributes_of(backend)
    walk = Walk(root, attributes, limits, _end_if_alone)
    while True:
        order, *parts = parted(_read_message())
        if order == WALK:
            paths, ids, budget = parts
            _answer(walk.run(jobs_of(paths, ids), int(budget)).to_bytes())
        else:
            attributes.look_all(root, parts[0].split(b"\0"))
            _answer(joined(attributes.take()))


def _end_if_alone() -> None:
    """End at once when nobody is there any more to give orders."""
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    if any(what & select.POLLHUP for _, what in waiting.poll(0)):
        os._exit(0)


def _read_message() -> bytes:
    return _read(int.from_bytes(_read(_SIZE), "big"))


def _read(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _answer(data: bytes) -> None:
    view = memoryview(framed(data))
    try:
        while view:
            view = view[os.write(1, view) :]
    except OSError:  # nobody listens
        os._exit(0)

"""Walk a tree, or look at many paths, with two processes of their own.

They are new Python processes, not forks: under Prefect this one has threads. Each inherits the open
root, so that all look at one folder whatever becomes of its name. None outlives the run: it ends
when its input does. What a process that broke off was asked for is done here.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from autopack.deadline import Deadline
from autopack.io.storage_serve import SWEEP, WALK, framed
from autopack.storage.rows import Block, Job, joined, packed_jobs, parted

WORKERS = 2
BUDGET = 12_000
"""Rows after which a process comes back, so that nobody waits long for the last one."""
_SHARE = 1_000
_LOOK_S = 0.2
_CODE = (
    "import sys; sys.path[:] = sys.argv[3:]; "
    "from autopack.io.storage_serve import serve; serve(int(sys.argv[1]), sys.argv[2])"
)


class Worker:
    """One process that walks."""

    def __init__(self, root: int, backend: str, limits: bytes) -> None:
        """Start it.

        Raises:
            OSError: The system gives no more processes.
        """
        command = [sys.executable, "-I", "-S", "-c", _CODE, str(root), backend, *sys.path]
        self.process = subprocess.Popen(  # noqa: S603 - this Python, a fixed argument vector
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(root,),
            bufsize=0,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.into, self.out = self.process.stdin, self.process.stdout
        self.held = bytearray()
        self.asked: object = None
        self.broken = False
        self._send(limits)

    def ask(self, what: object, order: bytes) -> None:
        """Give it an order, remembered as `what` until the answer is there."""
        self.asked = what
        self._send(order)

    def _send(self, data: bytes) -> None:
        view = memoryview(framed(data))
        try:
            while view:
                view = view[self.into.write(view) or 0 :]
        except OSError:
            self.broken = True

    def answer(self) -> bytes | None:
        """Return its answer once it is whole; one that broke off has none."""
        part = os.read(self.out.fileno(), 1 << 20)
        self.held += part
        self.broken = self.broken or not part
        size = int.from_bytes(self.held[:8], "big")
        if len(self.held) < 8 or len(self.held) < 8 + size:
            return None
        whole = bytes(memoryview(self.held)[8 : 8 + size])
        self.held.clear()
        return whole

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        for stream in (self.into, self.out):
            with contextlib.suppress(OSError):
                stream.close()


class Crew:
    """The processes of one scan; `close` ends them."""

    def __init__(self, root: int, backend: str, device: int, mounts: frozenset[bytes]) -> None:
        self.workers: list[Worker] = []
        limits = joined([str(device).encode(), b"\0".join(mounts)])
        with contextlib.suppress(OSError):  # fewer do as well
            for _ in range(WORKERS):
                self.workers.append(Worker(root, backend, limits))

    def walk(self, jobs: Sequence[Job], deadline: Deadline) -> Iterator[Block]:
        """Yield the rows of folders and of all below them; what is left at the end is undone."""
        left = deque(jobs)

        def order() -> tuple[object, bytes] | None:
            if not left:
                return None
            share = min(_SHARE, max(1, len(left) // (2 * WORKERS)))
            taken = [left.popleft() for _ in range(share)]
            return taken, joined([WALK, *packed_jobs(taken), str(BUDGET).encode()])

        for asked, answer in self._ordered(order, deadline):
            if answer is None:
                left.extend(asked)  # type: ignore[arg-type]
                continue
            block = Block.from_bytes(answer)
            left.extend(block.jobs())
            yield block
        if left:
            paths, ids = packed_jobs(left)
            yield Block(b"", b"", b"", (), b"", paths, ids)

    def look(
        self, parts: Sequence[bytes], deadline: Deadline
    ) -> Iterator[tuple[int, list[bytes] | None]]:
        """Yield the number of each part (paths joined by NUL) with the columns of their attributes.

        None stands for what is undone.
        """
        left = deque(range(len(parts)))

        def order() -> tuple[object, bytes] | None:
            if not left:
                return None
            n = left.popleft()
            return n, joined([SWEEP, parts[n]])

        for n, answer in self._ordered(order, deadline):
            yield n, None if answer is None else parted(answer)  # type: ignore[misc]
        for n in left:
            yield n, None

    def _ordered(
        self, order: Callable[[], tuple[object, bytes] | None], deadline: Deadline
    ) -> Iterator[tuple[object, bytes | None]]:
        """Yield each order with its answer, None from a process that broke off."""
        idle = [worker for worker in self.workers if not worker.broken]
        with selectors.DefaultSelector() as waiting:
            while True:
                while idle and (given := order()) is not None:
                    worker = idle.pop()
                    worker.ask(*given)
                    waiting.register(worker.out, selectors.EVENT_READ, worker)
                if not waiting.get_map():
                    return
                deadline.check("walking the tree")
                for key, _ in waiting.select(min(_LOOK_S, deadline.remaining())):
                    worker = key.data
                    answer = worker.answer()
                    if answer is None and not worker.broken:
                        continue
                    waiting.unregister(worker.out)
                    if not worker.broken:
                        idle.append(worker)
                    yield worker.asked, answer

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self.workers:
            worker.end()

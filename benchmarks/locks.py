"""How fast the locks are, and how soon the next one has a lock after kill -9.

`python -m benchmarks.locks [--kills 200]`: acquire and release without and with competition, held
against the bare kernel lock, which knows no generation, no record and no order. The other
libraries have none of these either; they are here to show what people are used to.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import signal
import sqlite3
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from autopack.deadline import Deadline
from autopack.io.locks import MultiLock, Owner
from benchmarks.measure import Row, interleaved, show

BARE = "bare flock"
WORKERS = 4
HOLD_S = 0.0002
POLL_S = 0.001
Act = Callable[[], object]
Pair = tuple[Act, Act]


# --- contenders -------------------------------------------------------------------------------


def bare(folder: Path) -> Pair:
    """Open, flock and close: the least there is."""
    held: list[int] = []

    def acquire() -> None:
        held.append(os.open(folder / "bare", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC))
        fcntl.flock(held[0], fcntl.LOCK_EX)

    return acquire, lambda: os.close(held.pop())


def ours(folder: Path, *, durable: bool = False) -> Pair:
    """One name exclusively, with generation and record."""
    held: list[MultiLock] = []

    def acquire() -> None:
        locks = MultiLock(
            folder, {"docs": "exclusive"}, Owner("benchmark"), Deadline.after(600), durable=durable
        )
        locks.acquire()
        held.append(locks)

    return acquire, lambda: held.pop().release()


def durable(folder: Path) -> Pair:
    """The same, and wait for the disk."""
    return ours(folder, durable=True)


def of_filelock(folder: Path) -> Pair:
    """`filelock.FileLock`."""
    import filelock

    lock = filelock.FileLock(folder / "filelock")
    return (lambda: lock.acquire(poll_interval=POLL_S)), lock.release


def of_portalocker(folder: Path) -> Pair:
    """`portalocker.Lock`."""
    import portalocker

    lock = portalocker.Lock(folder / "portalocker", timeout=600, check_interval=POLL_S)
    return lock.acquire, lock.release


def of_fasteners(folder: Path) -> Pair:
    """`fasteners.InterProcessLock`."""
    import fasteners

    lock = fasteners.InterProcessLock(folder / "fasteners")
    return (lambda: lock.acquire(delay=POLL_S, max_delay=POLL_S)), lock.release


def of_sqlite(folder: Path) -> Pair:
    """SQLite's `BEGIN IMMEDIATE`."""
    database = sqlite3.connect(folder / "sqlite.db", timeout=600, isolation_level=None)

    def acquire() -> None:
        while True:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                time.sleep(POLL_S)
            else:
                return

    return acquire, lambda: database.execute("ROLLBACK")


CONTENDERS: dict[str, Callable[[Path], Pair]] = {
    BARE: bare,
    "ours: generation and record": ours,
    "ours, durable": durable,
    "filelock": of_filelock,
    "portalocker": of_portalocker,
    "fasteners": of_fasteners,
    "SQLite BEGIN IMMEDIATE": of_sqlite,
}


# --- measures ---------------------------------------------------------------------------------


def alone(pair: Pair, times: int) -> None:
    """Acquire and release, with nobody else there."""
    acquire, release = pair
    for _ in range(times):
        acquire()
        release()


def together(make: Callable[[Path], Pair], folder: Path, times: int) -> None:
    """Let processes fight for it until each had it `times` times."""
    workers = [_fork(lambda: _worker(make, folder, times)) for _ in range(WORKERS)]
    for pid in workers:
        _, status = os.waitpid(pid, 0)
        assert status == 0, "a worker failed"


def _worker(make: Callable[[Path], Pair], folder: Path, times: int) -> None:
    acquire, release = make(folder)
    for _ in range(times):
        acquire()
        until = time.perf_counter() + random.random() * 2 * HOLD_S
        while time.perf_counter() < until:
            pass
        release()


def _fork(work: Act) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


@dataclass(frozen=True)
class Recovery:
    """Milliseconds from kill -9 of the holder to the next grant."""

    p50: float
    p99: float
    worst: float


def recovery(make: Callable[[Path], Pair], folder: Path, kills: int) -> Recovery:
    """Kill holders while one waits, and time the waiter."""
    taken = sorted(_one_recovery(make, folder) * 1000 for _ in range(kills))
    return Recovery(median(taken), quantiles(taken, n=100)[98], taken[-1])


def _one_recovery(make: Callable[[Path], Pair], folder: Path) -> float:
    with _holder(make, folder) as (holder, first), _holder(make, folder, first) as (_, granted):
        # Long enough for the waiter's naps to be as long as they get.
        time.sleep(0.06 + random.random() * 0.01)
        killed = time.monotonic_ns()
        os.kill(holder, signal.SIGKILL)
        return (granted() - killed) / 1e9


@contextmanager
def _holder(
    make: Callable[[Path], Pair], folder: Path, after: Act = lambda: None
) -> Iterator[tuple[int, Callable[[], int]]]:
    """Start a process that takes the lock; yield its pid, and what waits for its grant."""
    after()
    read, write = os.pipe()

    def hold() -> None:
        pair = make(folder)
        pair[0]()
        os.write(write, struct.pack("q", time.monotonic_ns()))
        time.sleep(600)
        pair[1]()

    pid = _fork(hold)
    try:
        yield pid, lambda: int(struct.unpack("q", os.read(read, 8))[0])
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)


# --- figures ----------------------------------------------------------------------------------


def _rows(what: str, times: list[float], count: int) -> list[Row]:
    return [
        Row(f"{name}: {count} {what}", seconds, BARE, times[0])
        for name, seconds in zip(CONTENDERS, times, strict=True)
    ]


def _rates(times: list[float], count: int) -> str:
    rates = zip(CONTENDERS, times, strict=True)
    return ", ".join(f"{name} {count / seconds:,.0f}" for name, seconds in rates)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    alone_n, each_n = 500, 100
    together_n = WORKERS * each_n
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = [make(folder) for make in CONTENDERS.values()]
        apart = interleaved(7, *(lambda p=pair: alone(p, alone_n) for pair in pairs))
        fights = interleaved(
            5, *(lambda m=make: together(m, folder, each_n) for make in CONTENDERS.values())
        )
        after_kill = {
            label: recovery(CONTENDERS[label], folder, kills)
            for label in (BARE, "ours: generation and record")
        }
    notes: dict[str, object] = {
        "acquire+release a second, alone": _rates(apart, alone_n),
        f"acquire+release a second, {WORKERS} processes": _rates(fights, together_n),
        **{
            f"next grant after kill -9, {kills} kills, {label}": f"p50 {r.p50:.1f} ms, "
            f"p99 {r.p99:.1f} ms, worst {r.worst:.1f} ms"
            for label, r in after_kill.items()
        },
    }
    rows = _rows("acquire+release", apart, alone_n)
    show([*rows, *_rows(f"by {WORKERS} processes", fights, together_n)], notes)


if __name__ == "__main__":
    main()

"""The locks that this process holds, and the one thread that sends their heartbeats."""

from __future__ import annotations

import signal
import threading
import time

from autopack.io.lock_hold import Hold, this_thread
from autopack.io.lock_kernel import forking_waits
from autopack.io.lock_refs import Refs

INTERVAL_S = 5.0

_live: Refs[Hold] = Refs()
_threads: list[threading.Thread] = []


def watch(hold: Hold) -> None:
    """Send heartbeats for the lock until it is let go."""
    with forking_waits():
        _live.add(hold)
        # In a forked child the thread is not alive: it stayed with the parent.
        if not _threads or not _threads[0].is_alive():
            _threads[:] = [threading.Thread(target=_run, name="lock-heartbeat", daemon=True)]
            _threads[0].start()


def forget(hold: Hold) -> None:
    """Send no more heartbeats for it."""
    with forking_waits():
        _live.discard(hold)


def live() -> list[Hold]:
    """Return the locks that this process holds now."""
    with forking_waits():
        return [hold for hold in _live if hold.held]


def held_here(folder: str) -> list[Hold]:
    """Return the locks of one folder that this thread holds."""
    if not _live:
        return []
    me = this_thread()
    return [hold for hold in live() if hold.thread is me and hold.files.folder == folder]


def beat_all() -> None:
    """Send one heartbeat for each lock."""
    for hold in live():
        hold.beat()


def _run() -> None:
    # Signals are for the threads that do the work.
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        time.sleep(INTERVAL_S)
        beat_all()

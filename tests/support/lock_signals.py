"""Take and let go locks, while signals raise at any moment: nothing may stay locked.

`python -m tests.support.lock_signals ROOT TIMES`: a child sends SIGINT or SIGTERM at random, until
so many have ended a block. Prints how many, in how many rounds, and the lock files left open after.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from autopack.deadline import Deadline
from autopack.io.locks import MultiLock, Owner


class Came(BaseException):
    """What the handler raises."""


class Alarm:
    """A handler that raises once when it is set: the test's own loop must live on."""

    on = False

    def __call__(self, _number: int, _frame: object) -> None:
        if self.on:
            self.on = False
            raise Came


def send(parent: int) -> None:
    """Send signals at random moments, as long as the parent is there."""
    while os.getppid() == parent:
        time.sleep(random.random() * 0.004)
        os.kill(parent, random.choice((signal.SIGINT, signal.SIGTERM)))
    os._exit(0)


def once(root: Path) -> None:
    """Take and let go one set; an exception that leaves takes every reference along."""
    wants = {"tidy": "shared", "docs": "exclusive"}
    with MultiLock(root, wants, Owner("signals"), Deadline.after(60)) as locks:
        locks["docs"].commit(lambda: None)


def raises(root: Path, alarm: Alarm) -> bool:
    """Do it with the alarm set; return whether a signal ended it."""
    try:
        alarm.on = True
        once(root)
        alarm.on = False
    except Came:
        return True
    return False


def still_open() -> list[str]:
    """Return the lock files that this process has open."""
    links = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that lists the folder is gone
            links.append(os.readlink(path))
    return [link for link in links if link.endswith((".lock", ".guard"))]


def main() -> None:
    """Run until so many signals have raised."""
    root, times, parent = Path(sys.argv[1]), int(sys.argv[2]), os.getpid()
    rounds, raised, left = 0, 0, []
    alarm = Alarm()
    signal.signal(signal.SIGINT, alarm)
    signal.signal(signal.SIGTERM, alarm)
    sender = os.fork()
    if sender == 0:
        send(parent)
    while raised < times:
        rounds += 1
        if raises(root, alarm):
            raised += 1
            left += still_open()
    os.kill(sender, signal.SIGKILL)
    os.waitpid(sender, 0)
    print(json.dumps({"rounds": rounds, "raised": raised, "left": left}))


if __name__ == "__main__":
    main()

"""Start a command, stay above all that it starts, and end what is left of it when it is over.

Run as a program, `python -I -S warden.py CONTROL KEEP GRACE_S COMMAND…`. Whatever loses its parent
becomes the warden's child (PR_SET_CHILD_SUBREAPER), in whatever session and environment it is, so
that nothing is out of reach. The command gets the descriptors 0, 1, 2 and those of KEEP; what else
the warden has open, as the locks of the run, is the warden's alone. SIGTERM, or the end of whoever
holds the other side of CONTROL, ends everything: SIGTERM, and SIGKILL after GRACE_S seconds. What
outlived the command goes to CONTROL as a list of pids in JSON; then the warden ends as the command
did. It imports nothing of the project: it starts in milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time

_DEATH_SIGNAL, _DUMPABLE, _CHILD_SUBREAPER = 1, 4, 36
KILLS_WITHIN_S = 5.0
"""So long what comes anew is killed; then what cannot be killed is left."""
GOES_WITHIN_S = 0.2
"""So long may what has just lost its parent go by itself, as what a sandbox started for itself."""
TOLD = 500
"""So many pids are told."""


class _Warden:
    """The command, and what has become of it."""

    def __init__(self, child: int, control: int, woken: int) -> None:
        self.child = child
        self.control = control
        self.woken = woken
        self.status: int | None = None

    def watch(self) -> bool:
        """Wait until the command has ended, or return False when it is to be ended."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.woken, select.POLLIN)
        while self.reap() and self.status is None:
            for descriptor, _ in poll.poll():
                if descriptor == self.control or signal.SIGTERM in os.read(self.woken, 512):
                    return False
        return True

    def reap(self) -> bool:
        """Take note of what has ended; return whether anything is left below this process."""
        with contextlib.suppress(ChildProcessError):
            while pid := (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if pid == self.child:
                    self.status = ended[1]
            return True
        return False

    def settle(self) -> None:
        """Give a moment to what is about to end anyway."""
        until = time.monotonic() + GOES_WITHIN_S
        while self.reap() and time.monotonic() < until:
            time.sleep(0.002)

    def end_all(self, grace_s: float) -> list[int]:
        """End everything below this process, politely first; return what was there."""
        found: set[int] = set()
        asked: set[int] = set()
        until = time.monotonic() + grace_s
        while self.reap() and (now := time.monotonic()) < until + KILLS_WITHIN_S:
            there = _below(os.getpid())
            found.update(there)
            for pid in there if now >= until else there - asked:
                with contextlib.suppress(OSError):  # it ended, or may not be ended by us
                    os.kill(pid, signal.SIGKILL if now >= until else signal.SIGTERM)
            asked |= there
            time.sleep(0.001 if now >= until else 0.02)
        return sorted(found)

    def end_likewise(self) -> None:
        """End as the command did, without a core of its own."""
        status = self.status if self.status is not None else 0
        if os.WIFSIGNALED(status):
            _control_process(_DUMPABLE, 0)
            number = os.WTERMSIG(status)
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        os._exit(os.waitstatus_to_exitcode(status))


def _below(top: int) -> set[int]:
    """Return the living processes below one, as `/proc` has them now."""
    inner: dict[int, list[int]] = {}
    dead = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:
                # The name in brackets may hold blanks and brackets of its own.
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                inner.setdefault(int(parent), []).append(int(entry))
                if state in (b"Z", b"X"):
                    dead.add(int(entry))
    found, waiting = set(), [top]
    while waiting:
        waiting += (more := inner.get(waiting.pop(), []))
        found.update(more)
    return found - dead


def _control_process(what: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(what, value, 0, 0, 0)


def _started(kept: set[int], command: list[str]) -> int:
    """Start the command in a session of its own, with no descriptors but these."""
    if pid := os.fork():
        return pid
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        _control_process(_DEATH_SIGNAL, signal.SIGKILL)
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept:
                with contextlib.suppress(OSError):  # that of the listing is closed already
                    os.close(int(name))
        os.execv(command[0], command)  # noqa: S606 - what starts the user's own command
    finally:
        os._exit(126)


def _woken() -> int:
    """Return a descriptor that can be read when a child has ended or SIGTERM has come."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return woken


def main(control: int, kept: list[int], grace_s: float, command: list[str]) -> None:
    """Be the warden of a command, and end as it does."""
    woken = _woken()
    _control_process(_CHILD_SUBREAPER, 1)
    warden = _Warden(_started({0, 1, 2, *kept}, command), control, woken)
    for descriptor in kept:
        os.close(descriptor)
    outlived = warden.watch()
    if outlived:
        warden.settle()
    left = warden.end_all(grace_s)
    if outlived:
        with contextlib.suppress(OSError):  # nobody is there to hear it
            os.write(control, json.dumps(left[:TOLD]).encode())
    warden.end_likewise()


if __name__ == "__main__":
    main(
        int(sys.argv[1]), [int(word) for word in sys.argv[2].split(",")], float(sys.argv[3]),
        sys.argv[4:],
    )  # fmt: skip

"""Let a command write only where it was told to: Landlock, which Linux has for every user.

Run as a program, `python -I -S landlock.py FD ERROR_FD COMMAND…`, it reads from FD as JSON what may
be written, gives up every other write for itself and all it starts, and becomes the command. If it
cannot, it says why on ERROR_FD. It imports nothing of the project: it starts in milliseconds.

Landlock does not know changes of mode, owner or time (Linux, userspace-api/landlock).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from functools import cache

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_BENEATH = 1
_NO_NEW_PRIVILEGES = 38
_WRITE_FILE, _REMOVE_DIR, _REMOVE_FILE = 1 << 1, 1 << 4, 1 << 5
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK = 1 << 6, 1 << 7, 1 << 8, 1 << 9
_MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = 1 << 10, 1 << 11, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_SCOPE_SIGNAL = 1 << 1
FIRST_WHOLE = 3
"""The first version of Landlock that keeps files from being truncated: Linux 6.2."""
_WRITES = (
    _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_CHAR | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK
    | _MAKE_FIFO | _MAKE_BLOCK | _MAKE_SYM | _REFER | _TRUNCATE
)  # fmt: skip
RIGHTS = {
    "file": _WRITE_FILE | _TRUNCATE,
    "folder": _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER,
    "anything": _WRITES & ~(_MAKE_CHAR | _MAKE_BLOCK),
}
"""What may be done with a file, in a folder of the phase (no links, pipes, sockets), elsewhere.

Nowhere is a device made: whoever may write to it would write to the disk itself.
"""


class _Ruleset(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "network", "scoped")]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


@cache
def version() -> int:
    """Return the kernel's version of Landlock, 0 where there is none."""
    if sys.platform != "linux" or os.uname().machine not in ("x86_64", "aarch64", "riscv64"):
        return 0
    return max(0, _call(_CREATE, None, ctypes.c_size_t(0), 1))


def confine(write: list[tuple[str, str]]) -> None:
    """Give up every write but to these paths, each with a word of `RIGHTS`; there is no way back.

    Raises:
        OSError: A path is not there, or the kernel refuses.
    """
    signals = _SCOPE_SIGNAL if version() >= 6 else 0
    rules = _Ruleset(_WRITES, 0, signals)
    size = ctypes.c_size_t(ctypes.sizeof(rules) if signals else ctypes.sizeof(ctypes.c_uint64))
    ruleset = _checked(_call(_CREATE, ctypes.byref(rules), size, 0))
    for path, word in write:
        parent = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        beneath = _Beneath(RIGHTS[word], parent)
        _checked(_call(_ADD, ruleset, _BENEATH, ctypes.byref(beneath), 0))
        os.close(parent)
    libc = ctypes.CDLL(None, use_errno=True)
    _checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(_call(_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _call(number: int, *words: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *words))


def _checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def _become(given: int, failure: int, command: list[str]) -> None:
    """Confine this process and become the command; only on failure does it come back."""
    os.set_inheritable(failure, False)
    try:
        with os.fdopen(given, "rb") as file:
            write = json.load(file)
        if write is not None:
            confine(write)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; nobody else does
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - the user's own command
    except OSError as error:
        os.write(failure, f"{error.filename or command[0]}: {error.strerror}".encode())
        os._exit(126)


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])

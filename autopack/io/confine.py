"""Start a command that can write only within a phase's scope, with what the machine offers."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from autopack.errors import Refused, Unreachable, UsageError
from autopack.io import landlock, warden
from autopack.io.beneath import drop_empty, look, missing_folders, opened, opened_root, split
from autopack.io.private import private_folder
from autopack.phases.confinement import Grants

Sandbox = Literal["landlock", "bubblewrap", "none"]
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
           "/dev/ptmx", "/dev/pts", "/dev/shm")  # fmt: skip # noqa: S108 - a device, not a name in it
"""What programs write to though it keeps nothing, and shared memory."""
_ON_FILES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID")
_PYTHON = (sys.executable, "-I", "-S")


def best() -> Sandbox:
    """Return the sandbox of this machine: Landlock, else bubblewrap where it works, else none."""
    if landlock.version() >= landlock.FIRST_WHOLE:
        return "landlock"
    return "bubblewrap" if bubblewrap_works() else "none"


def bubblewrap_works() -> bool:
    """Return whether bubblewrap is there and may make a namespace."""
    return bool(_bubblewrap())


@cache
def _bubblewrap() -> tuple[str, ...]:
    """Return bubblewrap's words before what may be written; none where it does not work.

    Everything can be read, devices are bubblewrap's own few, and of root's rights those about
    files are left: the others undo what is mounted. Where the system lets a namespace of processes
    be made, nobody outside can be signalled either; root has to have it.
    """
    root = os.geteuid() == 0
    start = (shutil.which("bwrap") or "", "--ro-bind", "/", "/")
    rights = ("--cap-drop", "ALL", *(word for name in _ON_FILES if root
                                     for word in ("--cap-add", name)))  # fmt: skip
    alone = ("--dev", "/dev", "--unshare-pid", "--proc", "/proc",
             "--ro-bind", "/proc/sys", "/proc/sys")  # fmt: skip
    ways = [(*start, *alone, *rights)]
    if not root:
        ways.append((*start, "--dev-bind", "/dev", "/dev", *rights))
    return next(filter(_starts, ways), ())


def _starts(words: Sequence[str]) -> bool:
    if not words[0]:
        return False
    try:
        tried = subprocess.run(  # noqa: S603 - a fixed argument vector, no shell
            [*words, "--", "true"], capture_output=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


def outside(root: Path, paths: Sequence[str]) -> list[str]:
    """Return folders outside a workspace, in full.

    Raises:
        UsageError: One is not there, or meets the workspace.
    """
    found = []
    for path in paths:
        real = Path(os.path.realpath(path))
        if not real.is_dir():
            raise UsageError(f"--writable {path}: no such folder", next_step="make it first")
        if real == root or real in root.parents or root in real.parents:
            raise UsageError(
                f"--writable {path} meets the workspace",
                next_step="name it in the spec's scope.paths",
            )
        found.append(str(real))
    return found


@dataclass(frozen=True)
class Confinement:
    """A sandbox, the workspace, what may be written in it, elsewhere, and a private folder."""

    sandbox: Sandbox
    root: Path
    grants: Grants
    elsewhere: tuple[str, ...]
    private: str
    take_away: Callable[[], None] = lambda: None
    """Removes the files that were made for the sandbox and that nobody wrote."""

    @property
    def environment(self) -> dict[str, str]:
        """Return what tells programs where they may leave things."""
        return {"TMPDIR": self.private, "XDG_CACHE_HOME": f"{self.private}/cache"}

    def writable(self) -> list[tuple[str, str]]:
        """Return the paths that may be written, each with a word of `landlock.RIGHTS`."""
        folders = [*self.grants.folders, *self.grants.missing_folders]
        files = [*self.grants.files, *self.grants.missing_files]
        above = [str(folder) for folder in self.root.parents]
        devices = [path for path in DEVICES if os.path.exists(path) and path not in above]
        return [
            *self._there(folders, "folder"),
            *self._there(files, "file"),
            *((path, "anything" if os.path.isdir(path) else "file") for path in devices),
            *((path, "anything") for path in (*self.elsewhere, self.private)),
        ]

    def _there(self, paths: Sequence[str], word: str) -> Iterator[tuple[str, str]]:
        """Yield what is there still: a phase may remove or replace what it may write."""
        for path in paths:
            full = f"{self.root}/{path}"
            if os.path.realpath(full) != full:  # a link, here or above, leads elsewhere
                continue
            if os.path.isdir(full):
                yield full, word
            elif os.path.isfile(full):
                yield full, "file"

    def wrapped(self, command: Sequence[str]) -> list[str]:
        """Return the command as bubblewrap starts it, or as it is."""
        if self.sandbox != "bubblewrap":
            return list(command)
        binds = [word for path, _ in self.writable() if path not in DEVICES
                 for word in ("--bind", path, path)]  # fmt: skip
        own = ["--ro-bind", str(self.root), str(self.root)]  # it may lie in shared memory
        return [
            *_bubblewrap(),
            *own,
            *binds,
            "--chdir",
            str(self.root),
            "--die-with-parent",
            "--",
            *command,
        ]


@contextmanager
def confinement(
    sandbox: Sandbox, root: Path, granted: Grants, elsewhere: Sequence[str]
) -> Iterator[Confinement]:
    """Give a confinement whose files and folders are there.

    What the scope names and is missing is made empty, because a sandbox lets write only what is
    there; a file that nobody wrote is taken away before the validation, a folder that is empty at
    the end.
    """
    if sandbox == "none":
        granted = Grants((), (), (), (), granted.looser, granted.closed)
    with (
        private_folder("autopack-phase-") as private,
        _made(root, granted) as take_away,
    ):
        yield Confinement(sandbox, root, granted, tuple(elsewhere), private, take_away)


@contextmanager
def _made(root: Path, granted: Grants) -> Iterator[Callable[[], None]]:
    made: dict[str, tuple[int, ...]] = {}
    folders: list[str] = []
    with opened_root(root) as top:
        try:
            _make(top, granted, made, folders)
            yield lambda: _take_away(top, made)
        finally:
            _take_away(top, made)
            drop_empty(top, tuple(folders))


def _make(top: int, granted: Grants, made: dict[str, tuple[int, ...]], folders: list[str]) -> None:
    """Make what is missing, and note it while it is made."""
    try:
        for path in granted.missing_folders:
            folders += missing_folders(top, path)
            with opened(top, path, make=True):
                pass
        for path in granted.missing_files:
            parent, name = split(path)
            folders += missing_folders(top, parent)
            with opened(top, parent, make=True) as held:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(name, flags, 0o644, dir_fd=held))
                made[path] = _marks(look(held, name))
    except NotADirectoryError as error:
        raise Refused(
            f"{error.filename}: a link or a file stands where the scope has a folder",
            next_step="python -m flows.phase_check validate names it",
        ) from None
    except OSError as error:
        raise Unreachable(
            f"{path}, which the scope names and the sandbox needs, cannot be made: "
            f"{error.strerror}",
            next_step="make it, or let its folder be written",
            permanent=True,
        ) from None


def _marks(found: os.stat_result | None) -> tuple[int, ...]:
    return (found.st_ino, found.st_size, found.st_ctime_ns) if found else ()


def _take_away(top: int, made: Mapping[str, tuple[int, ...]]) -> None:
    """Remove the files that are as they were made; one that was written empty is somebody's."""
    for path, marks in made.items():
        parent, name = split(path)
        with contextlib.suppress(OSError), opened(top, parent) as held:
            if _marks(look(held, name)) == marks:
                os.unlink(name, dir_fd=held)


@dataclass
class Launch:
    """The words that start a command confined, the descriptors they need, and what outlived it.

    `left` is known when the block has ended.
    """

    words: list[str]
    descriptors: tuple[int, ...] = ()
    left: list[int] = field(default_factory=list)


@contextmanager
def launcher(confined: Confinement, command: Sequence[str], grace_s: float) -> Iterator[Launch]:
    """Give what starts a command confined, below a warden that ends all it leaves.

    The warden is asked by SIGTERM to end the command; what has not ended within `grace_s` seconds
    is killed. It does the same if this process ends.

    Raises:
        Unreachable: On the way out, if the command could not be started.
    """
    if not hasattr(os, "memfd_create"):
        yield Launch(list(command))
        return
    with ExitStack() as opened_here:
        given, told, failure = _channels(opened_here)
        control, theirs = socket.socketpair()
        opened_here.enter_context(control)
        opened_here.enter_context(theirs)
        rules = confined.writable() if confined.sandbox == "landlock" else None
        os.write(given, json.dumps(rules).encode())
        os.lseek(given, 0, os.SEEK_SET)
        words = [
            *_PYTHON, warden.__file__, str(theirs.fileno()), f"{given},{failure}", f"{grace_s:g}",
            *confined.wrapped(
                [*_PYTHON, landlock.__file__, str(given), str(failure), *command]
            ),
        ]  # fmt: skip
        launch = Launch(words, (theirs.fileno(), given, failure))
        yield launch
        theirs.close()
        launch.left += _heard(control)
        os.set_blocking(told, False)
        with contextlib.suppress(BlockingIOError):  # nothing was said
            if said := os.read(told, 4096).decode(errors="replace"):
                raise Unreachable(said, next_step="check the command", permanent=True)


def _channels(stack: ExitStack) -> tuple[int, int, int]:
    """Return where a command's grants are written, and the two ends of what says why it failed."""
    made = (os.memfd_create("autopack-grants"), *os.pipe())
    for descriptor in made:
        stack.callback(os.close, descriptor)
    return made


def _heard(control: socket.socket) -> list[int]:
    """Return the pids that the warden told; it has ended, and so has said all."""
    control.setblocking(False)
    with contextlib.suppress(OSError, ValueError):
        return [int(pid) for pid in json.loads(control.recv(1 << 16))]
    return []

"""Runs of moves that are killed at the n-th line they execute: the same place every time.

A forked child counts the lines it executes in the modules that move things, and kills itself with
SIGKILL at the n-th. Nothing depends on how fast the machine is.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from autopack.io import fingerprint, no_replace
from tests.support.moves import files, in_child, make, plan, recover

MODULES = (
    "moves.py", "move_act.py", "move_batch.py", "move_journal.py", "move_recovery.py",
    "copying.py", "no_replace.py", "beneath.py", "fingerprint.py", "move_queue.py", "replace.py",
)  # fmt: skip


def lines_of(work: Callable[[], None], kill_at: int = 0, modules: Collection[str] = MODULES) -> int:
    """Run `work` in a child and return how many lines it executed; 0 when it was killed.

    Only lines of these modules, by their file names, are counted.
    """
    out, into = os.pipe()

    def counted() -> None:
        count = 0

        def step(frame: FrameType, event: str, _arg: Any) -> Any:
            nonlocal count
            if event == "line":
                count += 1
                if count == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)
            return step

        def enter(frame: FrameType, _event: str, _arg: Any) -> Any:
            return step if os.path.basename(frame.f_code.co_filename) in modules else None

        sys.settrace(enter)
        work()
        sys.settrace(None)
        os.write(into, str(count).encode())

    try:
        code = in_child(counted)
        os.close(into)
        told = os.read(out, 32)
        into = -1
    finally:
        os.close(out)
        if into >= 0:
            os.close(into)
    assert code in (0, -signal.SIGKILL), code
    return int(told or 0)


@dataclass
class Course:
    """A workspace laid out anew for each round; `archive/` may be another filesystem."""

    root: Path
    fallback: bool = False

    def lay(self) -> dict[str, bytes]:
        """Lay the same files out and return them; what was there is removed."""
        for path in [*self.root.iterdir(), *(self.root / "archive").glob("*")]:
            if path.name != "archive":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (self.root / "logs/run/inner").mkdir(parents=True)
        (self.root / "archive").mkdir(exist_ok=True)
        for n, name in enumerate(("a.md", "b.log", "ünï\ncode.txt", "logs/run/1", "logs/run/2")):
            (self.root / name).write_bytes(f"{name}:".encode() * (n * 100 + 1))
        (self.root / "logs/run/inner/empty").write_bytes(b"")
        (self.root / "z.bin").write_bytes(os.urandom(64) * 40)
        (self.root / "taken.md").write_bytes(b"mine")
        (self.root / "archive/taken.md").write_bytes(b"theirs")
        return files(self.root)

    def pairs(self) -> list[tuple[str, str]]:
        """Return what goes where; the last place is taken by somebody else's file."""
        return [
            ("a.md", "archive/notes/a.md"), ("b.log", "archive/logs/b.log"),
            ("ünï\ncode.txt", "archive/x/y/ünï\ncode.txt"), ("logs/run", "archive/runs/run"),
            ("z.bin", "archive/z.bin"), ("taken.md", "archive/taken.md"),
        ]  # fmt: skip

    def moving(self) -> Callable[[], None]:
        """Return the work of a child: every move of the workspace."""
        planned = plan(self.root, *self.pairs())

        def work() -> None:
            self._slow_paths()
            make(self.root, planned)

        return work

    def run(self, pairs: list[tuple[str, str]]) -> None:
        """Plan and make some moves; the work of a child."""
        self._slow_paths()
        make(self.root, plan(self.root, *pairs))

    def recovering(self) -> None:
        """Recover; the work of a child."""
        self._slow_paths()
        recover(self.root)

    def _slow_paths(self) -> None:
        fingerprint.CHUNK = 512
        if self.fallback:
            no_replace._renameat2 = lambda: None


def judge(before: dict[str, bytes], root: Path, pairs: list[tuple[str, str]]) -> None:
    """Fail unless every file is in its old place or in its new one, whole, and nothing else is."""
    now = files(root)
    assert [name for name in now if ".autopack-" in name] == [], "left over"
    for name, data in before.items():
        if name == "archive/taken.md":
            continue
        places = {name, _new_name(name, pairs)}
        held = [place for place in places if now.get(place) == data]
        assert len(held) == 1, f"{name} is at {held}"
    assert now["archive/taken.md"] == b"theirs"
    assert len(now) == len(before), sorted(now)


def judge_at_once(before: dict[str, bytes], root: Path) -> None:
    """Fail unless the bytes of every file are somewhere, before any recovery."""
    now = set(files(root).values())
    assert [name for name, data in before.items() if data not in now] == []


def _new_name(name: str, pairs: list[tuple[str, str]]) -> str:
    for source, destination in pairs:
        if name == source or name.startswith(f"{source}/"):
            return destination + name[len(source) :]
    return name

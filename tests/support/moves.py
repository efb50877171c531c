"""Moves for tests: planned as a flow would, made without locks, and looked at afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.io import moves
from autopack.tidy.moves import Move, Outcome

TERMS: dict[str, Any] = {"check": lambda: None, "fence": nullcontext}


def terms(seconds: float = 600, **more: Any) -> dict[str, Any]:
    """Return the terms of a run that holds no lock."""
    return {"deadline": Deadline.after(seconds), **TERMS, **more}


def plan(root: Path, *pairs: tuple[str, str]) -> list[Move]:
    """Return the moves of things as they are now."""
    return [Move(a, b, moves.identify(root, a), "rule", "reason", "phase") for a, b in pairs]


def make(root: Path, planned: list[Move], run: str = "r1", **more: Any) -> list[Outcome]:
    """Make moves and return how they ended."""
    return list(moves.apply(root, run, planned, **terms(**more)))


def move(root: Path, *pairs: tuple[str, str], run: str = "r1") -> list[Outcome]:
    """Plan and make moves."""
    return make(root, plan(root, *pairs), run)


def tree(root: Path) -> dict[str, bytes | None]:
    """Return every file below a folder with its bytes, and every folder with None; no journals."""
    found: dict[str, bytes | None] = {}
    for folder, folders, files in os.walk(root):
        at = os.path.relpath(folder, root)
        if at.startswith(".autonomous_runs"):
            continue
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            key = os.path.normpath(os.path.join(at, name))
            if key != ".autonomous_runs":
                found[key] = Path(path).read_bytes() if os.path.isfile(path) else None
    return found


def files(root: Path) -> dict[str, bytes]:
    """Return every file below a folder with its bytes."""
    return {name: data for name, data in tree(root).items() if data is not None}


def recover(root: Path) -> list[moves.Recovered]:
    """Recover without locks."""
    return moves.recover(root, **TERMS)


def in_child(work: Callable[[], None]) -> int:
    """Run something in a forked child and return its exit code, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def two_pages(folder: Path) -> Path:
    """Make a folder with two files, and return it."""
    folder.mkdir()
    (folder / "a.md").write_bytes(b"alpha")
    (folder / "b.md").write_bytes(b"beta")
    return folder


def statuses(outcomes) -> list[str]:
    return [outcome.status for outcome in outcomes]

"""What the tests of locks share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from autopack.io.locks import MultiLock, inspect

Take = Callable[..., MultiLock]


def kernel(root: Path, name: str = "docs") -> str:
    return inspect(root, [name])[0].kernel


def elsewhere(work: Callable[[], object]) -> object:
    """Run the work in another thread and return what it returned or raised."""
    said: list[object] = []

    def run() -> None:
        try:
            said.append(work())
        except Exception as error:
            said.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return said[0]

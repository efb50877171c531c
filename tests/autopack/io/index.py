"""What tests of the SQL index share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from autopack.io.files import read_ledgers
from autopack.io.publish import Origin, Permit, Published, publish
from autopack.io.sql import Index

ORIGIN = Origin("here", None)


def sync(index: Index, root: Path, guard: Callable[..., None] = lambda _: None) -> Published | None:
    ledgers = read_ledgers(root)
    planned = index.compare(ledgers)
    if not planned.changes:
        return None
    return publish(index, ledgers, planned, ORIGIN, Permit(guard, nullcontext))


def write(root: Path, text: str | bytes, name: str = "BUILD_HISTORY.md") -> None:
    (root / "docs").mkdir(exist_ok=True)
    (root / "docs" / name).write_bytes(text.encode() if isinstance(text, str) else text)


def ledger(n: int, edited: int = 0, without: int = 0) -> str:
    entries = (
        f"## BUILD-{i}: title{' edited' if i == edited else ''}\n\nbody {i}\n\n"
        for i in range(n, 0, -1)
        if i != without
    )
    return "# Build History\n\n" + "".join(entries)


def rebuilt(index: Index, path: str = "docs/BUILD_HISTORY.md") -> bytes:
    return b"".join(index.file_bytes(path))


def rows(index: Index, query: str) -> list[tuple[object, ...]]:
    with index.database.reading() as cx:
        return [tuple(row) for row in cx.exec_driver_sql(query)]

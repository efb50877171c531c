"""The audit chain: what a record, a signature and a row cost, and what a verification does.

python -m benchmarks.audit [--records 100000] [--rounds 7]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from autopack.audit import chain
from autopack.audit.chain import FIRST
from autopack.deadline import Deadline
from autopack.io import audit, signing
from autopack.io.audit_anchor import anchor
from autopack.settings import database_target
from benchmarks.measure import Row, interleaved, peak_mb, show

RECORD = {
    "flow": "sot-sync", "engine": "server", "execute": True, "exit_code": 0, "message": "",
    "flow_run_id": "00000000-0000-0000-0000-000000000000",
    "targets": {"database": "postgresql://user:***@host/name", "qdrant": None},
    "writes": {"sql": {"inserted": 3, "updated": 1, "deleted": 0}, "files": ["docs/A.md"]},
}  # fmt: skip
EACH = 50
"""Appends in one timed round."""


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--records", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [*appends(Path(folder), given.rounds), *reads(given.records, given.rounds)]
    show(rows, {"records": given.records, "peak MB": round(peak_mb())})


def appends(folder: Path, rounds: int) -> list[Row]:
    """Return what a record costs, with and without its head being kept elsewhere."""
    key, target = folder / "key.pem", database_target("sqlite:///heads.db", folder)
    signing.make_key(key)
    bare = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def line() -> None:
        os.write(bare, chain.encode(RECORD) + b"\n")
        os.fsync(bare)

    def kept(key: Path | None, where: bool) -> Callable[[], object]:
        database = target if where else None
        return lambda: anchor(
            folder, audit.append(folder, RECORD), database, key=key, deadline=Deadline.after(60)
        )

    works = [line, lambda: audit.append(folder, RECORD), kept(key, False), kept(key, True)]
    base, *times = (took / EACH for took in interleaved(rounds, *map(often, works)))
    os.close(bare)
    names = ("a record", "a record, its head signed", "a record, its head signed and in SQLite")
    return [
        Row(name, took, "the same line and an fsync", base)
        for name, took in zip(names, times, strict=True)
    ]


def often(work: Callable[[], object]) -> Callable[[], object]:
    """Return a work that does another one many times."""
    return lambda: [work() for _ in range(EACH)]


def reads(records: int, rounds: int) -> list[Row]:
    """Return what a verification costs against parsing and hashing the same lines."""
    data = made(records)
    lines = chain.split(data)[0]
    base, took = interleaved(
        rounds,
        lambda: all(json.loads(line) and sha256(line).hexdigest() for line in lines),
        lambda: chain.read(data),
    )
    assert chain.read(data).bad is None
    return [Row(f"verify {records} records", took, "json and sha256 of each line", base)]


def made(records: int) -> bytes:
    """Return a chain of so many records."""
    prev, lines = FIRST, []
    for seq in range(1, records + 1):
        line = chain.encode({"seq": seq, "time": "2026-01-31", **RECORD, "prev": prev})
        prev = chain.digest(line)
        lines.append(line + b"\n")
    return b"".join(lines)


if __name__ == "__main__":
    main()

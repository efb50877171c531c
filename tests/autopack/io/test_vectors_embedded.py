"""The embedded engine: one process at a time, and derived data that heals."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Busy, Unreachable
from autopack.io.vectors import open_vectors
from autopack.settings import Target, qdrant_target
from tests.autopack.io.points import point
from tests.support import session


@pytest.fixture
def embedded(tmp_path: Path) -> Target:
    found = qdrant_target("embedded", tmp_path, {})
    assert found
    return found


def test_a_second_process_waits_and_names_the_first(embedded: Target) -> None:
    first = open_vectors(embedded, Deadline.after(60), create=True)
    with pytest.raises(Busy, match=r"in use by process \d+"):
        open_vectors(embedded, Deadline.after(0.2), create=False)
    first.close()
    open_vectors(embedded, Deadline.after(5), create=False).close()


def test_a_damaged_shard_is_named_by_a_reader_and_rebuilt_by_a_writer(embedded: Target) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    vectors.upsert([point(1)])
    vectors.close()
    shard = Path(embedded.url) / "autopack_sot"
    (shard / "edge_config.json").write_text("{")
    with pytest.raises(Unreachable, match="sot_sync --full --execute"):
        open_vectors(embedded, Deadline.after(60), create=False)
    rebuilt = open_vectors(embedded, Deadline.after(60), create=True)
    assert rebuilt.count() == 0
    rebuilt.close()


def test_damage_that_only_reading_shows_is_mended_by_the_next_writer(embedded: Target) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    vectors.upsert(point(n) for n in range(50))
    vectors.close()
    (page,) = (Path(embedded.url) / "autopack_sot").rglob("payload_storage/page_0.dat")
    with page.open("r+b") as file:
        file.write(b"\xff" * 4096)
    reader = open_vectors(embedded, Deadline.after(60), create=False)
    with pytest.raises(Unreachable, match="sot_sync --full --execute"):
        reader.digests()
    reader.close()
    writer = open_vectors(embedded, Deadline.after(60), create=True)
    with pytest.raises(Unreachable, match="set aside"):
        writer.digests()
    writer.close()
    again = open_vectors(embedded, Deadline.after(60), create=True)
    assert again.digests() == {}
    again.close()


def test_a_panic_of_the_engine_prints_nothing(embedded: Target, capfd) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    vectors.upsert([point(1)])
    vectors.close()
    (status,) = (Path(embedded.url) / "autopack_sot").rglob("deleted/status.dat")
    status.write_bytes(b"")
    with pytest.raises(Unreachable, match="index out of bounds"):
        open_vectors(embedded, Deadline.after(60), create=False)
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_stops_before_the_engine_is_killed_by_it(embedded, monkeypatch) -> None:
    vectors = open_vectors(embedded, Deadline.after(60), create=True)
    usage = shutil.disk_usage(embedded.url)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(Unreachable, match=r"0 MB free.*free some disk space"):
        vectors.upsert([point(1)])
    vectors.close()
    with pytest.raises(Unreachable, match="16 needed"):
        open_vectors(embedded, Deadline.after(60), create=False)


OPTIMIZER = """
import os, sys
from autopack.deadline import Deadline
from autopack.io.vectors import open_vectors
from autopack.settings import Target
vectors = open_vectors(Target(sys.argv[1], "embedded", "test"), Deadline.after(60), create=True)
print("start", flush=True)
vectors._shard.optimize()
os.kill(os.getpid(), 9)
"""


@pytest.mark.soak
def test_a_kill_while_the_engine_optimizes_changes_nothing(
    embedded: Target, soak_rounds, monkeypatch
) -> None:
    rounds = soak_rounds(0, 20)
    if not rounds:
        pytest.skip("needs 40,000 points: make soak")
    monkeypatch.setattr("autopack.io.vectors_embedded.OPTIMIZE_S", float("inf"))
    points = [
        point(n, f"{n} " + " ".join(f"w{n * j % 5000}" for j in range(40))) for n in range(40_000)
    ]
    vectors = open_vectors(embedded, Deadline.after(600), create=True)
    vectors.upsert(points)
    vectors.close()
    whole = shutil.copytree(embedded.url, f"{embedded.url}.whole")
    wanted = {p.id: p.digest for p in points}
    moments = random.Random(rounds)
    for turn in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", OPTIMIZER, embedded.url],
            stdout=subprocess.PIPE, env=session.clean_environment(), cwd=session.REPOSITORY,
        )  # fmt: skip
        assert child.stdout
        child.stdout.readline()
        if turn % 4:  # else it ends itself, right behind
            time.sleep(moments.uniform(0, 0.6))
            child.kill()
        child.wait()
        child.stdout.close()
        vectors = open_vectors(embedded, Deadline.after(600), create=True)
        assert vectors.count() == len(points)
        assert vectors.digests() == wanted
        vectors.close()
        shutil.rmtree(embedded.url)
        shutil.copytree(whole, embedded.url)


WRITER = """
import sys
from autopack.deadline import Deadline
from autopack.io.vectors import open_vectors
from autopack.settings import Target
from tests.autopack.io.points import point
import qdrant_edge
print("start", flush=True)
vectors = open_vectors(Target(sys.argv[1], "embedded", "test"), Deadline.after(60), create=True)
for start in range(0, 5000, 50):
    vectors.upsert(point(n) for n in range(start, start + 50))
    print(start + 50, flush=True)
    vectors.delete([point(start + 1).id])
    vectors.upsert([point(start + 1)])
"""


def test_a_killed_writer_loses_nothing_it_reported_and_the_next_one_converges(
    embedded: Target, soak_rounds
) -> None:
    rounds = soak_rounds(15, 300)
    env = session.clean_environment()
    moments = random.Random(rounds)
    for _ in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, embedded.url],
            stdout=subprocess.PIPE, text=True, env=env, cwd=session.REPOSITORY,
        )  # fmt: skip
        assert child.stdout
        assert child.stdout.readline() == "start\n"
        time.sleep(moments.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split()
        child.wait()
        child.stdout.close()
        vectors = open_vectors(embedded, Deadline.after(60), create=True)
        done = int(said[-1]) if said else 0
        held = vectors.digests()
        lost = {point(n).id for n in range(done)} - held.keys()
        assert lost <= {point(done + 1 - 50).id}, "it was being deleted and written again"
        wanted = {point(n).id: point(n).digest for n in range(1000)}
        vectors.upsert(point(n) for n in range(1000) if point(n).id not in held)
        vectors.delete(sorted(held.keys() - wanted.keys()))
        assert vectors.digests() == wanted
        assert vectors.count() == len(wanted)
        assert vectors.search("topic17", 1)[0].payload["n"] == 17
        vectors.delete(sorted(wanted)[:500])
        vectors.close()

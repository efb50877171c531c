"""Looking at locks, and disks that are full, damaged or somewhere else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.errors import Busy, Refused, Unreachable
from autopack.io import lock_files, lock_heartbeat, lock_kernel, lock_watch
from autopack.io.lock_files import FOLDER, LockFiles
from autopack.io.locks import (
    break_lock,
    inspect,
    stale,
)
from autopack.locks.names import parse
from autopack.locks.verdict import Kind
from tests.support.locks import Take, elsewhere, kernel


def tree(root: Path) -> list[tuple[str, int, int]]:
    paths = sorted(root.rglob("*"))
    return [(str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in [root, *paths]]


# --- looking ----------------------------------------------------------------------------------


def test_looking_creates_and_changes_nothing(tmp_path: Path, take: Take, monkeypatch) -> None:
    monkeypatch.setattr(lock_heartbeat, "beat_all", lambda: None)
    before = tree(tmp_path)
    assert [seen.verdict.kind for seen in inspect(tmp_path)] == [Kind.FREE] * 8
    assert stale(tmp_path) == []
    assert break_lock(tmp_path, "docs", 0).outcome == "free"
    assert tree(tmp_path) == before
    with take({"run:x": "exclusive", "docs": "shared"}):
        before = tree(tmp_path)
        inspect(tmp_path)
        assert tree(tmp_path) == before


def test_looking_lists_plain_names_and_every_lock_with_a_file(tmp_path: Path, take: Take) -> None:
    with take({"run:B": "exclusive", "maintenance:vacuum": "exclusive"}):
        (tmp_path / FOLDER / "old-run.lock").write_text("1234\n")
        names = [seen.name for seen in inspect(tmp_path)]
    assert names == [
        "tidy", "db", "queue", "runs", "run:B", "archive", "docs", "index", "storage",
        "maintenance:vacuum",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["exclusive", "shared"])
def test_the_file_is_asked_where_the_kernels_table_is_silent(
    tmp_path: Path, take: Take, mode: str, monkeypatch
) -> None:
    monkeypatch.setattr(lock_watch, "flocks", dict)
    with take({"docs": mode}):
        assert kernel(tmp_path) == mode
    assert kernel(tmp_path) == "free"


def test_a_look_shows_owner_progress_and_waiters(tmp_path: Path, take: Take) -> None:
    with take({"docs": "exclusive"}) as locks:
        locks.progress(118, 200, "consolidate")
        done = threading.Event()

        def wait() -> None:
            with pytest.raises(Busy):
                take({"docs": "exclusive"}, wait_seconds=2.0).acquire()
            done.set()

        thread = threading.Thread(target=wait)
        thread.start()
        waiters = 0
        while not waiters and not done.is_set():
            seen = inspect(tmp_path, ["docs"])[0]
            waiters = len(seen.waiters)
        thread.join()
        assert waiters == 1
        assert "(phase consolidate 118/200)" in seen.line
        assert "flow flow/run-1" in seen.line
        assert inspect(tmp_path, ["docs"])[0].waiters == ()


def test_an_orphaned_slot_is_told_from_a_held_lock(tmp_path: Path, take: Take) -> None:
    assert [s.name for s in stale(tmp_path, slots={"docs", "queue"})] == ["queue", "docs"]
    with take({"docs": "exclusive"}):
        assert [s.name for s in stale(tmp_path, slots={"docs"})] == []


# --- filesystem -------------------------------------------------------------------------------


@pytest.fixture
def on_nfs(monkeypatch) -> None:
    table = "1 0 0:1 / / rw - nfs4 server:/ rw"
    monkeypatch.setattr(lock_watch, "mountinfo", lambda: table)
    lock_watch._network_filesystem.cache_clear()
    yield
    lock_watch._network_filesystem.cache_clear()


@pytest.mark.usefixtures("on_nfs")
def test_a_network_filesystem_is_refused_as_the_only_guard(tmp_path: Path, take: Take) -> None:
    with pytest.raises(Refused, match="nfs4"):
        take({"docs": "exclusive"}).acquire()
    assert not (tmp_path / FOLDER).exists()
    assert inspect(tmp_path, ["docs"])[0].verdict.kind is Kind.UNSAFE_FS
    with take({"docs": "exclusive"}, allow_network=True) as locks:
        assert locks["docs"].commit(lambda: 1) == 1
        assert break_lock(tmp_path, "docs", 1, watch_s=0).outcome == "refused"


# --- faults of the disk -----------------------------------------------------------------------


def failing(monkeypatch, fails: Callable[[int], bool]) -> None:
    """Let writes into a lock file fail with ENOSPC where `fails(offset)`."""
    write = os.pwrite

    def full(descriptor: int, data: bytes, offset: int) -> int:
        if fails(offset):
            raise OSError(28, "No space left on device")
        return write(descriptor, data, offset)

    monkeypatch.setattr(lock_files, "write_at", full)


def test_a_full_disk_costs_the_record_not_the_lock(tmp_path: Path, take: Take, monkeypatch) -> None:
    failing(monkeypatch, lambda offset: offset >= 1024)
    with take({"docs": "exclusive"}) as locks:
        locks.progress(1, 2, "x")
        lock_heartbeat.beat_all()
        assert locks["docs"].commit(lambda: 1) == 1
        seen = inspect(tmp_path, ["docs"])[0]
        assert (seen.kernel, seen.holder) == ("exclusive", None)
        monkeypatch.undo()
        lock_heartbeat.beat_all()
        assert inspect(tmp_path, ["docs"])[0].holder is not None
    assert kernel(tmp_path) == "free"


def test_no_generation_no_lock(tmp_path: Path, take: Take, monkeypatch) -> None:
    failing(monkeypatch, lambda offset: True)
    with pytest.raises(Unreachable, match="No space left"):
        take({"tidy": "shared", "docs": "exclusive"}).acquire()
    assert {seen.kernel for seen in inspect(tmp_path)} == {"free"}


def test_a_write_cut_short_leaves_the_generation_before(tmp_path: Path, take: Take) -> None:
    for _ in range(4):
        take({"docs": "exclusive"}).__enter__().release()
    path = tmp_path / FOLDER / "docs.guard"
    whole = path.read_bytes()
    for length in range(20):
        path.write_bytes(b"\xee" * length + whole[length:])
        with lock_kernel.open_file(str(path)) as guard:
            assert lock_files.read_generation(guard) == (4 if length == 0 else 3)


def test_a_generation_survives_the_loss_of_its_cells(tmp_path: Path, take: Take) -> None:
    with take({"docs": "exclusive"}):
        path = tmp_path / FOLDER / "docs.guard"
        path.write_bytes(bytes(1024) + path.read_bytes()[1024:])
        with lock_kernel.open_file(str(path)) as guard:
            assert lock_files.read_generation(guard) == 1


def test_a_foreign_guard_file_is_refused(tmp_path: Path, take: Take) -> None:
    take({"docs": "exclusive"}).__enter__().release()
    (tmp_path / FOLDER / "docs.guard").write_bytes(b"x" * 4096)
    with pytest.raises(Refused, match="damaged"):
        take({"docs": "exclusive"}).acquire()
    assert kernel_only(tmp_path) == "free"


def kernel_only(root: Path) -> str:
    return lock_watch.kernel_state(LockFiles.of(root, parse("docs")), {})


def test_slots_run_out_without_harm(tmp_path: Path, take: Take) -> None:
    path = tmp_path / FOLDER / "docs.guard"
    with take({"docs": "shared"}):
        record = path.read_bytes()[1536:2048]
        path.write_bytes(path.read_bytes()[:1024] + record * lock_files.SLOTS)

        def other() -> int:
            with take({"docs": "shared"}) as locks:
                locks.progress(1)
                return locks["docs"].commit(lambda: 1)

        assert elsewhere(other) == 1


def test_a_look_needs_no_right_to_write(tmp_path: Path, take: Take, monkeypatch) -> None:
    opened: list[str] = []
    real = lock_kernel.open_raw

    def watched(path: str, **options: bool) -> object:
        opened.extend([path] if options["create"] or options["write"] else [])
        return real(path, **options)

    with take({"docs": "exclusive"}):
        monkeypatch.setattr(lock_kernel, "open_raw", watched)
        monkeypatch.setattr(lock_watch, "flocks", dict)
        assert kernel(tmp_path) == "exclusive"
    assert opened == []


def test_what_cannot_be_read_is_unreachable(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.parent.mkdir()
    (folder.parent / ".locks").mkdir()
    (folder / "docs.guard").mkdir()
    (folder / "docs.lock").touch()
    with pytest.raises(Unreachable, match=r"not a plain file \(.*docs\.guard\)"):
        inspect(tmp_path, ["docs"])


@pytest.mark.parametrize("name", ["docs.lock", "docs.guard"])
def test_a_pipe_or_a_link_in_the_place_of_a_lock_file_is_refused(tmp_path, take, name) -> None:
    with take({"docs": "exclusive"}):
        pass
    path, elsewhere = tmp_path / FOLDER / name, tmp_path / "elsewhere"
    for make in (lambda: os.mkfifo(path), lambda: path.symlink_to(elsewhere)):
        elsewhere.write_bytes(b"")
        path.unlink()
        make()
        with pytest.raises(Unreachable, match="not a plain file"), take({"docs": "exclusive"}):
            pass
        assert elsewhere.read_bytes() == b""


def test_a_damaged_lock_hides_no_other(tmp_path: Path, take: Take) -> None:
    with take({"docs": "exclusive", "tidy": "shared"}):
        pass
    (tmp_path / FOLDER / "tidy.guard").write_bytes(b"junk" * 400)
    kinds = {seen.name: seen.verdict.kind for seen in inspect(tmp_path)}
    assert (kinds["tidy"], kinds["docs"]) == (Kind.DAMAGED, Kind.FREE)


def test_the_recorded_command_has_no_secrets(tmp_path: Path, take: Take, monkeypatch) -> None:
    url = "postgresql://me:hunter2x@db/x"
    arguments = ["/opt/flows/tidy.py", "--execute", "--database-url", url, f"--copy={url}"]
    monkeypatch.setattr("sys.argv", arguments)
    with take({"docs": "exclusive"}):
        holder = inspect(tmp_path, ["docs"])[0].holder
    assert holder
    shown = "tidy.py --execute --database-url postgresql://me:***@db/x --c"
    assert holder.command.startswith(shown)
    assert b"hunter2x" not in (tmp_path / FOLDER / "docs.guard").read_bytes()


def test_the_stall_threshold_is_the_observers(tmp_path: Path, take: Take) -> None:
    with take({"docs": "exclusive"}):
        time.sleep(0.02)
        assert inspect(tmp_path, ["docs"], stall_s=0.01)[0].verdict.kind is Kind.STALLED
        assert inspect(tmp_path, ["docs"])[0].verdict.kind is Kind.HELD

"""Locks between real processes: exits, kills, stops, forks, breaks."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Busy
from autopack.io.lock_processes import kill, look
from autopack.io.locks import MultiLock, Owner, break_lock, inspect, kill_holder, stale
from autopack.locks.verdict import Kind
from tests.support import session
from tests.support.lock_worker import Worker
from tests.support.locks import Take, kernel
from tests.support.process import run_bounded

DOCS = {"docs": "exclusive"}
Start = Callable[[], Worker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    workers: list[Worker] = []

    def run() -> Worker:
        workers.append(Worker(tmp_path))
        return workers[-1]

    yield run
    for worker in workers:
        worker.kill()


def seen(root: Path, name: str = "docs"):
    return inspect(root, [name])[0]


# --- ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "code"),
    [("return", 0), ("exception", 1), ("exit", 3), ("_exit", 4), ("sigint", -2), ("sigterm", -15),
     ("sigkill", -9)],
)  # fmt: skip
def test_no_end_leaves_a_lock_behind(start: Start, tmp_path: Path, how: str, code: int) -> None:
    worker = start()
    worker.tell("leave", how)
    if how != "return":
        assert worker.child.wait(20) in (code, 130)
    else:
        assert worker.answer()
    assert kernel(tmp_path) == "free"
    died = how in ("_exit", "sigterm", "sigkill")
    assert [s.name for s in stale(tmp_path)] == (["docs"] if died else [])


def test_the_next_waiter_has_the_lock_after_kill_9(start: Start, tmp_path: Path) -> None:
    holder, waiter = start(), start()
    assert holder.ask("take", DOCS) == {"ok": {"docs": 1}}
    waiter.tell("take", DOCS)
    while not seen(tmp_path).waiters:
        time.sleep(0.01)
    holder.signal(signal.SIGKILL)
    assert waiter.answer() == {"ok": {"docs": 2}}


@pytest.mark.soak
def test_a_signal_that_raises_at_any_moment_leaves_nothing_open(
    tmp_path: Path, soak_rounds: Callable[[int, int], int]
) -> None:
    command = [sys.executable, "-m", "tests.support.lock_signals", str(tmp_path)]
    done = run_bounded(
        [*command, str(soak_rounds(200, 2000))], cwd=session.REPOSITORY,
        env=session.clean_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.report["raised"] >= 200
    assert done.report["left"] == []
    assert {look.kernel for look in inspect(tmp_path)} == {"free"}


# --- waiting ----------------------------------------------------------------------------------


def test_a_waiter_names_the_holder_and_the_next_command(
    start: Start, tmp_path: Path, take: Take
) -> None:
    worker = start()
    worker.ask("take", DOCS)
    worker.ask("progress", 118, 200, "consolidate")
    told: list[str] = []
    with pytest.raises(Busy) as raised:
        take(DOCS, on_wait=told.append, wait_seconds=0.2).acquire()
    line = (
        rf"docs  HELD  flow worker/run-1  host \S+  pid {worker.pid} \(alive\)  since 0s  "
        r"heartbeat 0s ago  progress 0s ago \(phase consolidate 118/200\)  gen 1  note: a test"
    )
    assert len(told) == 1
    assert re.fullmatch(line, told[0])
    assert re.fullmatch(rf"lock 'docs' is busy, waited 0\.\d s: {line}", raised.value.message)
    assert raised.value.next_step == (
        f"wait and run again, or look: python -m flows.locks status --workspace {tmp_path}; if it "
        f"is stuck: python -m flows.locks break docs --generation 1 --execute "
        f"--workspace {tmp_path}"
    )


# --- forks ------------------------------------------------------------------------------------


def test_a_forked_child_neither_writes_nor_keeps_the_lock(start: Start, tmp_path: Path) -> None:
    worker = start()
    worker.ask("take", DOCS)
    child, said = worker.ask("fork")["ok"]
    try:
        assert said["error"] == "Fenced"
        assert kernel(tmp_path) == "exclusive", "the child's release took nothing away"
        assert worker.ask("add", "docs", str(tmp_path / "n")) == {"ok": 1}
        worker.signal(signal.SIGKILL)
        worker.child.wait(20)
        assert kernel(tmp_path) == "free"
        assert look(child).there
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_started_program_does_not_inherit_the_lock(start: Start, tmp_path: Path) -> None:
    worker = start()
    for order in (("take", DOCS), ("release",), ("take", DOCS)):  # a new file, and an old one
        worker.ask(*order)
    child = worker.ask("spawn")["ok"]
    try:
        worker.signal(signal.SIGKILL)
        worker.child.wait(20)
        assert kernel(tmp_path) == "free"
    finally:
        os.kill(child, signal.SIGKILL)


# --- stops and breaks -------------------------------------------------------------------------


def test_a_stopped_holder_is_broken_and_fenced(start: Start, tmp_path: Path, take: Take) -> None:
    worker, number = start(), tmp_path / "n"
    worker.ask("take", DOCS)
    assert worker.ask("add", "docs", str(number)) == {"ok": 1}
    worker.signal(signal.SIGSTOP)
    assert seen(tmp_path).verdict.kind is Kind.PAUSED
    broken = break_lock(tmp_path, "docs", 1, watch_s=60)
    assert (broken.outcome, broken.generation) == ("broken", 2)
    with take(DOCS, wait_seconds=20.0) as locks:
        assert locks["docs"].generation == 3
        worker.signal(signal.SIGCONT)
        said = worker.ask("add", "docs", str(number))
        assert said["error"] == "Fenced"
        assert worker.ask("release") == {"ok": None}
        assert kernel(tmp_path) == "exclusive"
    assert number.read_text() == "1"


def test_break_needs_the_generation_that_was_seen(start: Start, tmp_path: Path) -> None:
    worker = start()
    worker.ask("take", DOCS)
    broken = break_lock(tmp_path, "docs", 7, watch_s=0)
    assert (broken.outcome, broken.generation) == ("refused", 1)
    assert "generation 1, not 7" in broken.why
    assert break_lock(tmp_path, "docs", None, watch_s=0).outcome == "refused"
    assert worker.ask("add", "docs", str(tmp_path / "n")) == {"ok": 1}


def test_a_holder_that_moves_keeps_its_lock(start: Start, tmp_path: Path) -> None:
    worker = start()
    worker.ask("take", DOCS)
    worker.tell("work")
    broken = break_lock(tmp_path, "docs", 1, watch_s=60)
    assert broken.outcome == "changed"
    assert "made progress" in broken.why


def test_a_holder_that_only_beats_can_be_broken(start: Start, tmp_path: Path) -> None:
    worker = start()
    worker.ask("take", DOCS)
    worker.ask("beat")
    assert break_lock(tmp_path, "docs", 1, watch_s=0.1).outcome == "broken"
    assert worker.ask("add", "docs", str(tmp_path / "n"))["error"] == "Fenced"


@pytest.mark.parametrize("meanwhile", ["release", "progress", "next holder"])
def test_what_changes_before_the_guard_is_free_stops_the_break(
    start: Start, tmp_path: Path, monkeypatch, meanwhile: str
) -> None:
    from autopack.io import lock_break

    worker = start()
    worker.ask("take", DOCS)

    def change(succeeds: Callable[[], bool], wait_s: float) -> bool:
        if meanwhile == "progress":
            worker.ask("progress", 1, 2, "verify")
        else:
            worker.ask("release")
        if meanwhile == "next holder":
            worker.ask("take", DOCS)
        return succeeds()

    monkeypatch.setattr(lock_break, "_wait", change)
    broken = break_lock(tmp_path, "docs", 1, watch_s=0)
    assert broken.outcome == ("free" if meanwhile == "release" else "changed")
    if meanwhile != "release":
        assert worker.ask("add", "docs", str(tmp_path / "n")) == {"ok": 1}


def test_a_holder_stuck_in_a_commit_can_only_be_killed(start: Start, tmp_path: Path) -> None:
    worker, waiter = start(), start()
    worker.ask("take", DOCS)
    worker.tell("stick", "docs")
    while worker.state() != "T":
        time.sleep(0.001)
    stuck = break_lock(tmp_path, "docs", 1, guard_wait_s=0.1)
    assert stuck.outcome == "guard_busy"
    assert f"pid {worker.pid} holds the guard" in stuck.why
    assert stuck.next_step == "python -m flows.locks break docs --generation 1 --kill --execute"
    waiter.tell("take", DOCS)
    assert kill_holder(tmp_path, "docs", 7).outcome == "refused"
    assert kill_holder(tmp_path, "docs", 1).outcome == "killed"
    assert waiter.answer() == {"ok": {"docs": 2}}
    assert kill_holder(tmp_path, "docs", 2).holder.process.pid == waiter.pid


def test_a_pid_with_another_start_is_never_killed(start: Start) -> None:
    from dataclasses import replace

    from autopack.io.lock_processes import me

    worker = start()
    start_time = look(worker.pid).start
    assert start_time
    process = replace(me(), pid=worker.pid, start=start_time + 1)
    assert not kill(process)
    assert worker.child.poll() is None
    assert kill(replace(process, start=start_time))
    assert worker.child.wait(20) == -signal.SIGKILL
    assert not kill(replace(process, start=start_time))


def test_several_shared_holders_are_not_killed(start: Start, tmp_path: Path) -> None:
    one, other = start(), start()
    for worker in (one, other):
        worker.ask("take", {"docs": "shared"})
    assert len(seen(tmp_path).holders) == 2
    killed = kill_holder(tmp_path, "docs", 0)
    assert (killed.outcome, killed.why) == ("refused", "2 processes share it")


def test_a_dead_shared_holder_does_not_hide_a_living_one(start: Start, tmp_path: Path) -> None:
    dead, living = start(), start()
    for worker in (dead, living):
        worker.ask("take", {"docs": "shared"})
    dead.signal(signal.SIGKILL)
    dead.child.wait(20)
    look_ = seen(tmp_path)
    assert [record.process.pid for record in look_.holders] == [living.pid]
    assert look_.verdict.alive == "yes"


# --- heartbeats -------------------------------------------------------------------------------


def test_two_looks_time_the_heartbeat_on_the_observers_clock(start: Start, tmp_path: Path) -> None:
    worker = start()
    worker.ask("take", DOCS)
    first = inspect(tmp_path, ["docs"])
    time.sleep(0.05)
    second = inspect(tmp_path, ["docs"], earlier=first)
    assert second[0].beat_at == first[0].beat_at
    worker.ask("beat")
    third = inspect(tmp_path, ["docs"], earlier=second)
    assert third[0].beat_at > second[0].beat_at
    assert third[0].move_at == first[0].move_at


def test_the_thread_sends_heartbeats_on_its_own(tmp_path: Path, monkeypatch) -> None:
    from autopack.io import lock_heartbeat

    monkeypatch.setattr(lock_heartbeat, "INTERVAL_S", 0.01)
    monkeypatch.setattr(lock_heartbeat, "_threads", [])
    with MultiLock(tmp_path, DOCS, Owner("f"), Deadline.after(60)):
        first = seen(tmp_path).holder
        until = time.monotonic() + 20
        while seen(tmp_path).holder.beats < first.beats + 3 and time.monotonic() < until:
            time.sleep(0.01)
        assert seen(tmp_path).holder.beats >= first.beats + 3
        assert seen(tmp_path).holder.moves == first.moves

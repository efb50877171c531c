"""Locks in one process: sets, order, re-entrancy, commits and release."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from autopack.deadline import Deadline
from autopack.errors import Busy, DeadlineExceeded, ExitCode, Unreachable, UsageError
from autopack.io.lock_files import FOLDER
from autopack.io.locks import (
    Fenced,
    LockOrderError,
    MultiLock,
    Owner,
    break_lock,
    inspect,
)
from tests.support.locks import Take, elsewhere, kernel

# --- taking -----------------------------------------------------------------------------------


def test_a_set_is_taken_in_canonical_order_and_let_go(tmp_path: Path, take: Take) -> None:
    wants = {"docs": "exclusive", "run:A-1": "exclusive", "tidy": "shared"}
    with take(wants) as locks:
        assert [grant.name for grant in locks] == ["tidy", "run:A-1", "docs"]
        held = {seen.name: seen.kernel for seen in inspect(tmp_path) if seen.kernel != "free"}
        assert held == {"tidy": "shared", "run:A-1": "exclusive", "docs": "exclusive"}
    assert {seen.kernel for seen in inspect(tmp_path)} == {"free"}


def test_every_exclusive_grant_has_a_new_generation(take: Take) -> None:
    generations = []
    for _ in range(3):
        with take({"docs": "exclusive"}) as locks:
            generations.append(locks["docs"].generation)
    assert generations == [1, 2, 3]


def test_shared_holders_share_one_generation(tmp_path: Path, take: Take) -> None:
    take({"docs": "exclusive"}).__enter__().release()
    with take({"docs": "shared"}) as one:

        def other() -> int:
            with take({"docs": "shared"}) as locks:
                return locks["docs"].commit(lambda: locks["docs"].generation)

        assert elsewhere(other) == one["docs"].generation == 1
        assert isinstance(elsewhere(lambda: take({"docs": "exclusive"}).acquire()), Busy)
        assert len(inspect(tmp_path, ["docs"])[0].holders) == 1


def test_a_set_that_is_not_free_leaves_nothing_taken(tmp_path: Path, take: Take) -> None:
    with take({"docs": "exclusive"}):
        raised = elsewhere(
            lambda: take({"queue": "exclusive", "docs": "exclusive", "index": "shared"}).acquire()
        )
        assert isinstance(raised, Busy)
        assert kernel(tmp_path, "queue") == "free"
        assert kernel(tmp_path, "index") == "free"


@pytest.mark.parametrize("wants", [{"doc": "shared"}, {"docs": "both"}, {"run:../x": "shared"}])
def test_a_wrong_wish_is_a_usage_error(tmp_path: Path, take: Take, wants) -> None:
    with pytest.raises(UsageError):
        take(wants)
    assert not (tmp_path / FOLDER).exists()


def test_a_missing_workspace_is_not_made(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(Unreachable, match="No such file"):
        MultiLock(gone, {"docs": "shared"}, Owner("f"), Deadline.after(9)).acquire()
    assert not gone.exists()


def test_no_time_at_the_start_is_the_deadlines_error(take: Take) -> None:
    with pytest.raises(DeadlineExceeded, match="waiting for locks"):
        take({"docs": "shared"}, deadline=Deadline.after(0)).acquire()


def test_one_limit_is_for_the_whole_set(take: Take) -> None:
    with take({"queue": "exclusive", "docs": "exclusive"}):
        began = time.monotonic()
        raised = elsewhere(
            lambda: take({"queue": "exclusive", "docs": "shared"}, wait_seconds=0.3).acquire()
        )
        assert isinstance(raised, Busy)
        assert 0.25 < time.monotonic() - began < 5


# --- order and re-entrancy --------------------------------------------------------------------


def test_wrong_order_raises_before_anything_is_taken(tmp_path: Path, take: Take) -> None:
    with take({"docs": "exclusive"}), pytest.raises(LockOrderError) as raised:
        take({"queue": "shared", "index": "shared"}).acquire()
    assert raised.value.code is ExitCode.BUG
    assert not (tmp_path / FOLDER / "queue.lock").exists()


def test_later_locks_may_follow(take: Take) -> None:
    with take({"tidy": "exclusive"}), take({"queue": "exclusive"}), take({"docs": "shared"}):
        pass


def test_another_workspace_has_an_order_of_its_own(tmp_path: Path, take: Take) -> None:
    other = tmp_path / "other"
    other.mkdir()
    queue = MultiLock(other, {"queue": "shared"}, Owner("f"), Deadline.after(9))
    with take({"docs": "exclusive"}), queue as locks:
        assert locks["queue"].held


def test_an_inner_user_shares_the_outer_grant(tmp_path: Path, take: Take) -> None:
    with take({"tidy": "shared", "docs": "exclusive"}) as outer:
        with take({"docs": "shared", "index": "exclusive"}) as inner:
            assert inner["docs"].generation == outer["docs"].generation
            assert inner["docs"].mode == "exclusive"
            grant = inner["docs"]
        assert kernel(tmp_path, "index") == "free"
        assert kernel(tmp_path, "docs") == "exclusive"
        assert outer["docs"].commit(lambda: 7) == 7
        with pytest.raises(Fenced, match="released"):
            grant.commit(lambda: 7)
    assert kernel(tmp_path) == "free"


def test_shared_is_never_upgraded(tmp_path: Path, take: Take) -> None:
    with take({"docs": "shared"}), pytest.raises(LockOrderError, match="wanted exclusive"):
        take({"docs": "exclusive"}).acquire()


def test_another_thread_is_not_an_inner_user(take: Take) -> None:
    with take({"docs": "exclusive"}):
        assert isinstance(elsewhere(lambda: take({"docs": "exclusive"}).acquire()), Busy)


def test_a_set_is_not_taken_twice(take: Take) -> None:
    with take({"docs": "exclusive"}) as locks, pytest.raises(LockOrderError):
        locks.acquire()


# --- commit and release -----------------------------------------------------------------------


def test_a_broken_grant_can_neither_write_nor_harm_the_next(tmp_path: Path, take: Take) -> None:
    old = take({"docs": "exclusive"})
    old.acquire()
    grant = old["docs"]
    assert break_lock(tmp_path, "docs", 1, watch_s=0).outcome == "broken"
    written: list[int] = []

    def next_holder() -> None:
        with take({"docs": "exclusive"}) as locks:
            assert locks["docs"].generation == 3
            with pytest.raises(Fenced, match="generation 3 now"):
                grant.check()
            with pytest.raises(Fenced):
                grant.commit(lambda: written.append(1))
            grant.progress(9, 9, "late")
            old.release()
            assert kernel(tmp_path) == "exclusive"
            seen = inspect(tmp_path, ["docs"])[0]
            assert seen.holder
            assert seen.holder.generation == 3
            assert locks["docs"].commit(lambda: 1) == 1

    elsewhere_result = elsewhere(next_holder)
    assert elsewhere_result is None
    assert written == []


def test_a_break_fences_every_shared_holder(tmp_path: Path, take: Take) -> None:
    with take({"docs": "shared"}) as one:
        assert break_lock(tmp_path, "docs", 0, watch_s=0).outcome == "broken"
        with pytest.raises(Fenced) as raised:
            one["docs"].commit(lambda: 1)
        assert raised.value.code is ExitCode.REFUSED

        def other() -> int:
            with take({"docs": "exclusive"}) as locks:
                return locks["docs"].commit(lambda: 2)

        assert elsewhere(other) == 2


def test_release_is_late_and_double_without_harm(tmp_path: Path, take: Take) -> None:
    locks = take({"docs": "exclusive"})
    locks.acquire()
    grant = locks["docs"]
    grant.release()
    grant.release()
    assert not grant.held

    def other() -> object:
        with take({"docs": "exclusive"}):
            grant.release()
            locks.release()
            return kernel(tmp_path)

    assert elsewhere(other) == "exclusive"
    with pytest.raises(Fenced):
        grant.check()


def test_an_exception_in_a_commit_gives_the_guard_back(take: Take) -> None:
    with take({"docs": "exclusive"}) as locks:
        with pytest.raises(ZeroDivisionError):
            locks["docs"].commit(lambda: 1 / 0)
        assert locks["docs"].commit(lambda: 1) == 1


def test_a_commit_inside_a_commit_keeps_the_order(take: Take) -> None:
    with take({"queue": "exclusive", "docs": "exclusive"}) as locks:
        queue, docs = locks["queue"], locks["docs"]
        assert queue.commit(lambda: docs.commit(lambda: 1)) == 1
        with pytest.raises(LockOrderError):
            docs.commit(lambda: queue.commit(lambda: 1))
        with pytest.raises(LockOrderError):
            docs.commit(lambda: docs.commit(lambda: 1))
        assert locks.commit(lambda: 2) == 2


def test_a_commit_of_the_set_needs_every_lock(tmp_path: Path, take: Take) -> None:
    with take({"tidy": "shared", "docs": "exclusive"}) as locks:
        assert break_lock(tmp_path, "tidy", 0, watch_s=0).outcome == "broken"
        with pytest.raises(Fenced, match="'tidy'"):
            locks.commit(lambda: 1)
        assert locks["docs"].commit(lambda: 1) == 1


def test_threads_of_one_holder_take_turns_in_commit(take: Take) -> None:
    inside, worst = [0], [0]

    def work() -> None:
        inside[0] += 1
        worst[0] = max(worst[0], inside[0])
        time.sleep(0.001)
        inside[0] -= 1

    with take({"docs": "exclusive"}) as locks:
        grant = locks["docs"]
        threads = [
            threading.Thread(target=lambda: [grant.commit(work) for _ in range(10)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert worst == [1]


@pytest.mark.parametrize("suffix", [".lock", ".guard"])
def test_a_removed_file_fences_its_holder(tmp_path: Path, take: Take, suffix: str) -> None:
    with take({"docs": "exclusive"}) as locks:
        (tmp_path / FOLDER / f"docs{suffix}").unlink()
        taken = elsewhere(lambda: take({"docs": "exclusive"}).acquire())
        if suffix == ".guard":
            assert isinstance(taken, Busy), "the lock file is still there and locked"
        with pytest.raises(Fenced):
            locks["docs"].commit(lambda: 1)


def test_a_removed_folder_fences_its_holder(tmp_path: Path, take: Take) -> None:
    with take({"docs": "exclusive"}) as locks:
        for file in (tmp_path / FOLDER).iterdir():
            file.unlink()
        (tmp_path / FOLDER).rmdir()
        assert elsewhere(lambda: take({"docs": "exclusive"}).acquire()) is None
        with pytest.raises(Fenced, match="removed"):
            locks["docs"].commit(lambda: 1)


def test_a_thread_that_gets_the_number_of_another_gets_none_of_its_locks(
    tmp_path: Path, take: Take
) -> None:
    first = take({"docs": "exclusive"})
    thread = threading.Thread(target=first.acquire)
    thread.start()
    thread.join()
    refused = []

    def second() -> None:
        try:
            take({"docs": "exclusive"}, wait_seconds=0.05).acquire()
        except Busy:
            refused.append(threading.get_ident())

    for _ in range(20):  # one of them has the number that the first had
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(refused) == 20
    first.release()

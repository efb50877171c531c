"""Locks of a flow on a real Prefect server: slots, preflight, loss, re-entrancy, dead holders."""

from __future__ import annotations

import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autopack.deadline import Deadline
from autopack.errors import Busy, Refused, Unreachable
from autopack.io.locks import break_lock, inspect
from autopack.locks.errors import Fenced, LockOrderError
from autopack.report import Report
from deployments import limits
from tasks import locking, slots
from tasks.locking import holding
from tasks.run import Run, draft, running
from tests.support import session
from tests.support.prefect_fixtures import FullServer, PrefectServer
from tests.support.process import stop


@pytest.fixture
def run(prefect_server: PrefectServer, make_workspace) -> Iterator[Run]:
    """A run of the server engine in a workspace of its own, in progress."""
    limits.create()
    made = Run("toy", {"workspace": str(make_workspace()), "execute": True}, engine="server")
    with running(made):
        draft(Report("toy", execute=True))
        yield made
    limits.create()


def active(server: PrefectServer | FullServer, name: str) -> int:
    found = slots.limit_of(server.url, name, time.monotonic() + 20)
    assert found
    return int(found["active_slots"])


def change(name: str, **fields: Any) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate

    with get_client(sync_client=True) as client:
        update = GlobalConcurrencyLimitUpdate(**fields)
        client.update_global_concurrency_limit(name, update)


def test_a_slot_of_each_exclusive_lock_is_taken_and_given_back(prefect_server, run) -> None:
    with holding("docs", "queue", shared=("archive",)) as held:
        assert [active(prefect_server, n) for n in ("docs", "queue", "archive", "tidy")] == [
            1, 1, 0, 0,
        ]  # fmt: skip
        assert run.draft.extra["coordination"] == "server"
        (seen,) = inspect(run.workspace, ["docs"])
        assert seen.holder
        assert seen.holder.note == f"lease {held.lease}"
        assert held.generations == {"tidy": 0, "queue": 1, "archive": 0, "docs": 1}
    assert [active(prefect_server, n) for n in ("docs", "queue")] == [0, 0]
    assert {seen.kernel for seen in inspect(run.workspace)} == {"free"}


@pytest.mark.parametrize("leave", [ValueError, KeyboardInterrupt, SystemExit])
def test_everything_is_given_back_whatever_leaves_the_block(prefect_server, run, leave) -> None:
    with pytest.raises(leave), holding("docs"):
        raise leave
    assert active(prefect_server, "docs") == 0
    assert {seen.kernel for seen in inspect(run.workspace)} == {"free"}


def test_without_a_server_the_kernel_is_the_guard_and_the_report_says_so(run) -> None:
    run.engine = "direct"
    with holding("docs") as held:
        assert held.lease is None
    assert run.draft.extra["coordination"] == "local"


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"active": False}, "is switched off"), ({"limit": 2}, "has 2 slots, not 1")],
)
def test_a_limit_that_does_not_exclude_is_refused_before_the_body(run, fields, says) -> None:
    change("docs", **fields)
    with pytest.raises(Refused, match=says) as refused, holding("queue", "docs"):
        raise AssertionError("the body must not run")
    assert refused.value.next_step == "python -m deployments.limits"
    assert {seen.kernel for seen in inspect(run.workspace)} == {"free"}


def test_a_missing_limit_is_refused_before_the_body(prefect_server, run) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.delete_global_concurrency_limit_by_name("docs")
    with pytest.raises(Refused, match="'docs' does not exist"), holding("queue", "docs"):
        raise AssertionError("the body must not run")
    assert active(prefect_server, "queue") == 0


def test_another_workspace_on_the_same_server_waits_and_is_told(
    prefect_server, run, make_workspace, capfd
) -> None:
    other = make_workspace()
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        outer = Run("toy", {"workspace": str(other)}, engine="server")
        with running(outer), holding("docs"):
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(hold,))
    thread.start()
    try:
        assert inside.wait(60)
        with pytest.raises(Busy, match="no slot of the Prefect limits docs"):  # noqa: SIM117
            with holding("docs", deadline=Deadline.after(1.5)):
                raise AssertionError("two holders")
        assert "waiting: for a slot of the Prefect limits docs" in capfd.readouterr().err
    finally:
        leave.set()
        thread.join()
    with holding("docs"):
        assert active(prefect_server, "docs") == 1


def test_an_inner_block_shares_the_locks_and_the_slots_of_the_outer(prefect_server, run) -> None:
    with holding("docs", "index") as outer:
        with holding("docs") as inner:
            assert active(prefect_server, "docs") == 1
            assert inner.generations["docs"] == outer.generations["docs"]
        assert active(prefect_server, "docs") == 1
        outer.check()
        with pytest.raises(LockOrderError), holding("queue"):
            pass
    assert active(prefect_server, "docs") == 0


def test_a_lease_that_is_gone_fences_the_next_commit(
    prefect_server, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "RENEW_S", 0.1)
    with holding("docs") as held:
        assert held.commit("docs", lambda: "written") == "written"
        assert slots.release(prefect_server.url, held.lease)
        wait_until_fenced(held, "expired, or somebody released it")
        with pytest.raises(Fenced):
            held.commit("docs", lambda: pytest.fail("a write without a lock"))


def wait_until_fenced(held, why: str) -> None:
    until = time.monotonic() + 30
    with pytest.raises(Fenced, match=why):  # noqa: PT012 - whichever look is the first to see it
        while time.monotonic() < until:
            held.check()
            time.sleep(0.05)


def test_an_inner_block_sees_that_the_outers_slot_was_lost(prefect_server, run) -> None:
    with holding("docs") as outer, holding("docs") as inner:
        slots.release(prefect_server.url, outer.lease)
        outer._slots[0]._lost = "gone"
        with pytest.raises(Fenced, match="gone"):
            inner.commit("docs", lambda: pytest.fail("a write without a slot"))


def test_a_lease_that_was_not_renewed_in_time_is_lost_whatever_the_thread_does(
    prefect_server, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holding("docs") as held:
        monkeypatch.setattr(slots, "LEASE_S", -1.0)
        with pytest.raises(Fenced, match="was not renewed"):
            held.check()


def test_a_run_whose_umbrella_was_broken_writes_under_no_lock(prefect_server, run) -> None:
    with holding("docs") as held:
        done = break_lock(run.workspace, "tidy", 0, watch_s=0.1)
        assert done.outcome == "broken"
        with pytest.raises(Fenced):
            held.commit("docs", lambda: pytest.fail("a write under a broken umbrella"))


def test_a_broken_holder_gives_its_slot_back(
    prefect_server, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "RENEW_S", 0.1)
    with holding("docs") as held:
        assert break_lock(run.workspace, "docs", held.generations["docs"], watch_s=0.1)
        until = time.monotonic() + 30
        while active(prefect_server, "docs") and time.monotonic() < until:
            time.sleep(0.05)
        assert active(prefect_server, "docs") == 0


def test_a_late_release_does_not_take_the_slot_of_the_next(prefect_server, run) -> None:
    with holding("docs") as held:
        lease = held.lease
    with holding("docs"):
        slots.release(prefect_server.url, lease)
        assert active(prefect_server, "docs") == 1


def test_a_server_that_is_gone_refuses_to_start_and_fences_what_runs(
    prefect_server, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: object) -> None:
        raise Unreachable("the Prefect server does not answer")

    monkeypatch.setattr(slots, "RENEW_S", 0.05)
    with holding("docs") as held:
        lease = held.lease
        monkeypatch.setattr(slots, "ask", gone)
        monkeypatch.setattr(slots, "LEASE_S", 0.3)
        wait_until_fenced(held, "was not renewed")
    with pytest.raises(Unreachable), holding("docs"):
        raise AssertionError("no lock, no write")
    monkeypatch.undo()
    assert active(prefect_server, "docs") == 1, "nobody could give it back"
    assert slots.release(prefect_server.url, lease)


def test_a_cancelled_flow_run_is_fenced_at_its_next_commit(
    prefect_server, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "RENEW_S", 0.1)
    made = prefect_server.post("/flows/", {"name": "toy"})
    state = {"type": "RUNNING", "name": "Running"}
    flow_run = prefect_server.post("/flow_runs/", {"flow_id": made["id"], "state": state})
    run.flow_run_id = flow_run["id"]
    with holding("docs") as held:
        cancel = {"state": {"type": "CANCELLED"}, "force": True}
        prefect_server.post(f"/flow_runs/{flow_run['id']}/set_state", cancel)
        wait_until_fenced(held, "its flow run was cancelled")


HOLDER = """
import sys, time
from tasks.locking import holding
from tasks.run import Run, running
with running(Run("victim", {"workspace": sys.argv[1]}, engine="server")), holding("docs"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(server: PrefectServer | FullServer, root: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that takes the lock and its slot for so long."""
    env = {k: v for k, v in server.env.items()} if isinstance(server, FullServer) else server.env()
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(root), str(seconds)], env=env, cwd=session.REPOSITORY,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def killed_holder(server: PrefectServer | FullServer, root: Path) -> None:
    """Let a process take the lock and its slot, and kill it."""
    child = holder(server, root, 600)
    assert child.stdout
    assert child.stdout.readline() == "held\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()


def test_break_stale_gives_a_dead_holders_slot_back_once(prefect_server, run, run_flow) -> None:
    killed_holder(prefect_server, run.workspace)
    env = {"PREFECT_API_URL": prefect_server.url, "PREFECT_HOME": str(prefect_server.home)}
    where = ("--workspace", run.workspace, "--engine", "direct", "--json")
    status = run_flow("locks", "status", *where, env=env)
    docs = next(lock for lock in status.report["locks"] if lock["name"] == "docs")
    assert docs["verdict"] == "ORPHAN-SLOT"
    assert docs["prefect"]["active_slots"] == 1
    words = []
    for _ in range(2):
        done = run_flow("locks", "break", "--stale", "--all", "--execute", *where, env=env)
        assert done.returncode == 0, done.stderr
        words.append([(o["name"], o["word"]) for o in done.report["outcomes"]])
    assert words == [[("docs", "released")], []]
    assert active(prefect_server, "docs") == 0


def test_a_dead_holders_slot_is_given_back_when_asked_for(prefect_server, run) -> None:
    killed_holder(prefect_server, run.workspace)
    assert active(prefect_server, "docs") == 1, "the slot of the dead is still taken"
    # Shorter than any lease: without the release this ends Busy.
    with holding("docs", deadline=Deadline.after(30), release_orphan_slots=True):
        assert active(prefect_server, "docs") == 1
    assert active(prefect_server, "docs") == 0


def test_who_waits_behind_a_holder_in_line_waits_as_long_as_that_one(
    prefect_server, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_holder(prefect_server, run.workspace)
    [dead] = inspect(run.workspace, ["docs"])
    monkeypatch.setattr(locking, "WAIT_S", 0.5)
    first = holder(prefect_server, run.workspace, 0)

    def in_line() -> bool:
        [seen] = inspect(run.workspace, ["docs"])
        there = seen.holder is not None and seen.holder.process.pid == first.pid
        return there and seen.holder.phase == locking.IN_LINE

    lease = (prefect_server.url, locking.lease_of(dead.holder))
    later = threading.Timer(2.0, slots.release, lease)
    try:
        while not in_line():
            assert first.poll() is None
            time.sleep(0.05)
        later.start()
        with holding("docs"):
            assert first.wait(60) == 0, "it was served before"
        later.join()
    finally:
        stop(first)


@pytest.mark.soak
@pytest.mark.skipif(not os.environ.get("AUTOPACK_SOAK"), reason="waits for a lease: make soak")
def test_a_dead_holders_slot_is_free_after_its_lease(
    full_server: FullServer, make_workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        [sys.executable, "-m", "deployments.limits"], env=full_server.env, check=True,
        cwd=session.REPOSITORY,
    )  # fmt: skip
    root = make_workspace()
    killed_holder(full_server, root)
    began = time.monotonic()
    monkeypatch.setattr("tasks.server.api_url", lambda: full_server.url)
    with running(Run("next", {"workspace": str(root)}, engine="server")), holding("docs"):
        print(f"slot of the dead free after {time.monotonic() - began:.1f} s")
    assert active(full_server, "docs") == 0

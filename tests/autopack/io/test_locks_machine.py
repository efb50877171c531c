"""Three simulated processes on real files, step by step against the model."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from autopack.errors import Busy
from autopack.io import lock_hold, lock_watch
from autopack.io.lock_files import FOLDER, LockFiles
from autopack.io.lock_hold import Hold
from autopack.io.lock_processes import me, now
from autopack.io.locks import Fenced, break_lock, inspect
from autopack.locks import model
from autopack.locks.model import FREE, At
from autopack.locks.names import parse
from autopack.locks.record import Moment, Record
from autopack.locks.verdict import Kind

DAY = 86_400.0
who = st.integers(0, 2)


class Machine(RuleBasedStateMachine):
    """Every rule does one step for real and in the model, and they must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        (self.root / FOLDER).mkdir(parents=True)
        self.files = LockFiles.of(self.root, parse("docs"))
        self.state = model.start(3)
        self.holds: list[Hold | None] = [None] * 3
        self.commits: list[AbstractContextManager[None] | None] = [None] * 3
        self.paused: set[int] = set()
        self.jump = 0.0
        self.patches = [
            patch.object(lock_hold, "_ENTER_WAIT_S", 0.0),
            patch.object(lock_hold, "now", self.clock),
            patch.object(lock_watch, "now", self.clock),
        ]
        for each in self.patches:
            each.start()

    def teardown(self) -> None:
        for index in range(3):
            self._close(index)
        for each in self.patches:
            each.stop()
        shutil.rmtree(self.root)

    def clock(self) -> Moment:
        return Moment(time.time() + self.jump, time.monotonic())

    def _close(self, index: int) -> None:
        """Do what the kernel does at a process's end: close its files, and nothing else."""
        hold, self.holds[index], self.commits[index] = self.holds[index], None, None
        for file in (hold._main, hold._guard) if hold else ():
            if file is not None:
                file.close()

    # --- steps --------------------------------------------------------------------------------

    @rule(index=who, shared=st.booleans(), write=st.booleans())
    def go_on(self, index: int, shared: bool, write: bool) -> None:
        """Do a process's next step."""
        if index in self.paused:
            return
        lock_hold._mine.turns.clear()  # a process knows only its own guards
        match self.state.procs[index].at:
            case At.IDLE:
                self._open(index, "shared" if shared else "exclusive")
            case At.OPENED:
                self._lock(index)
            case At.LOCKED:
                self._enter(index)
            case At.HELD if write:
                self._start_commit(index)
            case At.HELD:
                self._release(index)
            case At.COMMITTING:
                self._end_commit(index)

    @rule(schedule=st.lists(who, min_size=3, max_size=9))
    def hurry(self, schedule: list[int]) -> None:
        """Let the processes do several steps before anything happens to them."""
        for index in schedule:
            self.go_on(index, shared=index == 2, write=True)

    def _open(self, index: int, mode: str) -> None:
        at = now()
        hold = Hold(self.files, Record(mode, "holder", 0, me(), at, at, at))
        hold.open()
        self.holds[index] = hold
        self.state = model.opened(self.state, index, mode)

    def _lock(self, index: int) -> None:
        free = model.may_lock(self.state, index)
        assert self.holds[index].lock() == free
        if free:
            self.state = model.locked(self.state, index)

    def _enter(self, index: int) -> None:
        hold = self.holds[index]
        busy = self.state.guard != FREE
        before = self.state
        self.state = model.left(before, index) if busy else model.entered(before, index)
        granted = hold.enter()
        assert granted == (self.state.procs[index].at is At.HELD)
        if granted:
            assert hold.generation == self.state.procs[index].generation
        else:
            hold.release()

    def _start_commit(self, index: int) -> None:
        hold = self.holds[index]
        commit = hold.guarded(0.0)
        if self.state.guard != FREE:
            with pytest.raises(Busy):
                commit.__enter__()
            return
        self.state = model.checked(self.state, index)
        if self.state.procs[index].at is At.COMMITTING:
            commit.__enter__()
            self.commits[index] = commit
        else:
            with pytest.raises(Fenced):
                commit.__enter__()
            hold.release()

    def _end_commit(self, index: int) -> None:
        self.commits[index].__exit__(None, None, None)
        self.state = model.committed(self.state, index)

    def _release(self, index: int) -> None:
        self.holds[index].release()
        self.state = model.left(self.state, index)

    @rule(index=who)
    def crash(self, index: int) -> None:
        self.paused.discard(index)
        if self.state.procs[index].at is not At.IDLE:
            self._close(index)
            self.state = model.left(self.state, index)

    @rule(index=who)
    def pause_or_resume(self, index: int) -> None:
        self.paused ^= {index}

    @rule(days=st.sampled_from([-30, -1, 0, 1, 30]))
    def jump_the_clock(self, days: int) -> None:
        self.jump = days * DAY

    @rule(off=st.sampled_from([0, 0, 0, -1, 1]))
    def break_it(self, off: int) -> None:
        seen = self.state.epoch + off
        done = break_lock(self.root, "docs", seen, watch_s=0.0, guard_wait_s=0.0)
        held = bool(self.state.owners[self.state.inode])
        if not held:
            assert done.outcome == "free"
        elif off:
            assert done.outcome == "refused"
        elif self.state.guard != FREE:
            assert done.outcome == "guard_busy"
            assert done.why.startswith(f"pid {os.getpid()} ")
        else:
            assert done.outcome == "broken"
            self.state = model.broken(self.state)
            assert done.generation == self.state.epoch

    # --- what always holds --------------------------------------------------------------------

    @invariant()
    def the_protocol_keeps_its_rules(self) -> None:
        assert model.fault(self.state) == ""

    @invariant()
    def a_look_tells_the_truth(self) -> None:
        seen = inspect(self.root, ["docs"])[0]
        owners = self.state.owners[self.state.inode]
        modes = {self.state.procs[owner].mode for owner in owners}
        assert seen.kernel == (modes.pop() if owners else "free")
        assert seen.generation == self.state.epoch
        assert seen.verdict.kind is (Kind.HELD if owners else Kind.FREE)
        assert not (owners and seen.verdict.alive == "no"), "whatever the clock says"
        assert (seen.verdict.beat_age_s or 0.0) < 3600

    @invariant()
    def a_grant_knows_whether_it_is_fenced(self) -> None:
        for index, proc in enumerate(self.state.procs):
            hold = self.holds[index]
            if proc.at in (At.HELD, At.COMMITTING) and proc.generation == self.state.epoch:
                hold.check()
            elif proc.at is At.HELD:
                with pytest.raises(Fenced):
                    hold.check()


SOAK = bool(os.environ.get("AUTOPACK_SOAK"))
TestMachine = pytest.mark.soak(Machine.TestCase)
TestMachine.settings = settings(
    max_examples=2000 if SOAK else 100,
    stateful_step_count=100 if SOAK else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

"""Processes that fight for locks while somebody kills, stops and breaks them.

`python -m tests.support.lock_harness ROOT --kills 100 ...` prints one JSON object of counts. Each
worker takes random subsets of four locks, now and then shared, and counts a number per lock up
through `commit`. Every worker writes down what it did before or after it happened, whichever makes
a fault show, so the logs of the dead count as well.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.errors import Busy
from autopack.io import lock_heartbeat
from autopack.io.locks import Fenced, Grant, MultiLock, Owner, break_lock, inspect
from autopack.locks.verdict import Kind

NAMES = ("queue", "runs", "archive", "docs")
EVENTS = ("kills", "stops", "broken", "guard_busy", "failed workers")
HOLD_S = 0.0008
STALL_S = 0.1
"""A process is stopped for longer than this, and its locks are broken after it."""


# --- a worker ---------------------------------------------------------------------------------


class Log:
    """Appends facts to a file of its own; a line is there as soon as it is written."""

    def __init__(self, root: Path) -> None:
        name = root / f"log.{os.getpid()}.{time.monotonic_ns()}"
        self.file = os.open(name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def note(self, *fact: Any) -> None:
        """Write one fact."""
        os.write(self.file, (json.dumps([os.getpid(), time.monotonic_ns(), *fact]) + "\n").encode())


def work(root: Path, quota: Quota, slot: int) -> None:
    """Take locks and count, until the harness says stop."""
    lock_heartbeat.INTERVAL_S = 0.05
    rng, log = random.Random(os.urandom(8)), Log(root)
    while not quota.stopped():
        names = rng.sample(NAMES, rng.randint(1, len(NAMES)))
        wants = {name: "shared" if rng.random() < 0.2 else "exclusive" for name in names}
        locks = MultiLock(root, wants, Owner("harness"), Deadline.after(120), wait_seconds=60)
        try:
            with locks:
                for grant in locks:
                    log.note("got", grant.name, grant.mode, grant.generation)
                quota.add(slot, len(wants))
                time.sleep(rng.random() * HOLD_S)
                for grant in locks:
                    count_up(root, grant, log)
                locks.progress(1)
                for grant in locks:
                    log.note("let", grant.name, grant.mode, grant.generation)
        except Fenced:
            log.note("fenced")
        except Busy as error:
            log.note("busy", str(error))


def count_up(root: Path, grant: Grant, log: Log) -> None:
    """Read, add one and replace: two at once would lose an update."""
    path = root / f"{grant.name}.json"

    def write() -> None:
        before = json.loads(path.read_text()) if path.exists() else {"count": 0, "generation": 0}
        log.note("into", grant.name, grant.generation, before["count"] + 1)
        if before["generation"] > grant.generation:
            log.note("stale", grant.name, grant.generation, before["generation"])
        fresh = path.with_name(f"{grant.name}.{os.getpid()}")
        fresh.write_text(json.dumps({"count": before["count"] + 1, "generation": grant.generation}))
        os.replace(fresh, path)
        log.note("done", grant.name, grant.generation, before["count"] + 1)

    grant.commit(write)


class Quota:
    """Numbers that the forked workers share: a stop flag, and acquisitions by worker."""

    def __init__(self, workers: int) -> None:
        self.page = mmap.mmap(-1, 8 * (workers + 1))

    def stopped(self) -> bool:
        return self.page[0] != 0

    def stop(self) -> None:
        self.page[0] = 1

    def add(self, slot: int, more: int) -> None:
        at = 8 * (slot + 1)
        struct.pack_into("<q", self.page, at, struct.unpack_from("<q", self.page, at)[0] + more)

    def total(self) -> int:
        return sum(struct.unpack_from(f"<{len(self.page) // 8 - 1}q", self.page, 8))


# --- the one who kills ------------------------------------------------------------------------


@dataclass
class Adversary:
    """Kills, stops and breaks until each quota is met."""

    root: Path
    workers: int
    rng: random.Random
    quota: Quota
    slots: dict[int, int] = field(default_factory=dict)
    killed_at: dict[int, int] = field(default_factory=dict)
    broken: list[tuple[str, int, int]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def start(self, slot: int) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                work(self.root, self.quota, slot)
            except BaseException as error:
                sys.stderr.write(f"worker: {error!r}\n")
                os._exit(1)
            os._exit(0)
        self.slots[pid] = slot

    def kill(self) -> None:
        pid = self.rng.choice(list(self.slots))
        self.killed_at[pid] = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        self.seen["kills"] += 1
        self.start(self.slots.pop(pid))

    def stop(self) -> None:
        """Stop a process for longer than the threshold; what it holds is broken meanwhile."""
        pid = self.rng.choice(list(self.slots))
        os.kill(pid, signal.SIGSTOP)
        self.seen["stops"] += 1
        time.sleep(STALL_S)
        for name in NAMES:
            self.try_break(name, pid)
        time.sleep(self.rng.random() * STALL_S)
        os.kill(pid, signal.SIGCONT)

    def try_break(self, name: str, pid: int) -> None:
        began = time.monotonic_ns()
        seen = inspect(self.root, [name])[0]
        holders = {record.process.pid for record in seen.holders}
        if seen.verdict.kind is not Kind.PAUSED or pid not in holders:
            return
        done = break_lock(self.root, name, seen.generation, watch_s=0.05, guard_wait_s=0.02)
        self.seen[done.outcome] += 1
        if done.outcome == "broken":
            self.broken.append((name, seen.generation, began))

    def finish(self) -> None:
        self.quota.stop()
        for pid in self.slots:
            _, status = os.waitpid(pid, 0)
            self.seen["failed workers"] += status != 0


def fight(
    root: Path, *, workers: int, acquisitions: int, kills: int, stops: int, breaks: int, seed: int
) -> dict[str, Any]:
    """Run until each quota is met and return the counts."""
    began = time.monotonic()
    adversary = Adversary(root, workers, random.Random(seed), Quota(workers))
    for slot in range(workers):
        adversary.start(slot)
    seen, every = adversary.seen, max(1, kills // max(1, stops))
    while seen["kills"] < kills or seen["stops"] < stops or seen["broken"] < breaks:
        time.sleep(adversary.rng.random() * 0.03)
        if seen["kills"] < kills and adversary.rng.randrange(every + 1):
            adversary.kill()
        elif seen["stops"] < stops or seen["broken"] < breaks:
            adversary.stop()
    while adversary.quota.total() < acquisitions:
        time.sleep(0.01)
    adversary.finish()
    return {
        "seconds": round(time.monotonic() - began, 1),
        **{
            name: seen[name]
            for name in ("kills", "stops", "broken", "guard_busy", "failed workers")
        },
        **judge_logs(root, adversary),
        "held at the end": sum(s.kernel != "free" for s in inspect(root)),
    }


# --- the judgement ----------------------------------------------------------------------------


def facts(root: Path) -> list[list[Any]]:
    """Return every whole line of every log, by time."""
    found = []
    for path in root.glob("log.*"):
        *lines, _torn = path.read_text().split("\n")
        found += [json.loads(line) for line in lines]
    return sorted(found, key=lambda fact: fact[1])


def judge_logs(root: Path, adversary: Adversary) -> dict[str, Any]:
    """Count what must not be, and what shows that the run meant something."""
    noted = facts(root)
    kinds = Counter(fact[2] for fact in noted)
    return {
        "acquisitions": kinds["got"],
        "commits": kinds["done"],
        "fenced": kinds["fenced"],
        "double holds": double_holds(noted, adversary),
        "two in a commit": two_in_commit(noted, adversary.killed_at),
        "stale commits": kinds["stale"],
        "lost updates": lost_updates(root, noted),
        "deadlocks": kinds["busy"],
        "duplicate generations": duplicate_generations(noted),
        "generations that fell": fallen_generations(noted),
    }


def double_holds(noted: list[list[Any]], adversary: Adversary) -> int:
    """Count pairs that held one lock at the same time, one of them exclusively.

    A hold ends when its process was killed or its generation broken, if that comes first.
    """
    ends = {(name, gen): at for name, gen, at in adversary.broken}
    open_: dict[tuple[int, str], tuple[int, str, int]] = {}
    spans: dict[str, list[tuple[int, int, str]]] = defaultdict(list)

    def close(pid: int, name: str, at: int) -> None:
        began, mode, gen = open_.pop((pid, name))
        limit = min(at, adversary.killed_at.get(pid, at), ends.get((name, gen), at))
        if began < limit:  # else it noted its grant only after that was broken
            spans[name].append((began, limit, mode))

    last = noted[-1][1] if noted else 0
    for pid, at, kind, *rest in noted:
        if kind == "got":
            open_[pid, rest[0]] = (at, rest[1], rest[2])
        elif kind == "let" and (pid, rest[0]) in open_:
            close(pid, rest[0], at)
        elif kind == "fenced":
            for name in [name for owner, name in open_ if owner == pid]:
                close(pid, name, at)
    for pid, name in list(open_):
        close(pid, name, last)
    return sum(_overlaps(sorted(found)) for found in spans.values())


def _overlaps(spans: list[tuple[int, int, str]]) -> int:
    count, exclusive_until, any_until = 0, 0, 0
    for began, ended, mode in spans:
        count += began < (any_until if mode == "exclusive" else exclusive_until)
        any_until = max(any_until, ended)
        exclusive_until = max(exclusive_until, ended) if mode == "exclusive" else exclusive_until
    return count


def two_in_commit(noted: list[list[Any]], killed_at: dict[int, int]) -> int:
    """Count entries into a commit while another living process was inside."""
    inside: dict[str, int] = {}
    count = 0
    for pid, at, kind, *rest in noted:
        if kind == "into":
            other = inside.get(rest[0])
            count += other not in (None, pid) and killed_at.get(other or 0, at) >= at
            inside[rest[0]] = pid
        elif kind == "done" and inside.get(rest[0]) == pid:
            del inside[rest[0]]
    return count


def lost_updates(root: Path, noted: list[list[Any]]) -> int:
    """Count values that were written twice, and those above the last one."""
    lost = 0
    for name in NAMES:
        done = [fact[5] for fact in noted if fact[2] == "done" and fact[3] == name]
        path = root / f"{name}.json"
        final = json.loads(path.read_text())["count"] if path.exists() else 0
        lost += len(done) - len(set(done)) + sum(value > final for value in done)
    return lost


def duplicate_generations(noted: list[list[Any]]) -> int:
    """Count generations that two exclusive grants had."""
    grants = Counter(
        (fact[3], fact[5]) for fact in noted if fact[2] == "got" and fact[4] == "exclusive"
    )
    return sum(n - 1 for n in grants.values())


def fallen_generations(noted: list[list[Any]]) -> int:
    """Count commits with a lower generation than the one before."""
    last: dict[str, int] = defaultdict(int)
    fell = 0
    for fact in noted:
        if fact[2] == "done":
            fell += fact[4] < last[fact[3]]
            last[fact[3]] = fact[4]
    return fell


def main() -> None:
    """Fight and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--workers", type=int, default=4)
    for name in ("acquisitions", "kills", "stops", "breaks"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = vars(parser.parse_args())
    print(json.dumps(fight(options.pop("root"), **options)))


if __name__ == "__main__":
    main()

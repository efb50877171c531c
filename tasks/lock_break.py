"""Steps of `locks break`: what may be broken, do it, and leave a record of each."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autopack.deadline import Deadline
from autopack.errors import AutopackError, Refused, UsageError
from autopack.io.locks import (
    Broken,
    MultiLock,
    Owner,
    Seen,
    break_lock,
    inspect,
    kill_holder,
    stale,
)
from autopack.locks.lines import holder_line
from autopack.report import Finding, Report
from tasks import server
from tasks.engine import task
from tasks.lock_status import ask_limits, orphaned
from tasks.locking import lease_of
from tasks.run import current
from tasks.slots import release

DONE = ("broken", "killed", "released")


@dataclass(frozen=True)
class Wish:
    """What is to be broken: one lock, or every stale one; `generation` is what was seen."""

    name: str | None
    generation: int | None
    kill: bool

    @classmethod
    def of(
        cls, name: str | None, generation: int | None, stale: bool, everything: bool, kill: bool
    ) -> Wish:
        """Return what the flags ask for.

        Raises:
            UsageError: They contradict each other, or name nothing.
        """
        look = "python -m flows.locks status"
        if name is None and not (stale and everything):
            raise UsageError("which lock? name it, or take --stale --all", next_step=look)
        if name is not None and everything:
            raise UsageError(f"--all contradicts the one lock {name}", next_step=look)
        if stale and (generation is not None or kill):
            raise UsageError(
                "--stale breaks what is proven dead; --generation and --kill name one holder",
                next_step=look,
            )
        if name is not None and not stale and generation is None:
            raise UsageError(
                f"which generation of {name}? status shows it", next_step=f"{look} {name}"
            )
        return cls(name, generation, kill)


@dataclass(frozen=True)
class Outcome:
    """What became of one lock, in a word and in a line."""

    name: str
    word: str
    line: str
    next_step: str = ""


class Outcomes:
    """The outcomes of one run; a plain class, because Prefect walks into lists."""

    def __init__(self, single: bool) -> None:
        self.single = single
        self.all: list[Outcome] = []


@task(timeout_seconds=3600.0)
def carry_out(root: Path, wish: Wish, execute: bool, deadline: Deadline) -> Outcomes:
    """Break what was asked for, in canonical order; each leaves a record in the audit chain."""
    done = Outcomes(wish.name is not None)
    for seen in _wanted(root, wish, deadline):
        deadline.check(f"breaking {seen.name}")
        outcome = _one(root, seen, wish, deadline) if execute else _would(seen, wish)
        if execute and outcome.word in DONE:
            outcome = _audited(root, seen, outcome)
        done.all.append(outcome)
    return done


def _wanted(root: Path, wish: Wish, deadline: Deadline) -> list[Seen]:
    if wish.name is not None:
        return inspect(root, [wish.name])
    seen = inspect(root)
    limits = ask_limits(server.answers(), {one.limit for one in seen}, deadline)
    left = stale(root, slots=orphaned(seen, limits))
    return [one for one in left if lease_of(one.holder)]


def _would(seen: Seen, wish: Wish) -> Outcome:
    line = holder_line(seen.name, seen.holder, seen.verdict)
    if wish.generation is not None and wish.generation != seen.generation:
        return Outcome(
            seen.name,
            "refused",
            f"the lock is at generation {seen.generation}, not {wish.generation}: {line}",
        )
    return Outcome(seen.name, "looked", line)


def _one(root: Path, seen: Seen, wish: Wish, deadline: Deadline) -> Outcome:
    if wish.generation is not None and wish.generation != seen.generation:
        return _would(seen, wish)
    if seen.kernel == "free":
        return _give_back(root, seen, deadline)
    if wish.kill and wish.generation is not None:
        return _told(kill_holder(root, seen.name, wish.generation))
    outcome = _told(break_lock(root, seen.name, wish.generation))
    url, lease = server.answers(), lease_of(seen.holder)
    if outcome.word == "broken" and url and lease:
        release(url, lease)  # its holder may live, and would renew it for ever
    return outcome


def _give_back(root: Path, seen: Seen, deadline: Deadline) -> Outcome:
    """Release the Prefect slot of a holder that died, and clear what it left of itself."""
    lease, url = lease_of(seen.holder), server.answers()
    if not lease or seen.verdict.alive != "no":
        return Outcome(seen.name, "free", f"nothing to break: {seen.verdict.why}")
    if url is None:
        return Outcome(seen.name, "refused", "no Prefect server answers; its lease ends by itself")
    before = _taken(url, seen, deadline)
    release(url, lease)
    given = before > _taken(url, seen, deadline)
    with MultiLock(root, {seen.name: "exclusive"}, Owner("locks-break"), deadline, wait_seconds=1):
        pass  # taking it and letting it go empties the record of the dead
    if given:
        return Outcome(seen.name, "released", f"the Prefect slot of lease {lease} was given back")
    return Outcome(seen.name, "free", f"its lease {lease} was over already")


def _taken(url: str, seen: Seen, deadline: Deadline) -> int:
    limit = ask_limits(url, [seen.limit], deadline).get(seen.limit)
    return int(limit.found["active_slots"]) if limit and limit.found else 0


def _told(broken: Broken) -> Outcome:
    return Outcome(
        broken.name, broken.outcome, f"{broken.why}; now at generation {broken.generation}",
        broken.next_step,
    )  # fmt: skip


def _audited(root: Path, seen: Seen, outcome: Outcome) -> Outcome:
    """Record one broken lock: who held it, which generation, what was done."""
    from autopack.io import audit

    run, holder = current(), seen.holder
    record: dict[str, Any] = {
        "flow": "locks-break",
        "flow_run_id": run.flow_run_id if run else None,
        "lock": seen.name,
        "outcome": outcome.word,
        "generation": seen.generation,
        "holder": holder and {
            "flow": holder.owner, "host": holder.process.host, "pid": holder.process.pid,
            "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(holder.since.wall)),
        },
    }  # fmt: skip
    try:
        audit.append(root, record)
    except AutopackError as error:
        return replace(outcome, line=f"{outcome.line}; no audit record: {error.message}")
    return outcome


def describe(report: Report, done: Outcomes) -> None:
    """Put one line per lock into the report.

    Raises:
        Refused: The one lock that was named was not broken.
    """
    report.extra["outcomes"] = [vars(outcome) for outcome in done.all]
    report.body = "\n".join(f"{o.name}: {o.word}: {o.line}" for o in done.all) or (
        "nothing is stale"
    )
    missed = [o for o in done.all if o.word not in (*DONE, "free", "looked")]
    if missed and done.single:
        raise Refused(f"{missed[0].name}: {missed[0].line}", next_step=missed[0].next_step)
    report.findings += (
        Finding("not_broken", "error", o.name, None, o.line, o.next_step) for o in missed
    )

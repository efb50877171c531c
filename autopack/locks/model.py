"""The lock protocol as steps over frozen values, and a search through every order of them.

The steps are those of `autopack.io.lock_hold` and `lock_break`, one for every moment at which
another process may come between. A pause needs no step: it is a process whose turn does not come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, TypeVar

from autopack.locks.names import Mode

Node = TypeVar("Node")
FREE = -1


class At(IntEnum):
    """How far a process has come."""

    IDLE = 0
    OPENED = 1
    LOCKED = 2
    HELD = 3
    COMMITTING = 4


class Proc(NamedTuple):
    """One process: how far it is, how it wants the lock, the inode it opened, its generation."""

    at: At = At.IDLE
    mode: Mode = "exclusive"
    inode: int = -1
    generation: int = -1


class State(NamedTuple):
    """One lock and its processes.

    `inode` is what the path names now. `owners` has the processes that hold each inode, `guard`
    the one that holds the guard, `FREE` when nobody does. `fault` says which rule the last step
    broke.
    """

    inode: int
    owners: tuple[frozenset[int], ...]
    epoch: int
    guard: int
    committed: int
    procs: tuple[Proc, ...]
    fault: str = ""


@dataclass(frozen=True)
class Rules:
    """What the protocol checks. The defaults are the protocol; anything else is a mutant."""

    check_generation: bool = True
    check_under_guard: bool = True
    check_inode: bool = True
    shared_excludes_exclusive: bool = True


@dataclass(frozen=True)
class Setting:
    """What a search tries: the rules, the modes, and the generation at which it stops."""

    rules: Rules = Rules()
    modes: tuple[Mode, ...] = ("exclusive",)
    epochs: int = 5


@dataclass(frozen=True)
class Explored:
    """What a search found: how many states, and the shortest way to a fault, if there is one."""

    states: int
    fault: str = ""
    trace: tuple[str, ...] = ()


def start(processes: int) -> State:
    """Return the state in which nobody has done anything."""
    return State(0, (frozenset(),), 0, FREE, 0, (Proc(),) * processes)


# --- steps ------------------------------------------------------------------------------------


def steps(state: State, setting: Setting) -> Iterator[tuple[str, State]]:
    """Yield every step that is possible now, and where it leads."""
    for who, proc in enumerate(state.procs):
        for name, after in _own_steps(state, who, proc, setting):
            yield f"{who} {name}", after
        if proc.at is not At.IDLE:
            yield f"{who} CRASH", left(state, who)
    if state.epoch < setting.epochs and may_break(state):
        yield "BREAK", broken(state)


def _own_steps(state: State, who: int, proc: Proc, setting: Setting) -> Iterator[tuple[str, State]]:
    rules = setting.rules
    match proc.at:
        case At.IDLE if state.epoch < setting.epochs:
            yield from ((f"open {mode}", opened(state, who, mode)) for mode in setting.modes)
        case At.OPENED if may_lock(state, who, rules):
            yield "flock", locked(state, who)
        case At.LOCKED if state.guard == FREE:
            yield "enter", entered(state, who, rules)
        case At.HELD:
            yield "release", left(state, who)
            if state.guard == FREE or not rules.check_under_guard:
                yield "check", checked(state, who, rules)
        case At.COMMITTING:
            yield "commit", committed(state, who)


def opened(state: State, who: int, mode: Mode) -> State:
    """Open the file that the path names now."""
    return _move(state, who, Proc(At.OPENED, mode, state.inode))


def may_lock(state: State, who: int, rules: Rules = Rules()) -> bool:
    """Return whether the kernel grants the lock on the inode that the process opened."""
    proc = state.procs[who]
    owners = state.owners[proc.inode]
    if not rules.shared_excludes_exclusive and proc.mode == "shared":
        return True
    return not owners or {proc.mode, *(state.procs[o].mode for o in owners)} == {"shared"}


def locked(state: State, who: int) -> State:
    """Hold the kernel lock on the inode that was opened."""
    proc = state.procs[who]
    after = _own(state, proc.inode, state.owners[proc.inode] | {who})
    return _move(after, who, proc._replace(at=At.LOCKED))


def entered(state: State, who: int, rules: Rules = Rules()) -> State:
    """Under the guard: give up if the file was rotated, else number the grant."""
    proc = state.procs[who]
    if rules.check_inode and proc.inode != state.inode:
        return left(state, who)
    if proc.mode == "shared":
        return _move(state, who, proc._replace(at=At.HELD, generation=state.epoch))
    fault = "a grant fenced a holder that nobody broke" if _current(state) - {who} else ""
    epoch = state.epoch + 1
    after = state._replace(epoch=epoch, fault=fault)
    return _move(after, who, proc._replace(at=At.HELD, generation=epoch))


def checked(state: State, who: int, rules: Rules = Rules()) -> State:
    """Take the guard and compare the generation: go on to the commit, or be fenced and leave."""
    proc = state.procs[who]
    if rules.check_generation and proc.generation != state.epoch:
        return left(state, who)
    guard = who if rules.check_under_guard else state.guard
    return _move(state._replace(guard=guard), who, proc._replace(at=At.COMMITTING))


def committed(state: State, who: int) -> State:
    """Write, and release the guard."""
    proc = state.procs[who]
    fault = ""
    if proc.generation < state.committed:
        fault = "an older generation wrote after a newer one"
    elif proc.generation < state.epoch:
        fault = "a fenced holder wrote"
    after = state._replace(
        guard=FREE if state.guard == who else state.guard,
        committed=max(state.committed, proc.generation),
        fault=fault,
    )
    return _move(after, who, proc._replace(at=At.HELD))


def may_break(state: State) -> bool:
    """Return whether a breaker gets the guard and finds somebody to break."""
    return state.guard == FREE and bool(state.owners[state.inode])


def broken(state: State) -> State:
    """Count the generation up and put a fresh file in place, under the guard."""
    return state._replace(
        inode=len(state.owners), owners=(*state.owners, frozenset()), epoch=state.epoch + 1
    )


def left(state: State, who: int) -> State:
    """Release, crash and being fenced end alike: the kernel closes what the process had open."""
    inode = state.procs[who].inode
    after = _own(state, inode, state.owners[inode] - {who})
    return _move(after._replace(guard=FREE if state.guard == who else state.guard), who, Proc())


def _move(state: State, who: int, proc: Proc) -> State:
    return state._replace(procs=(*state.procs[:who], proc, *state.procs[who + 1 :]))


def _own(state: State, inode: int, owners: frozenset[int]) -> State:
    return state._replace(owners=(*state.owners[:inode], owners, *state.owners[inode + 1 :]))


def _current(state: State) -> set[int]:
    """Return the processes whose grant is the newest."""
    granted = (At.HELD, At.COMMITTING)
    return {
        who
        for who, proc in enumerate(state.procs)
        if proc.at in granted and proc.generation == state.epoch and proc.inode == state.inode
    }


# --- rules ------------------------------------------------------------------------------------


def fault(state: State) -> str:
    """Return which rule the state breaks, or nothing."""
    if state.fault:
        return state.fault
    current = [state.procs[who] for who in _current(state)]
    if len(current) > 1 and any(proc.mode == "exclusive" for proc in current):
        return "an exclusive holder is not alone"
    if sum(proc.at is At.COMMITTING for proc in state.procs) > 1:
        return "two are inside a commit"
    return ""


def explore(processes: int, setting: Setting = Setting()) -> Explored:
    """Visit every state that can be reached, in order of distance, up to the first fault.

    A state with no way on, other than everybody idle, and a step that counts the generation
    down are faults, too.
    """

    def ways(state: State) -> list[tuple[str, State]]:
        return list(steps(state, setting))

    def wrong(state: State, after: list[tuple[str, State]]) -> str:
        if not after and state.epoch < setting.epochs:
            return "nobody can go on"
        if any(reached.epoch < state.epoch for _, reached in after):
            return "the generation went down"
        return fault(state)

    return _search(start(processes), ways, wrong)


def _search(
    first: Node,
    ways: Callable[[Node], list[tuple[str, Node]]],
    wrong: Callable[[Node, list[tuple[str, Node]]], str],
) -> Explored:
    came: dict[Node, tuple[Node, str] | None] = {first: None}
    queue = deque([first])
    while queue:
        state = queue.popleft()
        after = ways(state)
        found = wrong(state, after)
        if found:
            return Explored(len(came), found, _trace(came, state))
        for name, reached in after:
            if reached not in came:
                came[reached] = (state, name)
                queue.append(reached)
    return Explored(len(came))


def _trace(came: dict[Node, tuple[Node, str] | None], state: Node) -> tuple[str, ...]:
    names: list[str] = []
    while before := came[state]:
        state, name = before
        names.append(name)
    return tuple(reversed(names))

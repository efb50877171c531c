"""The invariants of a phase and a plan: disjoint sets, context that exists, a command, budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from autopack.phases import commands
from autopack.phases.codes import Code
from autopack.phases.document import Loc
from autopack.phases.globs import is_literal, literal_prefix, meeting
from autopack.phases.paths import fault, fold
from autopack.phases.policy import Policy
from autopack.phases.scope import compiled
from autopack.phases.view import KINDS, Entry, View


class Fault(NamedTuple):
    """One thing that is wrong, where it stands in the document, and what to do about it."""

    loc: Loc
    code: Code
    message: str
    fix: str = ""
    at_key: bool = False


@dataclass(frozen=True)
class World:
    """What the rules ask about the workspace.

    `exists`: whether a path is there, links followed nowhere. `link_on`: the first part of a path
    that is a symbolic link, or "". `tracked`: every file git knows. `links`: those of them that
    are symbolic links.
    """

    exists: Callable[[str], bool]
    link_on: Callable[[str], str]
    tracked: Callable[[], Sequence[str]]
    links: Callable[[], Sequence[str]]


NO_DOUBT = World(lambda _: True, lambda _: "", tuple, tuple)
"""A world that bears out whatever a spec says of it: for a spec that was held against the real one
already."""


def world_of(files: Iterable[str], links: Iterable[str] = ()) -> World:
    """Return a world that holds these files."""
    tracked, linked = tuple(files), tuple(links)
    there = {*tracked, *linked}
    there |= {"/".join(p.split("/")[:n]) for p in there for n in range(1, p.count("/") + 1)}

    def link_on(path: str) -> str:
        return next((link for link in linked if f"{path}/".startswith(f"{link}/")), "")

    return World(there.__contains__, link_on, lambda: tracked, lambda: linked)


def faults_of(view: View, policy: Policy, world: World) -> Iterator[Fault]:
    """Yield what is wrong with one phase, in the order of its parts."""
    yield from _disjoint(view, policy, world)
    yield from _links(view, world)
    yield from _context(view, world)
    yield from _command(view, policy, world)
    yield from _budget(view, policy)


class _Guard(NamedTuple):
    """A glob that must stay out of reach, and why."""

    glob: str
    code: Code
    kind: str


def _disjoint(view: View, policy: Policy, world: World) -> Iterator[Fault]:
    guards = [_Guard(glob, "PS303", "protected") for glob in policy.guarded]
    guards += [_Guard(entry.glob, "PS303", "protected") for entry in view.protected]
    guards += [_Guard(entry.glob, "PS304", "read-only") for entry in view.read_only]
    for entry in view.allowed:
        for guard in guards:
            shared = meeting(entry.glob, guard.glob)
            if shared is not None:
                yield _overlap(entry, guard, shared, world)


def _overlap(entry: Entry, guard: _Guard, shared: str, world: World) -> Fault:
    both = _tracked_in_both(entry.glob, guard.glob, world)
    example = (
        both[0] if both else {fold(g): g for g in (guard.glob, entry.glob)}.get(shared, shared)
    )
    more = f" and {len(both) - 1} more files" if len(both) > 1 else ""
    words = f"'{entry.glob}' may be written and reaches {guard.kind} '{guard.glob}'"
    advice = f"narrow '{entry.glob}' so that it leaves '{guard.glob}' alone"
    return Fault(entry.loc, guard.code, f"{words}: {example}{more}", advice)


def _tracked_in_both(one: str, other: str, world: World) -> list[str]:
    first, second = compiled([fold(one)]), compiled([fold(other)])
    folded = ((path, fold(path)) for path in world.tracked())
    return [path for path, low in folded if first.match_file(low) and second.match_file(low)]


def _links(view: View, world: World) -> Iterator[Fault]:
    for entry in view.allowed:
        prefix = literal_prefix(entry.glob)
        link = world.link_on(prefix) if prefix else ""
        inside = [] if link else [p for p in world.links() if compiled([entry.glob]).match_file(p)]
        if link or inside:
            words = f"'{entry.glob}' reaches through the symbolic link {link or inside[0]}"
            yield Fault(entry.loc, "PS306", words, "name the files that the link stands for")


def _context(view: View, world: World) -> Iterator[Fault]:
    for entry in view.read_only:
        if not _there(entry.glob, world):
            words = f"read-only context '{entry.glob}' does not exist"
            yield Fault(entry.loc, "PS305", words, "name what is there, or leave it out")


def _there(glob: str, world: World) -> bool:
    if is_literal(glob):
        return world.exists(glob.removesuffix("/"))
    spec = compiled([glob])
    return any(spec.match_file(path) for path in world.tracked())


def _command(view: View, policy: Policy, world: World) -> Iterator[Fault]:
    def known(path: str) -> bool:
        there = world.exists(path.removesuffix("/"))
        return there or any(meeting(entry.glob, path) for entry in view.allowed)

    if view.argv:
        for n, code, words in commands.judge(view.argv, policy, known):
            loc = view.at("validation", "argv", *(() if n is None else (n,)))
            yield Fault(loc, code, words, _advice(code, policy), at_key=n is None)
        if view.test_cmd is not None and view.test_cmd.split() != list(view.argv):
            words = f"scope.test_cmd is '{view.test_cmd}'; validation.argv is what runs"
            yield Fault(view.at("scope", "test_cmd"), "PS406", words, "leave out scope.test_cmd")
    yield from _timeout(view, policy)


def _advice(code: Code, policy: Policy) -> str:
    if code == "PS401":
        begins = ", ".join(" ".join(rule.argv) for rule in policy.commands)
        return f"begin with one of: {begins}; or allow it in config/phase_policy.yaml"
    if code == "PS403":
        return 'write one word an entry: ["pytest", "-q", "tests/"]'
    return "name a command that fails when the phase did not do its work"


def _timeout(view: View, policy: Policy) -> Iterator[Fault]:
    own, ceiling = view.budget.get("seconds"), policy.ceilings.phase.seconds
    limit = min(own or ceiling, ceiling)
    if view.timeout is not None and view.timeout > limit:
        whose = "the phase's own budget.seconds" if limit == own else "the policy's ceiling"
        words = f"timeout_seconds is {view.timeout}, above {whose}, {limit}"
        yield Fault(view.at("validation", "timeout_seconds"), "PS404", words, f"at most {limit}")


def _budget(view: View, policy: Policy) -> Iterator[Fault]:
    for kind, spent in view.budget.items():
        ceiling = getattr(policy.ceilings.phase, kind)
        if spent > ceiling:
            words = f"budget.{kind} is {spent}, above the policy's {ceiling} for a phase"
            yield Fault(view.at("budget", kind), "PS502", words, "split the phase")


def plan_faults(plan: Any, views: Sequence[View], policy: Policy) -> Iterator[Fault]:
    """Yield what is wrong with the phases of a plan taken together."""
    yield from _names(views)
    top: Loc = ("phases",) if isinstance(plan, dict) and "phases" in plan else ()
    run = policy.ceilings.run
    if len(views) > run.phases:
        words = f"{len(views)} phases, above the policy's {run.phases} for a run"
        yield Fault(top, "PS504", words, "split the plan", at_key=True)
    for kind in KINDS:
        total = sum(view.budget.get(kind, 0) for view in views)
        if total > getattr(run, kind):
            words = f"the phases' {kind} are {total}, above the policy's {getattr(run, kind)}"
            yield Fault(top, "PS504", f"{words} for a run", "split the plan", at_key=True)
        yield from _above_stated(plan, kind, total)
    stated = plan.get("max_phases") if isinstance(plan, dict) else None
    if type(stated) is int and len(views) > stated:
        words = f"{len(views)} phases, above the run's own max_phases, {stated}"
        yield Fault(("max_phases",), "PS503", words, "leave a phase out, or raise it")


def _names(views: Sequence[View]) -> Iterator[Fault]:
    seen: set[str] = set()
    for view in views:
        low = view.name.lower()
        if low and low in seen:
            words = f"a phase before this one is called '{view.name}' too"
            yield Fault(view.loc, "PS105", words, "give each phase a name of its own")
        seen.add(low)


def _above_stated(plan: Any, kind: str, total: int) -> Iterator[Fault]:
    """Yield where a run states less than its phases spend, in whichever of its keys."""
    if not isinstance(plan, dict) or "phases" not in plan:
        return
    budget = plan.get("budget")
    stated: list[tuple[Loc, Any, int]] = []
    if isinstance(budget, dict):
        stated.append((("budget", kind), budget.get(kind), 1))
    if kind == "tokens":
        stated.append((("token_cap",), plan.get("token_cap"), 1))
    if kind == "seconds":
        stated.append((("max_duration_minutes",), plan.get("max_duration_minutes"), 60))
    for loc, value, times in stated:
        if type(value) is int and 0 < value * times < total:
            words = f"the phases' {kind} are {total}, above the run's own {value * times}"
            yield Fault(loc, "PS503", words, "lower what the phases spend, or raise it")


def path_advice(glob: str) -> str:
    """Return how a refused path may be written, where that is no guess."""
    tidy = glob.replace("\\", "/").removeprefix("./")
    good = tidy != glob and fault(tidy.removesuffix("/")) is None
    return f"perhaps '{tidy}'" if good else ""

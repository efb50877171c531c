"""Kinds of failure that may deserve a rule, from the events that were mined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from autopack.rules.effect import Incident
from autopack.rules.model import Event, Frame
from autopack.rules.proposal import Candidate
from autopack.rules.schema import Example

LONGEST = 2_000
"""Characters of a template that an example keeps."""


def candidates_of(events: Iterable[Event], files: Collection[str]) -> list[Candidate]:
    """Return a candidate for each family of events, the one of most incidents first.

    `files` are those of the workspace: only they count as named by a failure.
    """
    families: dict[str, list[Event]] = {}
    for event in events:
        families.setdefault(event.family or event.signature, []).append(event)
    in_workspace = _locator(files)
    made = [_candidate(found, in_workspace) for found in families.values()]
    return sorted(made, key=lambda one: (-one.incidents, one.signature))


def _candidate(events: Sequence[Event], locate: Callable[[Event], Iterator[str]]) -> Candidate:
    ordered = sorted(events, key=lambda event: (event.at is None, event.at, event.event_id))
    counted = Counter(event.signature for event in events)
    signature = min(counted, key=lambda one: (-counted[one], one))
    first = next(event for event in ordered if event.signature == signature)
    return Candidate(
        signature, first.type, first.template,
        len({event.incident for event in events}),
        tuple(sorted({event.run for event in events})),
        tuple(example_of(event) for event in ordered),
        tuple(sorted({path for event in events for path in locate(event)})),
    )  # fmt: skip


def example_of(event: Event) -> Example:
    """Return what an event leaves in a rule: what rules ask about, and no message."""
    return Example(
        event=event.event_id, type=event.type[:200], template=event.template[:LONGEST],
        component=event.component[:200], operation=event.operation[:300],
        signature=event.signature, family=event.family,
    )  # fmt: skip


def incidents_of(events: Iterable[Event]) -> list[Incident]:
    """Return one incident for each kind of failure in each phase of each run."""
    return [
        Incident(event.run, event) for event in {event.incident: event for event in events}.values()
    ]


def _locator(files: Collection[str]) -> Callable[[Event], Iterator[str]]:
    """Return what finds the file of the workspace that an event came from, if there is one."""
    known = frozenset(files)
    by_name: dict[str, list[str]] = {}
    for path in known:
        if path.endswith(".py"):
            by_name.setdefault(path.rpartition("/")[2], []).append(path)

    def locate(event: Event) -> Iterator[str]:
        named = (workspace_path(frame, known) for frame in reversed(event.frames))
        if path := next(filter(None, named), None) or _of_origin(event.origin, by_name):
            yield path

    return locate


def _of_origin(origin: str, by_name: Mapping[str, Sequence[str]]) -> str | None:
    """Return the one file that an origin such as `app/main:start` means."""
    module = origin.rpartition(":")[0] + ".py"
    candidates = by_name.get(module.rpartition("/")[2], ())
    ending = [path for path in candidates if f"/{path}".endswith(f"/{module}")]
    return ending[0] if len(ending) == 1 else None


def workspace_path(frame: Frame, files: Collection[str]) -> str | None:
    """Return the file of the workspace that a frame is in, wherever its checkout was.

    The longest ending of the frame's path that is a file here, with a folder; so a library's
    `routes/main.py` is not taken for a `main.py` at the root.
    """
    parts = frame.file.replace("\\", "/").strip("/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return None
    endings = ("/".join(parts[n:]) for n in range(len(parts)))
    found = (path for path in endings if path in files)
    path = next(found, None)
    return path if path and ("/" in path or len(parts) == 1) else None

"""From events to groups: one incident however often a phase tried again, one group per family."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from autopack.rules.families import families
from autopack.rules.model import EXAMPLES, Event, Group, Incident, State
from autopack.rules.signature import name_family

RECENT_RUNS = 3
"""A failure is new when it is first seen in one of the newest runs, as many as these."""
QUIET_RUNS = 10
"""Runs without a failure after which it counts as resolved, and its return as a regression."""


def unique(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return each event once, the oldest first; undated ones come last."""
    by_id: dict[str, Event] = {}
    for event in events:
        known = by_id.get(event.event_id)
        if known is None or _place(event) < _place(known):
            by_id[event.event_id] = event
    return tuple(sorted(by_id.values(), key=lambda event: (*_when(event.at), event.event_id)))


def _place(event: Event) -> tuple[str, int]:
    return (event.source, event.line or 0)


def _when(at: datetime | None) -> tuple[bool, float]:
    return (at is None, at.timestamp() if at else 0.0)


def aliases(events: Iterable[Event]) -> dict[str, str]:
    """Return the family of each signature: the same for any order and number of the events."""
    kinds = {event.signature: (event.type, event.template) for event in events}
    by_type: dict[str, set[str]] = defaultdict(set)
    for type_, template in kinds.values():
        by_type[type_].add(template)
    widened = {type_: families(templates) for type_, templates in by_type.items()}
    return {
        signature: name_family(type_, widened[type_][template])
        for signature, (type_, template) in sorted(kinds.items())
    }


def with_families(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events, each with the family that all of them together give it."""
    events = tuple(events)
    named = aliases(events)
    return tuple(replace(event, family=named[event.signature]) for event in events)


def incidents(events: Iterable[Event]) -> tuple[Incident, ...]:
    """Return the incidents of these events, by run, phase and signature."""
    by_key: dict[tuple[str, str | None, str], list[Event]] = defaultdict(list)
    for event in events:
        by_key[event.incident].append(event)
    ordered = sorted(by_key.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][2]))
    return tuple(Incident(*key, len(found), *_span(found)) for key, found in ordered)


def group(events: Iterable[Event], runs: Mapping[str, datetime | None]) -> tuple[Group, ...]:
    """Return the groups of these events, those with most incidents first.

    `runs` are all runs of the window with their times, those without failures too: the exposure.
    """
    whole = with_families(events)
    exposed = _in_order(runs, whole)
    by_family: dict[str, list[Event]] = defaultdict(list)
    for event in whole:
        by_family[event.family].append(event)
    groups = [_group(family, list(unique(some)), exposed) for family, some in by_family.items()]
    return tuple(sorted(groups, key=lambda one: (-one.incidents, -one.events, one.family)))


def _in_order(runs: Mapping[str, datetime | None], events: Sequence[Event]) -> list[str]:
    """Return every run once, the oldest first; those of unknown time come before all others."""
    times: dict[str, datetime | None] = dict(runs)
    for event in events:
        last = times.get(event.run)
        if event.at and (last is None or event.at > last):
            times[event.run] = event.at
        times.setdefault(event.run, None)
    return sorted(times, key=lambda run: (-_when(times[run])[0], _when(times[run])[1], run))


def _group(family: str, events: list[Event], exposed: list[str]) -> Group:
    counted = incidents(events)
    signatures = Counter(incident.signature for incident in counted)
    main = min(signatures, key=lambda name: (-signatures[name], name))
    first = next(event for event in events if event.signature == main)
    at = [exposed.index(run) for run in {event.run for event in events}]
    runs_hit = sorted(at)
    return Group(
        signature=main, family=family, template=first.template, type=first.type,
        incidents=len(counted), events=len(events), runs=len(runs_hit),
        first_seen=_span(events)[0], last_seen=_span(events)[1], exposure=len(exposed),
        rate=len(counted) / len(exposed), trend=_trend(counted, exposed),
        examples=_examples(events), state=_state(runs_hit, len(exposed)), origin=first.origin,
        component=first.component, operation=first.operation,
        signatures=tuple(sorted(signatures)), event_ids=tuple(event.event_id for event in events),
    )  # fmt: skip


def _span(events: Sequence[Event]) -> tuple[datetime | None, datetime | None]:
    times = [event.at for event in events if event.at]
    return (min(times), max(times)) if times else (None, None)


def _trend(counted: Sequence[Incident], exposed: Sequence[str]) -> float:
    """Return how the later half of the runs compares with the earlier one, from -1 to 1.

    The run in the middle of an odd number belongs to neither.
    """
    half = len(exposed) // 2
    earlier, later = set(exposed[:half]), set(exposed[len(exposed) - half :])
    before = sum(incident.run in earlier for incident in counted)
    after = sum(incident.run in later for incident in counted)
    return round((after - before) / (after + before), 4) if after + before else 0.0


def _state(hit: Sequence[int], exposure: int) -> State:
    """Judge by runs, not by days: what nobody ran could not fail."""
    if exposure - 1 - hit[-1] >= QUIET_RUNS:
        return "resolved"
    gaps = (later - earlier - 1 for earlier, later in pairwise(hit))
    if any(gap >= QUIET_RUNS for gap in gaps):
        return "regressed"
    return "new" if exposure - hit[0] <= RECENT_RUNS else "active"


def _examples(events: Sequence[Event]) -> tuple[str, ...]:
    """Return different messages, the oldest first."""
    return tuple(dict.fromkeys(f"{event.type}: {event.message}" for event in events))[:EXAMPLES]

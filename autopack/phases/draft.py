"""A spec completed with placeholders: what is missing is named, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from autopack.phases.document import Loc
from autopack.phases.view import KINDS

MARK = "<FILL IN:"
"""How a placeholder begins; validation refuses whatever begins so."""


def _fill(words: str) -> str:
    return f"{MARK} {words}>"


_BUDGET = {
    "tokens": _fill("model tokens, a whole number"),
    "seconds": _fill("wall seconds, a whole number"),
    "files": _fill("files changed at most, a whole number"),
    "lines": _fill("lines changed at most, a whole number"),
}
_SKELETON: dict[str, Any] = {
    "phase_id": _fill("a name: letters, digits, '.', '_', '-'"),
    "scope": {
        "paths": [_fill("what may be written, such as src/area/ or docs/page.md")],
        "read_only_context": [_fill("what is read and must not change, such as README.md")],
    },
    "validation": {
        "argv": [_fill("the program, such as pytest"), _fill("its words, one an entry")],
        "timeout_seconds": _fill("seconds, a whole number"),
    },
    "budget": _BUDGET,
}
_EXAMPLES = {
    "phase_id": 'write "phase_id": "area-change"',
    "scope": 'write "scope": {"paths": [...], "read_only_context": [...]}',
    "paths": 'write "paths": ["src/area/"], what may be written',
    "read_only_context": 'write "read_only_context": ["README.md"], what is only read',
    "validation": 'write "validation": {"argv": ["pytest", "-q", "tests/"], "timeout_seconds": N}',
    "argv": 'write "argv": ["pytest", "-q", "tests/"], one word an entry',
    "timeout_seconds": 'write "timeout_seconds": N',
    "budget": 'write "budget": {"tokens": N, "seconds": N, "files": N, "lines": N}',
    "path": 'write "path": "docs/page.md"',
    "phases": 'write "phases": [{...}]',
    **{kind: f'write "{kind}": N, a whole number above 0' for kind in KINDS},
}


def example(keys: Sequence[str]) -> str:
    """Return how a missing key is written."""
    return _EXAMPLES[keys[-1]] if keys else _EXAMPLES["phases"]


def completed(value: Any) -> Any:
    """Return a document with a placeholder for everything that each phase lacks.

    What is there stays, in its order; None gives a plan with one empty phase.
    """
    if value is None:
        return {"phases": [_completed({}, _SKELETON)]}
    if isinstance(value, list):
        return [_phase(raw) for raw in value]
    if isinstance(value, dict) and isinstance(value.get("phases"), list):
        return {**value, "phases": [_phase(raw) for raw in value["phases"]]}
    return _phase(value)


def _phase(raw: Any) -> Any:
    if not isinstance(raw, dict):
        return raw
    named = {k: v for k, v in _SKELETON.items() if k != "phase_id" or "id" not in raw}
    return _completed(raw, named)


def _completed(given: dict[str, Any], skeleton: dict[str, Any]) -> dict[str, Any]:
    made = dict(given)
    for key, wanted in skeleton.items():
        there = made.get(key)
        if isinstance(wanted, dict) and isinstance(there, dict):
            made[key] = _completed(there, wanted)
        elif key not in made or there in ([], "", None):
            made[key] = wanted
    return made


def placeholders(value: Any) -> set[Loc]:
    """Return where a document still has placeholders."""
    return {loc for loc, item in _texts(value, ()) if item.startswith(MARK)}


def _texts(value: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    waiting: list[tuple[Loc, Any]] = [(loc, value)]
    while waiting:
        here, item = waiting.pop()
        if isinstance(item, str):
            yield here, item
        elif isinstance(item, dict):
            waiting += [((*here, key), part) for key, part in item.items()]
        elif isinstance(item, list):
            waiting += [((*here, n), part) for n, part in enumerate(item)]

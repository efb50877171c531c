"""Those parts of a raw phase that have the right form, so that the rules can look at them all.

One wrong key must not hide what is wrong elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from autopack.phases.document import Loc

KINDS = ("tokens", "seconds", "files", "lines")
"""What a budget counts."""


@dataclass(frozen=True)
class Entry:
    """A glob, and where it stands."""

    loc: Loc
    glob: str


@dataclass(frozen=True)
class View:
    """The well-formed parts of one phase; what is not well-formed is left out."""

    loc: Loc
    name: str
    allowed: tuple[Entry, ...]
    read_only: tuple[Entry, ...]
    protected: tuple[Entry, ...]
    argv: tuple[str, ...]
    test_cmd: str | None
    timeout: int | None
    budget: dict[str, int]

    def at(self, *keys: str | int) -> Loc:
        """Return the place of something in this phase."""
        return (*self.loc, *keys)


def view_of(raw: Any, loc: Loc, bad: Collection[Loc]) -> View:
    """Return what can be looked at in a raw phase; `bad` are the places that have an error."""
    phase = raw if isinstance(raw, dict) else {}
    scope, validation, budget = (_mapping(phase.get(k)) for k in ("scope", "validation", "budget"))
    where = (*loc, "scope")
    test_cmd = scope.get("test_cmd")
    return View(
        loc,
        name_of(phase),
        _entries(scope.get("paths"), (*where, "paths"), bad),
        _entries(scope.get("read_only_context"), (*where, "read_only_context"), bad),
        _entries(scope.get("protected_paths"), (*where, "protected_paths"), bad),
        _words(validation.get("argv"), (*loc, "validation", "argv"), bad),
        test_cmd if isinstance(test_cmd, str) else None,
        _whole(validation.get("timeout_seconds")),
        {kind: n for kind in KINDS if (n := _whole(budget.get(kind))) is not None},
    )


def name_of(raw: Any) -> str:
    """Return a phase's name, "" where it has none."""
    given = raw.get("phase_id", raw.get("id")) if isinstance(raw, dict) else None
    return given if isinstance(given, str) else ""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _words(value: Any, loc: Loc, bad: Collection[Loc]) -> tuple[str, ...]:
    words = value if isinstance(value, list) else []
    sound = all(isinstance(word, str) and (*loc, n) not in bad for n, word in enumerate(words))
    return tuple(words) if sound else ()


def _entries(value: Any, loc: Loc, bad: Collection[Loc]) -> tuple[Entry, ...]:
    found = []
    for n, item in enumerate(value if isinstance(value, list) else []):
        glob = item.get("path") if isinstance(item, dict) else item
        here = (*loc, n)
        if isinstance(glob, str) and here not in bad and (*here, "path") not in bad:
            found.append(Entry((*here, "path") if isinstance(item, dict) else here, glob))
    return tuple(found)

"""Phase specs for tests: a good one, ways to spoil it, and real ones upgraded by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from autopack.phases.document import Document, read
from autopack.phases.examine import Examined, LintNote, examine
from autopack.phases.policy import Policy, packaged
from autopack.phases.rules import World, world_of

FILES = ("README.md", "docs/INDEX.md", "src/app/main.py", "tests/test_app.py", "config/x.yaml")

GOOD: dict[str, Any] = {
    "phase_id": "app-change",
    "scope": {
        "paths": ["src/app/", "tests/test_app.py"],
        "read_only_context": ["README.md", {"path": "docs/", "reason": "what it should do"}],
    },
    "validation": {"argv": ["pytest", "-q", "tests/test_app.py"], "timeout_seconds": 600},
    "budget": {"tokens": 50000, "seconds": 1800, "files": 8, "lines": 400},
}

GONE = object()


def spoiled(*changes: tuple[str, Any]) -> dict[str, Any]:
    """Return the good spec with values put at dotted places; `GONE` takes one out."""
    made = copy.deepcopy(GOOD)
    for place, value in changes:
        *way, last = place.split(".")
        here: Any = made
        for name in way:
            here = here[name]
        if value is GONE:
            del here[last]
        else:
            here[last] = value
    return made


@cache
def policy() -> Policy:
    """Return the packaged policy."""
    return packaged(files("autopack.phases").joinpath("default_policy.yaml").read_bytes())


def document(value: Any, name: str = "plan.json") -> Document:
    """Return the document of a value that is written as JSON, indented."""
    return read(name, json.dumps(value, indent=2).encode())


def examined(
    value: Any,
    world: World | None = None,
    rules: Policy | None = None,
    lint: Sequence[LintNote] = (),
) -> Examined:
    """Return what a value comes to in a small workspace."""
    return examine(document(value), rules or policy(), world or world_of(FILES), lint)


def codes(value: Any, world: World | None = None, rules: Policy | None = None) -> list[str]:
    """Return the codes of a value's findings, sorted."""
    return sorted(finding.code for finding in examined(value, world, rules).findings)

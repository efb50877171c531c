"""`config/tidy.yaml`: what belongs where; a workspace's rules are laid over the shipped ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autopack.errors import UsageError
from autopack.globs import any_of
from autopack.state_files import TIDY_RULES

Into = Literal["known", "mentioned", "build", "decision", "debug", "superseded", "keep"]
_REPLACED = ("required",)
"""Sections whose lists take the place of the shipped ones."""


@dataclass(frozen=True)
class Rule:
    """Files whose name one of the globs matches go to a folder, for a reason."""

    name: str
    pattern: re.Pattern[str]
    to: str
    reason: str
    always: bool = False


@dataclass(frozen=True)
class Area:
    """One level of files: the names that stay, and where the others go."""

    allow: re.Pattern[str]
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Consolidation:
    """What becomes of Markdown in the archive whose path matches."""

    name: str
    pattern: re.Pattern[str]
    into: Into
    reason: str


@dataclass(frozen=True)
class RunsPolicy:
    """How many run folders of a project stay, what a run is, and whose."""

    keep: int
    marks: tuple[str, ...]
    projects: tuple[tuple[str, re.Pattern[str]], ...]
    loose: re.Pattern[str]
    loose_to: str


@dataclass(frozen=True)
class Config:
    """All the rules of a workspace."""

    superseded: str
    folders: tuple[str, ...]
    ledgers: tuple[str, ...]
    root: Area
    docs: Area
    runs: RunsPolicy
    consolidation: tuple[Consolidation, ...]


def read_config(shipped: bytes, schema: bytes, own: bytes | None) -> Config:
    """Return the rules of a workspace whose own file holds `own`.

    Raises:
        UsageError: The own file is no YAML or not of the schema; the message has path:line.
    """
    given = _checked(own, schema) if own is not None else {}
    base = {} if given.get("defaults") is False else _load(shipped, "the shipped rules")[0]
    return _config(_laid_over(base, given))


def _laid_over(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in given.items():
        if isinstance(value, dict) and key in _REPLACED:
            merged[key] = {**merged.get(key, {}), **value}
        elif isinstance(value, dict):
            merged[key] = _laid_over(merged.get(key, {}), value)
        elif isinstance(value, list):
            merged[key] = [*value, *merged.get(key, [])]
        else:
            merged[key] = value
    return merged


def _config(given: Mapping[str, Any]) -> Config:
    required, runs = given.get("required", {}), given.get("runs", {})
    return Config(
        given.get("superseded", "archive/superseded"),
        tuple(required.get("folders", ())),
        tuple(required.get("ledgers", ())),
        _area(given.get("root", {})),
        _area(given.get("docs", {})),
        RunsPolicy(
            runs.get("keep", 10),
            tuple(runs.get("marks", ())),
            tuple((p["project"], _names(p["globs"])) for p in runs.get("projects", ())),
            _names(runs.get("loose", ())),
            runs.get("loose_to", "archive/diagnostics/logs"),
        ),
        tuple(
            Consolidation(rule["name"], _names(rule["globs"]), rule["into"], rule["reason"])
            for rule in given.get("consolidation", {}).get("rules", ())
        ),
    )


def _area(given: Mapping[str, Any]) -> Area:
    rules = (
        Rule(
            rule["name"], _names(rule["globs"]), rule["to"], rule["reason"],
            rule.get("always", False),
        )
        for rule in given.get("rules", ())
    )  # fmt: skip
    return Area(_names(given.get("allow", ())), tuple(rules))


def _names(globs: Any) -> re.Pattern[str]:
    return any_of(globs, ignore_case=True)


def _checked(data: bytes, schema: bytes) -> dict[str, Any]:
    """Return the own file's content, which the schema allows."""
    from jsonschema import Draft202012Validator

    given, node = _load(data, TIDY_RULES)
    found = sorted(
        Draft202012Validator(json.loads(schema)).iter_errors(given),
        key=lambda error: _line(node, error.absolute_path),
    )
    for error in found:
        where = ".".join(str(part) for part in error.absolute_path)
        words = f"{where}: {_words(error)}" if where else _words(error)
        raise _bad(_line(node, error.absolute_path), words)
    for line, key in _doubled(node):
        raise _bad(line, f"{key!r} stands twice")
    return dict(given)


def _words(error: Any) -> str:
    said = " ".join(str(error.message).split())
    return said if len(said) <= 160 else f"{said[:157]}..."


def _load(data: bytes, name: str) -> tuple[Any, Any]:
    """Return what YAML holds, and its nodes, which know their lines."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(data)
    try:
        node = loader.get_single_node()
        given = loader.construct_document(node) if node is not None else {}
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise _bad(
            mark.line + 1 if mark else 1, f"no YAML: {' '.join(problem.split())}", name
        ) from None
    finally:
        loader.dispose()
    return given, node


def _line(node: Any, path: Any) -> int:
    """Return the line of what a path of keys and numbers leads to."""
    for part in path:
        if isinstance(part, int) and isinstance(node.value, list):
            node = node.value[part]
        elif isinstance(node.value, list):
            node = next((v for k, v in node.value if k.value == part), node)
    return int(node.start_mark.line) + 1 if node is not None else 1


def _doubled(node: Any) -> Iterator[tuple[int, str]]:
    """Yield the keys that stand twice in one mapping: YAML would drop the first in silence."""
    for child in node.value if node is not None and isinstance(node.value, list) else ():
        pair = child if isinstance(child, tuple) else (child,)
        yield from _doubled(pair[-1])
    seen: set[str] = set()
    for child in node.value if node is not None and isinstance(node.value, list) else ():
        if isinstance(child, tuple):
            key = str(child[0].value)
            if key in seen:
                yield int(child[0].start_mark.line) + 1, key
            seen.add(key)


def _bad(line: int, words: str, name: str = TIDY_RULES) -> UsageError:
    return UsageError(f"{name}:{line}: {words}", next_step=f"correct line {line} of {name}")

"""Read ignore rules: our own file, and what a substring checker's file can be taken to mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from autopack.errors import UsageError
from autopack.links.ignore import KINDS, Rule
from autopack.links.verdict import Category
from autopack.state_files import LINK_RULES

OWN = LINK_RULES
"""Where a workspace keeps its rules: `ignore:`, a list of kind, glob, reason, expires, pages."""
LEGACY = "config/doc_link_check_ignore.yaml"
"""Where an older checker kept substrings."""
EXAMPLE = "kind: missing_file, glob: docs/old/**, reason: …, expires: 2027-01-31"
_NEEDED = ("kind", "glob", "reason", "expires")
_BECOMES: Mapping[str, Category | None] = {
    "runtime_endpoints": "runtime_endpoint",
    "historical_refs": "historical_ref",
    "pattern_ignores": None,
}


def read_rules(data: bytes) -> list[Rule]:
    """Return the rules of our own file.

    Raises:
        UsageError: It is no YAML, or a rule lacks something; the message says which.
    """
    return [
        _rule(entry, f"{OWN}:{line}: rule {number}", line)
        for number, (entry, line) in enumerate(load_list(OWN, data, "ignore", EXAMPLE), 1)
    ]


def _rule(entry: Any, where: str, line: int) -> Rule:
    if not isinstance(entry, dict):
        raise _bad(f"{where} is no mapping")
    missing = [name for name in _NEEDED if not entry.get(name)]
    unknown = sorted(map(str, entry.keys() - {*_NEEDED, "pages"}))
    if missing or unknown:
        words = f"has no {missing[0]}" if missing else f"has an unknown key {unknown[0]!r}"
        raise _bad(f"{where} {words}")
    kind = str(entry["kind"])
    if kind not in KINDS:
        raise _bad(f"{where}: {kind!r} is not one of {', '.join(sorted(KINDS))}")
    glob, reason, pages = (str(entry.get(name) or "**") for name in ("glob", "reason", "pages"))
    if glob.strip("*/") == "":
        raise _bad(f"{where}: the glob {glob!r} would match everything")
    day = _day(entry["expires"], where)
    return Rule(kind, glob, reason, day, pages, file=OWN, line=line)


def _day(value: Any, where: str) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise _bad(f"{where}: expires {value!r} is no date like 2027-01-31") from None


def load_list(name: str, data: bytes, key: str, example: str) -> list[tuple[Any, int]]:
    """Return the entries of the one list that a YAML file holds, and the line of each, from 1.

    Raises:
        UsageError: It is no YAML, or holds something else.
    """
    import yaml

    loaded = load_mapping(name, data)
    entries = loaded.pop(key, None) or []
    step = f"write it like {example}"
    if loaded:
        raise UsageError(f"{name}: unknown key {str(next(iter(loaded)))!r}", next_step=step)
    if not isinstance(entries, list):
        raise UsageError(f"{name}: {key!r} is no list", next_step=step)
    root = yaml.compose(data, Loader=yaml.SafeLoader)
    nodes = root.value[-1][1].value if entries and root else []
    return [(e, n.start_mark.line + 1) for e, n in zip(entries, nodes, strict=True)]


def load_mapping(name: str, data: bytes) -> dict[str, Any]:
    """Return what a YAML file holds.

    Raises:
        UsageError: It is no YAML, or no mapping.
    """
    import yaml

    try:
        loaded = yaml.safe_load(data) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a 13th month; 1,000 brackets
        raise UsageError(
            f"{name} is no YAML: {error}", next_step=f"correct {name}"
        ) from None  # fmt: skip
    if not isinstance(loaded, dict):
        raise UsageError(f"{name} is no mapping", next_step=f"correct {name}")
    return loaded


def _bad(words: str) -> UsageError:
    return UsageError(words, next_step=f"write it like {EXAMPLE}")


def import_legacy(data: bytes) -> tuple[list[Rule], list[str]]:
    """Return what an older file means with anchored globs, and the patterns that mean too much.

    A substring such as `:` or `autopack.` would hide broken links, so it is left out. Addresses are
    left out in silence: they are told by scheme and host. The rules have no date.

    Raises:
        UsageError: It is no YAML.
    """
    loaded = load_mapping(LEGACY, data)
    rules, left = [], []
    for section, becomes in _BECOMES.items():
        for pattern, reason in _patterns(loaded.get(section)):
            glob = _anchor(pattern)
            if glob:
                made = Rule("missing_file", glob, reason, becomes=becomes, file=LEGACY)
                rules.append(made)
            elif glob is None:
                left.append(pattern)
    return rules, left


def _patterns(section: Any) -> Iterator[tuple[str, str]]:
    for entry in section if isinstance(section, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("pattern"), str):
            yield entry["pattern"], str(entry.get("reason") or "no reason given")


def _anchor(pattern: str) -> str | None:
    """Return a glob for a substring, "" for an address, None where it would match too much."""
    if "://" in pattern or re.fullmatch(r"(localhost|[\d.]+):", pattern):
        return ""
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)*/", pattern):
        return f"{pattern}**"
    if re.fullmatch(r"\*\.\w+|[\w-]+\.[A-Za-z]\w*", pattern):
        return f"**/{pattern}"
    return None

"""Policy files of two older formats, read into the words of today; nothing is dropped in silence.

One format names `paths.protected_globs`, `retention_days` and `match_globs`, the other
`protected_paths`, `retention` and `patterns`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from autopack.report import Finding, Severity
from autopack.storage.matcher import glob_fault, is_windows

OLD_NAMES = ("config/storage_policy.yaml", "config/protection_and_retention_policy.yaml")
"""Where workspaces keep policies of the older formats."""
GB = 10**9
FIX = "write what should hold into config/storage.yaml"
_ABOUT = {"version", "date", "description"}
_TOP = {
    "paths", "retention_days", "categories", "coordination", "protected_paths", "retention",
    "overrides", "database_retention",
}  # fmt: skip
_OF_CATEGORY = {
    "match_globs", "patterns", "retention_days", "allowed_actions", "execution_limits",
}  # fmt: skip
_LIMITS = {"max_gb_per_run", "max_files_per_run", "max_retries"}
Loc = tuple[str | int, ...]
NEVER = -1
"""An age that nothing reaches."""


@dataclass(frozen=True)
class Old:
    """A policy file of an older format: its name, its value, and the line of each part."""

    name: str
    value: Mapping[str, Any]
    line: Callable[[Loc], int] = lambda _loc: 1


@dataclass
class Draft:
    """What one file says of a category."""

    match: list[str]
    days: int | None = None
    delete: bool = False
    max_bytes: int | None = None
    max_items: int | None = None
    retries: int | None = None


@dataclass
class Part:
    """What one file says, in the words of today."""

    old: Old
    protected: dict[str, list[str]] = field(default_factory=dict)
    pinned: list[str] = field(default_factory=list)
    ages: dict[str, int] = field(default_factory=dict)
    by_name: dict[str, int] = field(default_factory=dict)
    categories: dict[str, Draft] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def say(self, code: str, loc: Loc, words: str, severity: Severity = "warning") -> None:
        self.findings.append(Finding(code, severity, self.old.name, self.old.line(loc), words, FIX))


def read_old(old: Old) -> Part:
    """Return what a file says.

    Raises:
        ValueError: A part of it is no policy at all; the message begins with file and line.
    """
    part = Part(old)
    _unknown(part, old.value, (), _TOP | _ABOUT)
    for key, read in _READERS.items():
        for name, value in _items(part, (key,), old.value.get(key) or {}):
            read(part, (key, name), name, value)
    return part


def _items(part: Part, loc: Loc, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise _wrong(part, loc, "must be a mapping")
    yield from ((str(key), inner) for key, inner in value.items() if key not in _ABOUT)


def _unknown(part: Part, value: Mapping[str, Any], loc: Loc, known: Iterable[str]) -> None:
    for key in value.keys() - set(known):
        part.say("policy_unknown_key", (*loc, key), f"unknown key '{key}': it is not imported")


def _wrong(part: Part, loc: Loc, words: str) -> ValueError:
    where = ".".join(map(str, loc))
    return ValueError(f"{part.old.name}:{part.old.line(loc)}: {where}: {words}")


def _globs(part: Part, loc: Loc, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(glob, str) for glob in value):
        raise _wrong(part, loc, "must be a list of globs")
    found = []
    for n, glob in enumerate(value):
        if fault := glob_fault(glob):
            raise _wrong(part, (*loc, n), f"the glob {glob!r} is refused: {fault}")
        if is_windows(glob):
            words = f"{glob} names a drive: it is kept, and matches nothing on this system"
            part.say("policy_windows_glob", (*loc, n), words, "info")
        found.append(glob)
    return found


def _within(part: Part, loc: Loc, value: Any) -> list[str]:
    """Return globs of what may go; one from the root of the disk is left out."""
    found = _globs(part, loc, value)
    for n, glob in enumerate(found):
        if glob.startswith("/"):
            words = (
                f"{glob} begins at the root of the disk: it is left out; scan that folder itself"
            )
            part.say("policy_absolute_glob", (*loc, n), words)
    return [glob for glob in found if not glob.startswith("/")]


def _number(part: Part, loc: Loc, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(part, loc, "must be a whole number, 0 or above")
    return value


def _paths(part: Part, loc: Loc, name: str, value: Any) -> None:
    if name == "protected_globs":
        part.protected[name] = _deep(_globs(part, loc, value))
    elif name == "pinned_globs":
        part.pinned += _deep(_globs(part, loc, value))
    else:
        _unknown(part, {name: value}, loc[:-1], ())


def _protected_group(part: Part, loc: Loc, name: str, value: Any) -> None:
    part.protected[name] = _deep(_globs(part, loc, value))


def _deep(globs: list[str]) -> list[str]:
    """Let a `*` between slashes cross folders, as it did in the older formats."""
    deep = (glob.replace("/*/", "/**/") for glob in globs)
    return unique([one for pair in zip(globs, deep, strict=True) for one in pair])


def _retention_days(part: Part, loc: Loc, name: str, value: Any) -> None:
    for key, inner in _items(part, loc, value):
        if key == "delete_after":
            part.by_name[name] = _number(part, (*loc, key), inner)
        elif key == "compress_after":
            part.say(
                "policy_unsupported_action", (*loc, key),
                f"compressing {name} is not supported: it is only reported",
            )  # fmt: skip
        elif key == "delete_requires_approval":
            _approval(part, (*loc, key), inner)
        elif key == "keep_at_least":
            part.by_name[name] = max(part.by_name.get(name, 0), _number(part, (*loc, key), inner))
        else:
            _unknown(part, {key: inner}, loc, ())


def _approval(part: Part, loc: Loc, required: Any) -> None:
    if required is not True:
        words = "an approval is always required; this key is not imported"
        part.say("policy_safer", loc, words, "info")


def _retention(part: Part, loc: Loc, name: str, value: Any) -> None:
    given = dict(_items(part, loc, value))
    globs = given.pop("paths", [])
    days = given.pop("age_days", None)
    _unknown(part, given, loc, ())
    if days is None:
        part.protected[f"retention_{name}"] = _deep(_globs(part, (*loc, "paths"), globs))
        return
    for glob in _within(part, (*loc, "paths"), globs):
        part.ages[glob] = max(part.ages.get(glob, 0), _number(part, (*loc, "age_days"), days))


def _coordination(part: Part, loc: Loc, name: str, value: Any) -> None:
    if name == "must_preserve_for_reuse":
        part.protected[name] = _deep(_globs(part, loc, value))
    else:
        _unused(part, loc, name, value)


def _unused(part: Part, loc: Loc, *_: Any) -> None:
    words = f"{'.'.join(map(str, loc))} means nothing here: it is not imported"
    part.say("policy_unused_key", loc, words, "info")


def _category(part: Part, loc: Loc, name: str, value: Any) -> None:
    given = dict(_items(part, loc, value))
    _unknown(part, given, loc, _OF_CATEGORY)
    key = "match_globs" if "match_globs" in given else "patterns"
    draft = Draft(_within(part, (*loc, key), given.get(key, [])))
    if "retention_days" in given:
        days = given["retention_days"]
        draft.days = NEVER if days is None else _number(part, (*loc, "retention_days"), days)
    for action, told in _items(part, (*loc, "allowed_actions"), given.get("allowed_actions", {})):
        _action(part, (*loc, "allowed_actions", action), draft, action, told)
    for limit, told in _items(part, (*loc, "execution_limits"), given.get("execution_limits", {})):
        _limit(part, (*loc, "execution_limits", limit), draft, limit, told)
    part.categories[name] = draft


def _action(part: Part, loc: Loc, draft: Draft, action: str, told: Any) -> None:
    given = dict(_items(part, loc, told))
    _unknown(part, given, loc, {"enabled", "requires_approval"})
    enabled = given.get("enabled") is True
    if action == "delete":
        draft.delete = enabled
        if enabled:
            _approval(part, (*loc, "requires_approval"), given.get("requires_approval"))
    elif action in ("compress", "move_to_archive"):
        if enabled:
            words = f"{action} is not supported: what it names is only reported"
            part.say("policy_unsupported_action", loc, words)
    elif action != "report":
        _unknown(part, {action: told}, loc[:-1], ())


def _limit(part: Part, loc: Loc, draft: Draft, limit: str, told: Any) -> None:
    if limit == "retry_backoff_seconds":
        _unused(part, loc, limit, told)
    elif limit not in _LIMITS:
        _unknown(part, {limit: told}, loc[:-1], ())
    elif limit == "max_gb_per_run":
        draft.max_bytes = _number(part, loc, told) * GB
    elif limit == "max_files_per_run":
        draft.max_items = _number(part, loc, told)
    else:
        draft.retries = _number(part, loc, told)


_READERS: dict[str, Callable[[Part, Loc, str, Any], None]] = {
    "paths": _paths,
    "protected_paths": _protected_group,
    "retention_days": _retention_days,
    "retention": _retention,
    "coordination": _coordination,
    "overrides": _unused,
    "database_retention": _unused,
    "categories": _category,
}


def unique(globs: Iterable[str]) -> list[str]:
    """Return each glob once, in order."""
    return list(dict.fromkeys(globs))


def is_old(value: Any) -> bool:
    """Return whether a document is a policy of an older format."""
    if not isinstance(value, Mapping):
        return False
    older = {"paths", "retention_days", "protected_paths", "retention"}
    return bool(older & value.keys())

"""Read `preflight.toml` strictly: every fault has its line, and nothing unknown is passed over."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from autopack.errors import UsageError
from autopack.preflight.checks import CADENCES, PLATFORMS, TIERS, Check

SCHEMA = "autopack.preflight/1"
LONGEST_S = 86_400.0
Builtins = Mapping[str, frozenset[str] | None]
"""The built-in checks by name, and the args that each takes; None for any."""
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TABLE = re.compile(r"^[ \t]*\[\[\s*check\s*\]\]", re.M)


class _Fault(Exception):
    """A value of one check is wrong; `key` is where, "" for the check as a whole."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def parse(name: str, text: str, builtins: Builtins) -> tuple[Check, ...]:
    """Return the checks of a manifest, in order.

    Raises:
        UsageError: It is no such manifest; the message begins with the file's name and the line.
    """
    value = _toml(name, text)
    if unknown := sorted(value.keys() - {"schema", "check"}):
        raise _error(name, _line_of_key(text, unknown[0], 0), _unknown(unknown[0], ("check",)))
    if value.get("schema") != SCHEMA:
        raise _error(name, _line_of_key(text, "schema", 0), f'schema must be "{SCHEMA}"')
    tables = value.get("check", [])
    starts = [match.start() for match in _TABLE.finditer(_without_strings(text))]
    if not isinstance(tables, list) or len(starts) != len(tables) or not tables:
        raise _error(name, _line_of_key(text, "check", 0), "write checks as [[check]] tables")
    checks: list[Check] = []
    for start, entry in zip(starts, tables, strict=True):
        try:
            checks.append(_check(entry, builtins, {check.id for check in checks}))
        except _Fault as fault:
            raise _error(name, _line_of_key(text, fault.key, start), str(fault)) from None
    return tuple(checks)


def _toml(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)", str(error))
        line = int(place[1]) if place else text.count("\n") + 1
        raise _error(name, line, re.sub(r" \(at .*\)$", "", str(error))) from None
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets in brackets
        line = text.count("\n", 0, text.find(max(text.splitlines(), key=len))) + 1
        raise _error(name, line, "too long a number, or nested too deeply") from None


def _error(name: str, line: int, message: str) -> UsageError:
    return UsageError(
        f"{name}:{line}: {message}", next_step=f"correct {name}; docs/preflight.md has its keys"
    )


def _without_strings(text: str) -> str:
    """Return the text with the inside of strings and comments blanked: every offset stays."""
    quoted = r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*'
    return re.sub(quoted, lambda m: re.sub(r"[^\n]", "_", m[0]), text, flags=re.S)


def _line_of_key(text: str, key: str, start: int) -> int:
    """Return the line of a key behind an offset, or of the offset where the key is not there.

    Only the table that begins at the offset is searched; 0 means the whole file.
    """
    plain = _without_strings(text)
    headed = (
        re.compile(r"^[ \t]*\[", re.M).search(plain, plain.find("\n", start)) if start else None
    )
    end = headed.start() if headed else len(plain)
    at = re.compile(rf"^[ \t]*\[*[ \t]*['\"]?({re.escape(key)})['\"]?\s*[=\].]", re.M)
    match = at.search(text, start, end) if key else None
    return text.count("\n", 0, match.start(1) if match else start) + 1


def _unknown(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.6)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(_is_word(word) and word for word in value):
        raise ValueError("a list of words")
    return tuple(value)


def _inputs(value: Any) -> tuple[str, ...]:
    globs = _words(value)
    if any(glob.startswith(("/", "./", "../")) or glob.endswith("/") for glob in globs):
        raise ValueError("globs of files from the root, such as docs/*.md")  # it matches nothing
    return globs


def _is_word(value: Any) -> bool:
    """Return whether a program may be given this: it ends at a null byte."""
    return isinstance(value, str) and "\0" not in value


def _command(value: Any) -> tuple[str, ...]:
    words = isinstance(value, list) and all(map(_is_word, value))
    if not words or not value or not value[0]:
        raise ValueError("a list of words, a program first")
    return tuple(value)


def _seconds(value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= LONGEST_S:
        raise ValueError(f"seconds above 0, at most {LONGEST_S:g}")
    return float(value)


def _flag(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise ValueError("true or false")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text")
    return value


def _id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError("lower case, digits and single hyphens")
    return value


def _one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return str(value)

    return read


def _platforms(value: Any) -> tuple[str, ...]:
    names = _words(value)
    if not names or not set(names) <= set(PLATFORMS):
        raise ValueError(f"some of {', '.join(PLATFORMS)}")
    return names


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "id": _id, "command": _command, "builtin": _text, "args": _words, "inputs": _inputs,
    "tier": _one_of(TIERS), "cadence": _one_of(CADENCES), "timeout": _seconds,
    "platforms": _platforms, "alone": _flag, "stream": _flag, "network": _flag,
}  # fmt: skip
KEYS = tuple(_READERS)


def _check(entry: Mapping[str, Any], builtins: Builtins, taken: set[str]) -> Check:
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in _READERS:
            raise _Fault(key, _unknown(key, KEYS))
        try:
            values[key] = _READERS[key](value)
        except ValueError as wanted:
            raise _Fault(key, f"{key} must be {wanted}, not {value!r}") from None
    _agree(values, builtins, taken)
    seconds = values.pop("timeout", None)
    return Check(**values, **({} if seconds is None else {"timeout_s": seconds}))


def _agree(values: Mapping[str, Any], builtins: Builtins, taken: set[str]) -> None:
    """Raise `_Fault` where single values are right and together they are not."""
    if "id" not in values:
        raise _Fault("", "this check has no id")
    if values["id"] in taken:
        raise _Fault("id", f"there are two checks {values['id']!r}")
    if bool(values.get("command")) == ("builtin" in values):
        raise _Fault("", f"check {values['id']!r} needs either a command or a builtin")
    name = values.get("builtin")
    if name is not None and name not in builtins:
        near = difflib.get_close_matches(name, sorted(builtins), 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else f"; one of {', '.join(sorted(builtins))}"
        raise _Fault("builtin", f"there is no builtin {name!r}{hint}")
    if values.get("args") and name is None:
        raise _Fault("args", "args are a builtin's; a command has its words in itself")
    allowed = builtins[name] if name is not None else None
    if strange := [
        word for word in values.get("args", ()) if allowed is not None and word not in allowed
    ]:
        known = f"; it knows {', '.join(sorted(allowed))}" if allowed else ""
        raise _Fault("args", f"{name} does not know {strange[0]!r}{known}")

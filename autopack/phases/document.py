"""A JSON or YAML text as a value whose every part knows its line and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from autopack.phases.codes import Code

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_DIGITS = 18
Loc = tuple[str | int, ...]
"""Where a value is: keys and list indexes from the top."""


class Place(NamedTuple):
    """A line and a column, both from 1; columns count characters."""

    line: int
    column: int


class Mark(NamedTuple):
    """Where a value begins, and its key if it has one."""

    value: Place
    key: Place | None


class Malformed(Exception):
    """A text that is no document: the one thing to say about it, and where."""

    def __init__(self, code: Code, message: str, place: Place) -> None:
        super().__init__(message)
        self.code, self.message, self.place = code, message, place


@dataclass(frozen=True)
class Document:
    """A file's value; positions are worked out when the first is asked for."""

    name: str
    value: Any
    text: str
    mark: Callable[[], Mapping[Loc, Mark]]

    @cached_property
    def _marks(self) -> Mapping[Loc, Mark]:
        return self.mark()

    def place(self, loc: Loc, *, key: bool = False) -> Place:
        """Return where a value, or its key, stands; of what is not there, the nearest around it."""
        while loc not in self._marks and loc:
            loc, key = loc[:-1], True
        mark = self._marks.get(loc)
        if mark is None:
            return Place(1, 1)
        return mark.key if key and mark.key else mark.value


def read(name: str, data: bytes) -> Document:
    """Return a file's document; `.yaml` and `.yml` are YAML, everything else is JSON.

    Raises:
        Malformed: It is no document.
    """
    text = decode(data)
    if not text.strip():
        raise Malformed("PS001", "the file is empty", Place(1, 1))
    if name.lower().endswith((".yaml", ".yml")):
        from autopack.phases.yaml_text import parse

        value, marks = parse(text)
        return Document(name, value, text, lambda: marks)
    from autopack.phases import json_text

    value = json_text.parse(text)
    if is_deep(value):
        json_text.marks(text)  # says where
    return Document(name, value, text, lambda: json_text.marks(text))


def decode(data: bytes) -> str:
    """Return the text of UTF-8 bytes without a byte order mark.

    Raises:
        Malformed: They are too many, or something else.
    """
    if len(data) > MAX_BYTES:
        raise Malformed("PS004", f"larger than {MAX_BYTES:,} bytes", Place(1, 1))
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise Malformed("PS002", "begins with a byte order mark", Place(1, 1))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        bad = data[error.start]
        raise Malformed("PS002", f"byte 0x{bad:02x} is no UTF-8", end_of(before)) from None


def end_of(text: str) -> Place:
    """Return the place right after a text."""
    return Place(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


def is_deep(value: Any) -> bool:
    """Return whether a value is nested deeper than `MAX_DEPTH`."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [item for part in level for item in _parts(part)]
    return any(isinstance(item, (dict, list)) for item in level)


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []

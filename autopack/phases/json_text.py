"""JSON as RFC 8259 has it: the library reads values, a walk over its tokens tells places."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autopack.phases.document import (
    MAX_DEPTH,
    MAX_DIGITS,
    Loc,
    Malformed,
    Mark,
    Place,
    end_of,
)

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+', re.S)
_NUMBER = re.compile(r"-?(\d+)(\.\d+)?([eE][-+]?\d+)?")


class _Odd(Exception):
    """A value that the walk over the tokens refuses, saying where."""


def parse(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        Malformed: It is not well-formed, too deep, or says a key twice.
    """
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_int=_whole, parse_float=_real, parse_constant=_odd
        )
    except json.JSONDecodeError as error:
        place = end_of(text[: error.pos])
        said = error.msg[0].lower() + error.msg[1:]
        raise Malformed("PS003", f"not JSON: {said}", place) from None
    except (_Odd, RecursionError):
        marks(text)
        raise


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Odd
    return made


def _whole(digits: str) -> int:
    return int(digits) if len(digits.removeprefix("-")) <= MAX_DIGITS else _odd(digits)


def _real(digits: str) -> float:
    return _odd(digits) if number_fault(digits) else float(digits)


def _odd(_constant: str) -> Any:
    raise _Odd


def number_fault(word: str) -> str | None:
    """Return what is wrong with a number's text: too long, or beyond what a float holds."""
    match = _NUMBER.fullmatch(word)
    if match is None:
        return f"{word} is no number of JSON"
    if len(match[1]) > MAX_DIGITS or len(word) > 32 or float(word) in (float("inf"), -float("inf")):
        return f"the number {word[:20]}{'…' if len(word) > 20 else ''} is too large"
    return None


def marks(text: str) -> dict[Loc, Mark]:
    """Return where every value of a well-formed JSON text stands.

    Raises:
        Malformed: A key stands twice, a number is none, or it is nested too deeply.
    """
    return _Walk(text).run()


@dataclass
class _Level:
    """An object or a list that the walk is in."""

    loc: Loc
    mapping: bool
    key: str | None = None
    key_place: Place | None = None
    index: int = -1
    expects_key: bool = True


class _Walk:
    """Tokens on the way to their places."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.marks: dict[Loc, Mark] = {}
        self.levels: list[_Level] = []

    def run(self) -> dict[Loc, Mark]:
        for word, place in self._tokens():
            level = self.levels[-1] if self.levels else None
            if word in "]}":
                self.levels.pop()
            elif word == ",":
                assert level
                level.expects_key = True
            elif word == ":":
                assert level
                level.expects_key = False
            elif level and level.mapping and level.expects_key:
                self._key(level, json.loads(word), place)
            else:
                self._value(level, word, place)
        return self.marks

    def _tokens(self) -> Iterator[tuple[str, Place]]:
        for match in _TOKEN.finditer(self.text):
            line = bisect_right(self.starts, match.start())
            yield match[0], Place(line, match.start() - self.starts[line - 1] + 1)

    def _key(self, level: _Level, key: str, place: Place) -> None:
        level.key, level.key_place = key, place
        if (*level.loc, key) in self.marks:
            raise Malformed("PS005", f"the key {key!r} stands twice", place)

    def _value(self, level: _Level | None, word: str, place: Place) -> None:
        loc: Loc = ()
        key_place = None
        if level and level.mapping:
            loc, key_place = (*level.loc, level.key or ""), level.key_place
        elif level:
            level.index += 1
            loc = (*level.loc, level.index)
        self.marks[loc] = Mark(place, key_place)
        if word in "[{":
            self._enter(loc, word, place)
        elif word[0] != '"' and word not in ("true", "false", "null"):
            fault = number_fault(word)
            if fault:
                raise Malformed("PS006", fault, place)

    def _enter(self, loc: Loc, word: str, place: Place) -> None:
        if len(self.levels) >= MAX_DEPTH:
            raise Malformed("PS004", f"nested deeper than {MAX_DEPTH} levels", place)
        self.levels.append(_Level(loc, word == "{"))

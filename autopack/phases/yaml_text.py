"""The part of YAML that says what JSON says: no anchors or tags; `no` and `1:30` are text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from autopack.phases.document import MAX_DEPTH, Loc, Malformed, Mark, Place, end_of
from autopack.phases.json_text import number_fault

_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}
_NUMERIC = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")


@dataclass
class _Level:
    """A mapping or a sequence that is being filled."""

    loc: Loc
    made: dict[str, Any] | list[Any]
    key: str | None = None
    key_place: Place | None = None


def parse(text: str) -> tuple[Any, dict[Loc, Mark]]:
    """Return the value of a YAML text, and where each part of it stands.

    Raises:
        Malformed: It is no YAML, or uses what makes one text mean several things.
    """
    import yaml

    building = _Building()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            building.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        place = min(place, end_of(text))  # libyaml ends a text after its last line
        raise Malformed("PS003", f"not YAML: {error.problem or 'unreadable'}", place) from None
    except yaml.reader.ReaderError as error:
        place = end_of(text[: error.position])
        raise Malformed("PS003", f"not YAML: {error.reason}", place) from None
    if not building.documents:
        raise Malformed("PS001", "the file says nothing", Place(1, 1))
    return building.value, building.marks


class _Building:
    """Events on the way to a value; a stack of its own, so that depth is a number, not a crash."""

    def __init__(self) -> None:
        self.value: Any = None
        self.marks: dict[Loc, Mark] = {}
        self.levels: list[_Level] = []
        self.documents = 0

    def take(self, event: Any) -> None:
        kind = type(event).__name__
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        if kind == "DocumentStartEvent":
            self.documents += 1
            if self.documents > 1:
                raise Malformed("PS007", "a second YAML document", place)
        if getattr(event, "anchor", None) is not None:
            raise Malformed("PS007", f"a YAML anchor or alias, {event.anchor}", place)
        if getattr(event, "tag", None) is not None:
            raise Malformed("PS007", f"a YAML tag, {event.tag}", place)
        if kind == "ScalarEvent":
            self._scalar(event, place)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._enter({} if kind[0] == "M" else [], place)
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self.levels.pop()

    def _scalar(self, event: Any, place: Place) -> None:
        level = self.levels[-1] if self.levels else None
        if level and isinstance(level.made, dict) and level.key is None:
            if event.value in level.made:
                raise Malformed("PS005", f"the key {event.value!r} stands twice", place)
            level.key, level.key_place = event.value, place
        else:
            plain = event.style in (None, "")
            self._put(_plain(event.value, place) if plain else event.value, place)

    def _enter(self, made: dict[str, Any] | list[Any], place: Place) -> None:
        level = self.levels[-1] if self.levels else None
        if level and isinstance(level.made, dict) and level.key is None:
            raise Malformed("PS007", "a key that is no text", place)
        if len(self.levels) >= MAX_DEPTH:
            raise Malformed("PS004", f"nested deeper than {MAX_DEPTH} levels", place)
        self.levels.append(_Level(self._put(made, place), made))

    def _put(self, value: Any, place: Place) -> Loc:
        """Put a value where it belongs; return where that is."""
        level = self.levels[-1] if self.levels else None
        loc: Loc = ()
        key_place = None
        if level is None:
            self.value = value
        elif isinstance(level.made, dict):
            assert level.key is not None
            loc, key_place = (*level.loc, level.key), level.key_place
            level.made[level.key] = value
            level.key = None
        else:
            loc = (*level.loc, len(level.made))
            level.made.append(value)
        self.marks[loc] = Mark(place, key_place)
        return loc


def _plain(word: str, place: Place) -> Any:
    """Return what an unquoted word means in JSON; anything else is text."""
    if word in _WORDS:
        return _WORDS[word]
    if not _NUMERIC.fullmatch(word):
        return word
    fault = number_fault(word)
    if fault:
        raise Malformed("PS006", fault, place)
    return float(word) if re.search(r"[.eE]", word) else int(word)

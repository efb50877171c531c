"""What pydantic finds, in codes and words of our own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from autopack.phases.codes import CODES, Code

_KINDS: dict[str, Code] = {
    "missing": "PS101",
    "extra_forbidden": "PS102",
    "too_short": "PS107",
    "string_too_short": "PS107",
    "string_unicode": "PS204",
}
_WORDS = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "greater_than": "must be above 0",
    "greater_than_equal": "must be 0 or above",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "string_unicode": "is no valid Unicode",
    "string_pattern_mismatch": "must be letters, digits, '.', '_' and '-', at most 100",
}


def code_of(fault: Any) -> Code:
    """Return the code of one of pydantic's errors."""
    kind, loc = fault["type"], fault["loc"]
    if kind in CODES:
        return str(kind)
    if kind == "extra_forbidden" and loc[-1] in ("id", "phase_id"):
        return "PS104"
    if "budget" in loc and kind in ("int_type", "greater_than"):
        return "PS501"
    return _KINDS.get(kind, "PS103")


def words_of(fault: Any) -> str:
    """Return one of pydantic's errors as a sentence that names the key."""
    kind, loc = fault["type"], fault["loc"]
    name = dotted(loc)
    if kind == "missing":
        return f"missing key '{loc[-1]}'"
    if kind == "extra_forbidden":
        return f"unknown key '{loc[-1]}'"
    if kind in CODES:
        return f"{name}: {fault['msg']}"
    if kind == "literal_error":
        return f"{name}: must be {fault['ctx']['expected']}"
    return f"{name}: {_WORDS.get(kind, fault['msg'])}"


def dotted(loc: Iterable[str | int]) -> str:
    """Return a place in a document as people write it: `scope.paths[0]`."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return words.removeprefix(".")


def nearest(key: str, known: Iterable[str]) -> str:
    """Return what a misspelled key may mean, or all there are."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, 1, 0.6)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(names)}"

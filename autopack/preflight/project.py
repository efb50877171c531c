"""Is pyproject.toml of the shape that its standards give it? So that no check trips over it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STRINGS = [str]
_SHAPE: dict[str, Any] = {
    "project": {
        "name": str, "requires-python": str, "dependencies": _STRINGS,
        "optional-dependencies": {"*": _STRINGS},
    },
    "tool": {
        "poetry": {"packages": [{"include": str, "from": str}]},
        "hatch": {"build": {"targets": {"wheel": {"packages": _STRINGS}}}},
        "setuptools": {"packages": {"find": {"where": _STRINGS}}},
    },
}  # fmt: skip
"""What checks read: tables by key (`*` for any), lists, strings. Whatever else is there is free."""
_LISTED = ("tool.setuptools.packages",)
"""What may be a list in place of the table."""
_NAMES = {dict: "a table", list: "a list", str: "a text"}


def misshapen(project: Mapping[str, Any]) -> str | None:
    """Return what is of another shape than it must be, None for nothing."""
    return _wrong("", project, _SHAPE)


def _wrong(key: str, value: Any, shape: Any) -> str | None:
    kind: Any = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        return None if key in _LISTED else f"{key} must be {_NAMES[kind]}"
    if isinstance(shape, list):
        inner = [(f"{key}[{n}]", one, shape[0]) for n, one in enumerate(value)]
    elif isinstance(shape, dict):
        if "include" in shape and "include" not in value:
            return f"{key}.include is missing"
        inner = [
            (f"{key}.{name}".lstrip("."), one, shape.get(name, shape.get("*")))
            for name, one in value.items()
            if name in shape or "*" in shape
        ]
    else:
        return None
    return next((why for one in inner if (why := _wrong(*one))), None)

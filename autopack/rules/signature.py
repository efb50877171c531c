"""The name of a kind of failure, the same on every machine, in any order, on any day."""

from __future__ import annotations

import re

from autopack.canonical import digest
from autopack.rules.tracebacks import leaf

ALGORITHM = 1
"""Raised whenever a mask changes what any template is; old signatures then become aliases."""

_WRAPPED = re.compile(r"\((?P<type>[A-Za-z_][\w.]*)\) (?P<message>.*)", re.S)
_TAIL = re.compile(r"\n\s*(?:\[SQL: |\(Background on this error at: )")


def sign(type_: str, masked: str, origin: str) -> str:
    """Return `sig:v1:` and 16 hex digits for a leaf type, a template and an origin."""
    return _name("sig", {"type": leaf(type_), "template": masked, "origin": origin})


def name_family(type_: str, masked: str) -> str:
    """Return `fam:v1:` and 16 hex digits for the template that a family has in common."""
    return _name("fam", {"type": leaf(type_), "template": masked})


def _name(kind: str, what: dict[str, str]) -> str:
    value = digest({"alg": f"{kind}:v{ALGORITHM}", **what}).removeprefix("sha256:")
    return f"{kind}:v{ALGORITHM}:{value[:16]}"


def unwrap(type_: str, message: str) -> tuple[str, str]:
    """Return type and message of what a database layer wrapped, without the statement.

    `(driver.Error) words` followed by the SQL is how such a layer shows the driver's own error.
    """
    message = _TAIL.split(message, maxsplit=1)[0].strip()
    inner = _WRAPPED.match(message)
    return (leaf(inner["type"]), inner["message"].strip()) if inner else (leaf(type_), message)

"""Failures become rules: what failed, what to do about it, who said so, and whether it helped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autopack.rules.serving import match as match

__all__ = ["match"]


def __getattr__(name: str) -> Any:
    """Return `match`; what it needs is imported when somebody asks for it."""
    if name != "match":
        raise AttributeError(name)
    from autopack.rules.serving import match

    return match

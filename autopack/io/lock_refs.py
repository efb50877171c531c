"""A collection that keeps nothing alive."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Refs(Generic[T]):
    """Objects, each once, for as long as somebody else needs them.

    Unlike `weakref.WeakSet` it runs no Python code when one dies: the exception of a signal that
    came just then, Ctrl-C for one, would be swallowed there. Going through it is safe while
    another thread changes it; two that change it need a lock.
    """

    def __init__(self) -> None:
        self._refs: tuple[weakref.ref[T], ...] = ()

    def __iter__(self) -> Iterator[T]:
        """Go through those that still live."""
        return (item for ref in self._refs if (item := ref()) is not None)

    def __contains__(self, item: T) -> bool:
        """Return whether this very object is in it."""
        return any(other is item for other in self)

    def __bool__(self) -> bool:
        """Return whether one of them still lives."""
        return any(True for _ in self)

    def add(self, item: T) -> None:
        """Put it in."""
        self._refs = (*self._others(item), weakref.ref(item))

    def discard(self, item: T) -> None:
        """Take it out, if it is in."""
        self._refs = tuple(self._others(item))

    def clear(self) -> None:
        """Take all of them out."""
        self._refs = ()

    def _others(self, item: T) -> Iterator[weakref.ref[T]]:
        return (ref for ref in self._refs if (other := ref()) is not None and other is not item)

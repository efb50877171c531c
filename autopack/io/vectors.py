"""The vector index: one small protocol, an embedded engine and a Qdrant server behind it."""

from __future__ import annotations

import importlib
import os

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.io.points import Embedder, Point, VectorIndex
from autopack.settings import Target

__all__ = ["Embedder", "Point", "VectorIndex", "open_vectors"]


def open_vectors(
    target: Target, deadline: Deadline, *, create: bool, embedder: Embedder | None = None
) -> VectorIndex:
    """Open the engine that the target names.

    Args:
        target: `shown` is `embedded` or the server's masked URL; `url` the folder or the URL.
        deadline: Bounds every request and the wait for the embedded engine's lock.
        create: Make what is missing. Without it nothing is created, and a missing collection
            reads as an empty one.
        embedder: Dense vectors beside the sparse ones; without it `AUTOPACK_EMBEDDER`, else none.
    """
    embedder = embedder or _configured_embedder()
    if target.shown == "embedded":
        from autopack.io.vectors_embedded import EmbeddedIndex

        return EmbeddedIndex(target, deadline, embedder, create=create)
    from autopack.io.vectors_server import ServerIndex

    return ServerIndex(target, deadline, embedder, create=create)


def _configured_embedder() -> Embedder | None:
    """Return the embedder that `AUTOPACK_EMBEDDER=package.module:factory` names."""
    spec = os.environ.get("AUTOPACK_EMBEDDER")
    if not spec:
        return None
    module, _, factory = spec.partition(":")
    try:
        made: Embedder = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            f"AUTOPACK_EMBEDDER={spec}: {error}", next_step="name it as package.module:factory"
        ) from None
    return made

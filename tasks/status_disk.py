"""The disk's line of the health page."""

from __future__ import annotations

from autopack.health.parts import Part, State
from tasks import policy
from tasks.engine import task
from tasks.status import Looking

GB = 1e9
SCARCE, LAST = 0.10, 0.03
"""Below these free shares of a filesystem the line is a warning, and an error."""


@task(**policy.READ)
def look(looking: Looking) -> None:
    """Say how much room the filesystem of the workspace has."""
    from autopack.io.disk import room

    try:
        left = room(looking.root)
    except OSError as error:
        looking.parts.append(Part("disk", "unknown", f"the disk cannot be asked: {error.strerror}"))
        return
    state: State = "bad" if left.share < LAST else "look" if left.share < SCARCE else "good"
    words = f"{left.free / GB:.1f} GB free of {left.total / GB:.1f} GB ({left.share:.0%})"
    numbers = {"free_gb": round(left.free / GB, 3)}
    looking.parts.append(Part("disk", state, words, "python -m flows.storage_scan", numbers))

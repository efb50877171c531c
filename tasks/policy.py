"""How long a task may take, what is tried again and when: one dict per kind of work.

Use: `@task(**policy.READ)`. Every task has a timeout and may be run twice. The engine applies
these options alike with and without Prefect.
"""

from __future__ import annotations

from typing import Any

from autopack.errors import Busy, DeadlineExceeded, Refused, Unreachable, UsageError

PERMANENT = (UsageError, Refused, DeadlineExceeded, Busy)


def transient(error: BaseException) -> bool:
    """Return whether another try may help: a target or the system failed, not our own logic."""
    if isinstance(error, PERMANENT) or getattr(error, "permanent", False):
        return False
    return isinstance(error, (Unreachable, OSError)) and not isinstance(
        error, (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
    )


def _policy(timeout: float, delays: list[float], jitter: float = 0.0) -> dict[str, Any]:
    return {
        "timeout_seconds": timeout,
        "retries": len(delays),
        "retry_delay_seconds": delays,
        "retry_jitter_factor": jitter,
        "retry_if": transient,
    }


READ = _policy(600.0, [0.2])
"""Reads files or computes; one quick second try for a file that changed underneath."""

LONG_READ = _policy(86400.0, [])
"""Reads or computes what may be of any size; the run's own deadline is what bounds it."""

IDEMPOTENT_WRITE = _policy(3600.0, [0.5, 2.0], jitter=0.3)
"""Writes so that a second run finds nothing to do; the run's own deadline is what bounds it."""

ONCE = _policy(600.0, [])
"""Uses something up, or writes a record that must not be written twice; never tried again."""

NETWORK = _policy(30.0, [0.5, 1.0, 2.0], jitter=0.5)
"""Talks to a peer that may be restarting."""

"""A flow that holds a lock until somebody ends it."""

from __future__ import annotations

import time

from autopack.report import Report
from tasks.engine import draft, flow
from tasks.locking import holding


@flow(name="lock-flow")
def lock_flow(workspace: str = ".", seconds: float = 120.0) -> Report:
    """Hold docs for a while.

    Args:
        workspace: The checkout whose lock it is.
        seconds: How long.
    """
    report = draft(Report("lock-flow"))
    with holding("docs"):
        time.sleep(seconds)
    return report

"""One preflight at work: which checks, what they look at, and how they ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property

from autopack.deadline import Deadline
from autopack.io.check_process import Running
from autopack.preflight.checks import Check, Wanted
from autopack.preflight.outcome import Outcome
from autopack.settings import workspace_root


class Preflight:
    """The state that the steps share; a plain class, because Prefect walks others."""

    def __init__(self, workspace: str, wanted: Wanted, changed: bool, deadline: Deadline) -> None:
        self.root = workspace_root(workspace)
        self.wanted = wanted
        self.changed = changed
        self.deadline = deadline
        self.manifest = ""
        self.checks: Sequence[Check] = ()
        self.chosen: Sequence[Check] = ()
        self.running = Running()
        self.passed: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.outcomes: dict[str, Outcome] = {}

    @cached_property
    def files(self) -> frozenset[str]:
        """The names of the workspace's files, walked when somebody first asks."""
        from autopack.io.check_files import names

        return names(self.root, self.deadline)

    def named(self, name: str) -> Check:
        """Return a check that was chosen."""
        return next(check for check in self.chosen if check.id == name)

    @property
    def ended(self) -> list[Outcome]:
        """How the checks ended, in the order of the manifest."""
        return [self.outcomes[c.id] for c in self.chosen if c.id in self.outcomes]


def workers() -> int:
    """Return how many checks run at once: one for each processor that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)

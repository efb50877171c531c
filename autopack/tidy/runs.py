"""Run folders: which stay, the newest of each project, and where the others go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from autopack.state_files import RUNS
from autopack.tidy.config import RunsPolicy

OLD_RUNS = "old-runs"
"""The rule that moves run folders. Only the phase of runs does, under the lock of each."""


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, its project ("" for the workspace's own runs), and when it last changed."""

    path: str
    project: str
    mtime_ns: int

    @property
    def ident(self) -> str:
        """The run's id: the last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def destination(self) -> str:
        """Where it goes when it is old."""
        folder = f"{RUNS}/{self.project}/" if self.project else ""
        return f"{folder}archive/runs/{self.ident}"


def project_of(ident: str, policy: RunsPolicy) -> str:
    """Return the project that a run at the top of `.autonomous_runs/` belongs to."""
    return next((project for project, glob in policy.projects if glob.fullmatch(ident)), "")


def surplus(runs: Iterable[RunFolder], keep: int) -> list[RunFolder]:
    """Return the runs beyond the `keep` newest of their project, the oldest first."""
    by_project: dict[str, list[RunFolder]] = defaultdict(list)
    for run in runs:
        by_project[run.project].append(run)
    old = []
    for found in by_project.values():
        newest_first = sorted(found, key=lambda run: (run.mtime_ns, run.path), reverse=True)
        old += newest_first[keep:]
    return sorted(old, key=lambda run: (run.mtime_ns, run.path))

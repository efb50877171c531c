"""One phase at run time: its spec, its scope, what there was and what there is."""

from __future__ import annotations

import re
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.errors import Refused, UsageError
from autopack.settings import workspace_root

if TYPE_CHECKING:
    from autopack.phases.finding import SpecFinding
    from autopack.phases.scope import Budget, Command, Scope
    from autopack.phases.snapshot import Snapshot
    from autopack.phases.violations import Judged
    from tasks.locking import Held

LOCK = "runs"
"""One phase at a time works in a workspace: two would see each other's files as violations."""


class PhaseRun:
    """The state that the steps share; a plain class, because Prefect walks others.

    `scope` is there once the spec was read, `snapshot` once it was taken or found, `judged` once
    it was compared.
    """

    scope: Scope
    snapshot: Snapshot
    judged: Judged
    held: Held

    def __init__(
        self, workspace: str, spec: str, phase: str | None, policy: str | None, deadline: Deadline
    ) -> None:
        self.root = workspace_root(workspace)
        self.workspace = workspace
        self.spec = spec
        self.wanted = phase
        self.policy_file = policy
        self.deadline = deadline
        self.scratch: tuple[str, ...] = ()
        self.shown = spec
        self.spec_sha256 = ""
        self.policy_sha256 = ""
        self.contents = b""
        self.files = 0
        self.lines = 0
        self.written: list[str] = []
        self.findings: list[SpecFinding] = []

    @contextmanager
    def holding(self, execute: bool) -> Iterator[None]:
        """Hold the lock of runs; a dry run holds nothing."""
        if not execute:
            yield
            return
        from tasks.locking import holding

        with holding(LOCK, root=self.root, deadline=self.deadline) as self.held:
            yield

    def fence(self) -> AbstractContextManager[None]:
        """Return the block in which a file may take its name."""
        return self.held.guarded(LOCK)

    @property
    def budget(self) -> Budget:
        """What the phase may spend."""
        assert self.scope.budget
        return self.scope.budget

    @property
    def proof(self) -> Command:
        """What validates the phase."""
        assert self.scope.command
        return self.scope.command

    @property
    def kept_to_scope(self) -> bool:
        """Whether nothing was changed that the phase may not change, nor more than it may.

        A command that failed, or a validation, is no reason to keep the phase open.
        """
        about_work = ("PS722", "PS723", "PS724")
        errors = (f for f in self.findings if f.severity == "error")
        return all(finding.code in about_work for finding in errors)

    def run_name(self) -> str:
        """Return the name of a run that begins now; names sort by time."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        return f"{stamp}-{self.scope.phase}-{secrets.token_hex(3)}"

    def command(self, what: str, *more: str) -> str:
        """Return a command about this phase."""
        words = ["python", "-m", "flows.phase_check", what, self.spec]
        words += ["--phase", self.wanted] if self.wanted else []
        words += ["--policy", self.policy_file] if self.policy_file else []
        return shlex.join([*words, *more])

    def choose(self, scopes: list[Scope]) -> Scope:
        """Return the phase that was asked for, or the only one.

        Raises:
            Refused: There are several, and which one is meant is not said.
            UsageError: There is none of that name.
        """
        names = [scope.phase for scope in scopes]
        found = [scope for scope in scopes if self.wanted in (None, scope.phase)]
        if len(found) == 1:
            return found[0]
        known = ", ".join(sorted(set(names)))
        if not found:
            raise UsageError(
                f"{self.spec} has no phase {self.wanted!r}", next_step=f"choose one of: {known}"
            )
        if self.wanted:
            raise Refused(
                f"{self.spec} has {len(found)} phases called {self.wanted!r}",
                next_step="give each a name of its own",
            )
        raise Refused(
            f"{self.spec} has {len(found)} phases: {known}",
            next_step=self.command("begin", "--phase", names[0]),
        )


def phase_of(run: str) -> str:
    """Return the phase's name in the name of a run."""
    match = re.fullmatch(r"\d{8}T\d{6}Z-(.+)-[0-9a-f]{6}", run)
    return match[1] if match else run

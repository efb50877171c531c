"""One validation at work: which specs, under which policy, and what was found."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autopack.deadline import Deadline
from autopack.settings import workspace_root

if TYPE_CHECKING:
    from autopack.phases.finding import SpecFinding
    from autopack.phases.policy import Policy
    from autopack.phases.scope import Scope


class Validating:
    """The state that the steps share; a plain class, because Prefect walks others."""

    def __init__(self, workspace: str, files: Sequence[str], deadline: Deadline) -> None:
        self.workspace = workspace
        self.root = workspace_root(workspace)
        self.files = tuple(files)
        self.deadline = deadline
        self.policy: Policy | None = None
        self.data: dict[str, bytes] = {}
        self.findings: list[SpecFinding] = []
        self.scopes: list[Scope] = []
        self.phases = 0
        self.draft: Any = None
        self.judged: list[tuple[str, str]] = []

    @property
    def where(self) -> str:
        """The flag that names this workspace in an advised command, "" for the current folder."""
        return "" if self.workspace == "." else f" --workspace {shlex.quote(self.workspace)}"

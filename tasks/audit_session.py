"""What the steps of an audit share: the chain, the heads from elsewhere, and what they show."""

from __future__ import annotations

from pathlib import Path

from autopack.audit.anchors import Anchor
from autopack.audit.chain import Chain
from autopack.audit.signed import SignedHead
from autopack.deadline import Deadline
from autopack.settings import Target, audit_key, database_target, workspace_root


class Auditing:
    """One audit of a workspace's chain."""

    def __init__(self, workspace: str, database_url: str | None, deadline: Deadline) -> None:
        self.root: Path = workspace_root(workspace)
        self.target: Target = database_target(database_url, self.root)
        self.key: Path | None = audit_key()
        self.deadline = deadline
        self.data = b""
        self.chain = Chain({}, None, None, None)
        self.signed: list[tuple[int, SignedHead]] = []
        self.anchors: dict[str, list[Anchor]] = {}
        self.runs: dict[str, Anchor] = {}
        self.journals = 0

    @property
    def alone(self) -> bool:
        """Whether the database is a file of this workspace, so that nobody else writes to it."""
        return self.target.url.startswith(f"sqlite:///{self.root}/")

    def heads(self) -> list[Anchor]:
        """Return the heads from everywhere."""
        return [anchor for some in self.anchors.values() for anchor in some]

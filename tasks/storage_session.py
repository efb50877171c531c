"""What the steps of one scan share: what was asked for, what was seen, what could go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.errors import Refused, UsageError
from autopack.io.storage_platform import check_opening
from autopack.report import Finding
from autopack.settings import workspace_root

if TYPE_CHECKING:
    from autopack.io.storage_policy import Read
    from autopack.storage.candidates import Candidates
    from autopack.storage.picture import Picture
    from autopack.storage.policy import Policy
    from autopack.storage.schema import CleanupReport
    from autopack.storage.snapshot import Mode, Snapshot


@dataclass
class Seen:
    """One root: its snapshot, the one before, and the file that keeps it."""

    snapshot: Snapshot
    before: Snapshot | None
    file: str = ""


class Scanning:
    """The state that the steps of one scan share; a plain class, because Prefect walks others."""

    def __init__(
        self, workspace: str, roots: Sequence[str], mode: Mode, policy: str | None,
        deadline: Deadline,
    ) -> None:  # fmt: skip
        check_opening()
        self.workspace = workspace
        self.root = workspace_root(workspace)
        if not all(root.strip() for root in roots):
            raise UsageError("--root '' names no folder", next_step="name one, or leave --root out")
        self.roots = apart([Path(root).expanduser() for root in roots] or [self.root])
        self.mode = mode
        self.policy_file = policy
        self.deadline = deadline
        self.now = datetime.now(UTC)
        self.read: Read | None = None
        self.seen: list[Seen] = []
        self.found: list[Candidates] = []
        self.pictures: list[Picture] = []
        self.paper: CleanupReport | None = None
        self.refusal: Refused | None = None
        self.report_path: Path | None = None
        self.html_path: Path | None = None
        self.damaged: list[Finding] = []
        self.left_out: list[Finding] = []

    def place_page(self) -> None:
        """Say where the page will be; no two scans have one name for it."""
        from autopack.io.storage_pages import PAGES

        digest = self.seen[0].snapshot.sha256.removeprefix("sha256:")[:12]
        self.html_path = self.root / PAGES / f"scan-{self.now:%Y%m%dT%H%M%S.%f}Z-{digest}.html"

    @property
    def policy(self) -> Policy:
        """Return the policy that was read."""
        assert self.read
        return self.read.policy

    @property
    def structural(self) -> bool:
        """Return whether some root was only looked at folder by folder: no report comes of it."""
        return any(not seen.snapshot.exact for seen in self.seen)

    def shown(self, path: Path) -> str:
        """Return a path as a report names it: from the workspace's root if it is inside."""
        inside = path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if inside else str(path)


def apart(roots: Sequence[Path]) -> list[Path]:
    """Return the roots; none of them may lie in another, or its bytes would count twice.

    Raises:
        UsageError: One does.
    """
    real = [root.resolve() for root in roots]
    for n, one in enumerate(real):
        for other in real[:n]:
            if one.is_relative_to(other) or other.is_relative_to(one):
                raise UsageError(
                    f"--root {roots[n]} and {other} are in one another",
                    next_step="name one of them",
                )
    return list(roots)

"""One look at redirects: what was asked for, what was read, and what would be written."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from autopack.deadline import Deadline
from autopack.links.promises import Promise, promised
from autopack.links.redirects import Decided
from autopack.links.stubs import Stub
from autopack.report import Finding
from autopack.sot.ledgers import LEDGERS
from tasks import links_session
from tasks.links_session import Checking

RESERVED = tuple(ledger.path for ledger in LEDGERS)
"""A stub at a ledger's place would be read as the ledger."""


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    least: int
    promises: tuple[str, ...]
    prune: bool

    def promised(self) -> list[Promise]:
        """Return the promises of the command line; raises UsageError for one that leads out."""
        return [promised(path) for path in self.promises]

    def command(self, *, prune: bool = False) -> str:
        """Return the command that writes what this wish asks for."""
        words = ["python", "-m", "flows.doc_redirects"]
        words += ["--min-references", str(self.least)] if self.least != 3 else []
        words += ["--promise", *self.promises] if self.promises else []
        words += ["--prune"] if self.prune or prune else []
        return shlex.join([*words, "--execute"])


@dataclass(frozen=True)
class Change:
    """One file that changes; None stands for no file, before or afterwards."""

    stub: Stub
    old: bytes | None
    new: bytes | None
    references: int = 0
    why: str = ""

    @property
    def verb(self) -> str:
        """What happens to the stub."""
        if self.old is None:
            return "create"
        return "remove" if self.new is None else "update"


class Redirecting(Checking):
    """The state that the steps share: a deep check of every page, and a plan of stubs.

    `evidence` has the bytes of what the plan rests on, `stood` the stubs that stand.
    """

    def __init__(self, workspace: str, wish: Wish, deadline: Deadline) -> None:
        everything = links_session.Wish("deep", ("archive/**",), False, None, False)
        super().__init__(workspace, everything, deadline)
        self.asked = wish
        self.stood: dict[str, Stub] = {}
        self.bytes_of_stubs: dict[str, bytes] = {}
        self.promises: dict[str, Promise] = {}
        self.decided = Decided()
        self.changes: list[Change] = []
        self.evidence: dict[str, bytes | None] = {}
        self.told: list[Finding] = []

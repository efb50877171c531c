"""What a check is, and which of them a run is about."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from autopack.errors import UsageError

Tier = Literal["quick", "full", "ci"]
Cadence = Literal["always", "scheduled", "optional"]
TIERS: tuple[Tier, ...] = get_args(Tier)
CADENCES: tuple[Cadence, ...] = get_args(Cadence)
PLATFORMS = ("linux", "darwin", "win32")
"""As `sys.platform` names them."""
MANIFEST = "preflight.toml"


@dataclass(frozen=True)
class Check:
    """One check of a manifest: a command, or a rule that is built in.

    `inputs` are globs from the root. A tier contains the ones before it. What is `alone` runs when
    the others have ended; of what is a `stream`, every line is shown at once; what needs the
    `network` may fail for its absence alone.
    """

    id: str
    command: tuple[str, ...] = ()
    builtin: str = ""
    args: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    tier: Tier = "quick"
    cadence: Cadence = "always"
    timeout_s: float = 60.0
    platforms: tuple[str, ...] = PLATFORMS
    alone: bool = False
    stream: bool = False
    network: bool = False

    @property
    def what(self) -> str:
        """The command as one types it, or the name of the rule."""
        return shlex.join(self.command) or " ".join((f"built-in {self.builtin}", *self.args))


@dataclass(frozen=True)
class Wanted:
    """Which checks were asked for: those of a tier, or some by name."""

    tier: Tier = "quick"
    only: tuple[str, ...] = ()
    scheduled: bool = False

    def of(self, checks: Sequence[Check]) -> list[Check]:
        """Return the checks that this is about, in the order of the manifest.

        A scheduled check is left out of a run that neither names it nor is scheduled.

        Raises:
            UsageError: There is no check of a name.
        """
        if self.only:
            for name in self.only:
                _known(name, [check.id for check in checks])
            return [check for check in checks if check.id in self.only]
        most = TIERS.index(self.tier)
        return [
            check
            for check in checks
            if TIERS.index(check.tier) <= most and (self.scheduled or check.cadence != "scheduled")
        ]


def _known(name: str, names: list[str]) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(
            f"--only: there is no check {name!r}{hint}",
            next_step="python -m flows.preflight --list",
        )


def longest_first(checks: Sequence[Check]) -> list[Check]:
    """Return the order to start checks in: what may take longest first, what is alone last."""
    return sorted(checks, key=lambda check: (check.alone, -check.timeout_s))


def table(checks: Sequence[Check]) -> str:
    """Return the checks as a Markdown table, as the docs print it."""
    rows = [
        f"| `{check.id}` | `{check.what.replace('|', chr(92) + '|')}` | {check.tier} "
        f"| {check.cadence} | {check.timeout_s:g} s |"
        for check in checks
    ]
    head = ["| check | what runs | tier | cadence | ended after |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])

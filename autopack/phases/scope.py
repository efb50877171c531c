"""What one phase may do, frozen: made from a spec that was accepted, asked at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from autopack.phases.codes import Code
from autopack.phases.globs import anchored
from autopack.phases.paths import fault, fold

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


@dataclass(frozen=True)
class Budget:
    """What a phase may spend: model tokens, seconds of wall time, files and lines changed."""

    tokens: int
    seconds: int
    files: int
    lines: int


@dataclass(frozen=True)
class Command:
    """What proves a phase: words for exec, never for a shell, and their time limit."""

    argv: tuple[str, ...]
    timeout_seconds: int


@dataclass(frozen=True)
class Scope:
    """What a phase may write, must leave alone, may spend and is validated by.

    Globs are anchored at the root. `budget` and `command` are None only for a scope that was named
    on a command line.
    """

    phase: str
    allowed: tuple[str, ...]
    read_only: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    budget: Budget | None = None
    command: Command | None = None

    def judge(self, path: str) -> Code | None:
        """Return why a path may not be written, or None where it may; any text can be asked about.

        The answer is about the name alone: `autopack.io.phase_tree.place_fault` looks at what is
        on disk. Protected and read-only names count in upper and lower case alike, allowed ones
        as they are written.
        """
        if code := fault(path):
            return code
        folded = fold(path)
        if self._protected.match_file(folded):
            return "PS216"
        if self._read_only.match_file(folded):
            return "PS215"
        return None if self._allowed.match_file(path) else "PS214"

    @cached_property
    def _allowed(self) -> GitIgnoreSpec:
        return compiled(self.allowed)

    @cached_property
    def _read_only(self) -> GitIgnoreSpec:
        return compiled([fold(glob) for glob in self.read_only])

    @cached_property
    def _protected(self) -> GitIgnoreSpec:
        return compiled([fold(glob) for glob in self.protected])


def compiled(globs: Sequence[str]) -> GitIgnoreSpec:
    """Return a matcher of canonical paths for these globs."""
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(anchored(globs))

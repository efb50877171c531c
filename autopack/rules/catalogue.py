"""The catalogue of mitigations: which cause is answered with what, and how far that may go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from autopack.papers import Line, Strict
from autopack.rules.matching import Failure, matches
from autopack.rules.schema import SAFE, STAGES, Action, Match, Scope, Stage

OWN = "config/mitigations.yaml"
"""Where a workspace keeps its own entries."""


class Mitigation(Strict):
    """A cause and what is done about it."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,60}$")]
    title: Line
    match: Match
    action: Action
    stage: Literal["guidance", "lint"]
    ceiling: Stage
    scope: Scope

    @model_validator(mode="after")
    def _within_its_ceiling(self) -> Self:
        if STAGES.index(self.stage) > STAGES.index(self.ceiling):
            raise ValueError(f"begins at {self.stage}, above its ceiling {self.ceiling}")
        if self.ceiling == "enforce" and self.action.class_ not in SAFE:
            raise ValueError(f"{self.action.class_} may not be enforced: it is no safe class")
        return self


class Catalogue(Strict):
    """All mitigations, the first that fits is taken."""

    version: Literal[1]
    disabled: list[str] = Field(default_factory=list)
    mitigations: list[Mitigation]

    @model_validator(mode="after")
    def _once(self) -> Self:
        keys = [entry.key for entry in self.mitigations]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"the key {twice[0]} stands twice")
        return self

    def over(self, base: Catalogue) -> Catalogue:
        """Return this catalogue laid over another one: its own entries come first."""
        own = {entry.key for entry in self.mitigations}
        rest = [e for e in base.mitigations if e.key not in own and e.key not in self.disabled]
        return Catalogue(version=1, mitigations=[*self.mitigations, *rest])

    def entry_for(self, failures: Iterable[Failure]) -> Mitigation | None:
        """Return the first entry that fits every one of some failures, at least one."""
        known = list(failures)
        fitting = (e for e in self.mitigations if all(matches(e.match, one) for one in known))
        return next(fitting, None) if known else None

    def entry_of(self, match: Match, action: Action) -> Mitigation | None:
        """Return the entry that a rule was made of."""
        made = (e for e in self.mitigations if (e.match, e.action) == (match, action))
        return next(made, None)

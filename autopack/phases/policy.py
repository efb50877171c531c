"""What a project protects, which commands it lets prove a phase, and what a phase may cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from autopack.errors import UsageError
from autopack.phases.document import Document, Malformed, read
from autopack.phases.errors import words_of
from autopack.phases.model import BudgetSpec, Glob, Positive, RunBudgetSpec, Strict, Words

OWN = "config/phase_policy.yaml"
"""Where a workspace keeps its policy."""
Family = Literal[
    "pytest",
    "unittest",
    "ruff",
    "mypy",
    "flow",
    "make",
    "npm",
    "go",
    "cargo",
    "tox",
    "nox",
    "other",
]


class CommandRule(Strict):
    """A beginning that a validation command may have."""

    argv: Words
    family: Family = Field("other", description="Whose options can make it check nothing.")
    paths: bool = Field(False, description="Words with a / or ending in .py are project files.")
    refuse: list[str] = Field(default=[], description="More words that it may not have.")


class RunCeilings(Strict):
    """What the phases of one run may reach together."""

    phases: Positive
    tokens: Positive
    seconds: Positive
    files: Positive
    lines: Positive


class Ceilings(Strict):
    """What may be spent at most."""

    phase: BudgetSpec
    run: RunCeilings


class Policy(Strict):
    """The rules that specs are held against."""

    protected: list[Glob]
    commands: Annotated[list[CommandRule], Field(min_length=1)]
    ceilings: Ceilings
    scratch: list[Glob] = Field(default=[], description="What tools leave; a warning, no error.")

    @property
    def guarded(self) -> tuple[str, ...]:
        """What no phase may reach: what is named, and git's own folder."""
        return (".git/", *self.protected)


class RunOwn(RunBudgetSpec):
    """The ceilings of a run that a project sets itself."""

    phases: Positive | None = None


class CeilingsOwn(Strict):
    """The ceilings that a project sets itself."""

    phase: RunBudgetSpec = RunBudgetSpec()
    run: RunOwn = RunOwn()


class PolicyFile(Strict):
    """A project's own policy: everything may be left out."""

    protected: list[Glob] = Field(default=[], description="Added to what is always protected.")
    commands: Annotated[list[CommandRule], Field(min_length=1)] | None = Field(
        None, description="Takes the place of the packaged list."
    )
    ceilings: CeilingsOwn = Field(
        CeilingsOwn(), description="Each takes the place of the packaged one."
    )
    scratch: list[Glob] | None = Field(None, description="Takes the place of the packaged list.")


def packaged(data: bytes) -> Policy:
    """Return the policy that every project starts from."""
    return Policy.model_validate(read("default_policy.yaml", data).value)


def laid_over(base: Policy, name: str, data: bytes) -> Policy:
    """Return the base with a project's own file laid over it.

    Raises:
        UsageError: The file is no policy; the message says in which line.
    """
    own = _own(name, data)
    phase = base.ceilings.phase.model_dump() | own.ceilings.phase.model_dump(exclude_none=True)
    run = base.ceilings.run.model_dump() | own.ceilings.run.model_dump(exclude_none=True)
    return Policy(
        protected=[*base.protected, *own.protected],
        commands=base.commands if own.commands is None else own.commands,
        ceilings=Ceilings(phase=BudgetSpec(**phase), run=RunCeilings(**run)),
        scratch=base.scratch if own.scratch is None else own.scratch,
    )


def _own(name: str, data: bytes) -> PolicyFile:
    as_yaml = name if name.lower().endswith(".json") else f"{name}.yaml"
    try:
        document = read(as_yaml, data)
        return PolicyFile.model_validate(document.value)
    except Malformed as fault:
        raise _bad(name, f"{fault.place.line}:{fault.place.column}: {fault.message}") from None
    except ValidationError as error:
        said = list(_said(document, error))
        more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
        raise _bad(name, f"{said[0]}{more}") from None


def _said(document: Document, error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        loc: Any = fault["loc"]
        unknown = fault["type"] in ("extra_forbidden", "missing")
        place = document.place(loc, key=unknown)
        yield f"{place.line}:{place.column}: {words_of(fault)}"


def _bad(name: str, words: str) -> UsageError:
    return UsageError(
        f"{name}:{words}", next_step="python -m flows.phase_check schema --of policy shows its form"
    )

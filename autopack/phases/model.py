"""What a phase spec and a plan look like, in both shapes that are in use; the one source of them.

`phase_spec.schema.json` beside this file is made from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from autopack.phases.codes import CODES
from autopack.phases.globs import glob_fault


def _glob(text: str) -> str:
    code = glob_fault(text)
    if code:
        raise PydanticCustomError(code, "{words}", {"words": f"{text!r}: {CODES[code]}"})
    return text


def _named(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


Glob = Annotated[str, AfterValidator(_glob)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Positive = Annotated[int, Field(gt=0)]
Words = Annotated[list[str], Field(min_length=1)]


class Strict(BaseModel):
    """Nothing is converted, nothing unknown is let through."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ContextSpec(Strict):
    """A file, folder or glob to read and not to change, and why."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: _either(schema, {"type": "string", "minLength": 1})
    )

    path: Glob = Field(description="A path or glob from the root; a folder ends with /.")
    reason: str = Field("", description="Why a builder should read it.")

    _as_object = model_validator(mode="before")(_named)


def _either(schema: dict[str, Any], other: dict[str, Any]) -> None:
    """Make a schema accept something else as well."""
    one = dict(schema)
    schema.clear()
    schema["anyOf"] = [other, one]


class ScopeSpec(Strict):
    """Where a phase works."""

    paths: Annotated[list[Glob], Field(min_length=1)] = Field(
        description="What may be written: gitignore globs, anchored at the root, no negation."
    )
    read_only_context: Annotated[list[ContextSpec], Field(min_length=1)] = Field(
        description="What is read and must not change."
    )
    protected_paths: list[Glob] = Field(
        default=[], description="What must not change, beside what the policy protects."
    )
    acceptance_criteria: list[str] = []
    deliverables: list[str] = []
    notes: list[str] = []
    test_cmd: str | None = Field(None, description="For people; `validation.argv` is what runs.")


class ValidationSpec(Strict):
    """The command that proves the phase."""

    argv: Words = Field(description="Words for exec; no shell reads them.")
    timeout_seconds: Positive = Field(description="It is ended after so many seconds.")


class BudgetSpec(Strict):
    """What a phase may spend."""

    tokens: Positive = Field(description="Model tokens, read and written.")
    seconds: Positive = Field(description="Wall time.")
    files: Positive = Field(description="Files created, changed or deleted.")
    lines: Positive = Field(description="Lines added and removed.")


class RunBudgetSpec(Strict):
    """What the phases of a run may spend together."""

    tokens: Positive | None = None
    seconds: Positive | None = None
    files: Positive | None = None
    lines: Positive | None = None


class CiSpec(Strict):
    """What the project's CI does after the phase."""

    log_on_success: bool = False


def _both_names(schema: dict[str, Any]) -> None:
    """Say in the schema that `id` is another way to write `phase_id`."""
    properties = schema["properties"]
    schema["properties"] = {"id": properties["phase_id"], **properties}
    schema["required"] = [name for name in schema["required"] if name != "phase_id"]
    schema["oneOf"] = [{"required": ["id"]}, {"required": ["phase_id"]}]


class PhaseSpec(Strict):
    """One phase."""

    model_config = ConfigDict(json_schema_extra=_both_names)

    phase_id: Name = Field(validation_alias=AliasChoices("phase_id", "id"))
    scope: ScopeSpec
    validation: ValidationSpec
    budget: BudgetSpec
    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    goal: str | None = None
    task_category: str | None = None
    complexity: Literal["low", "medium", "high"] | None = None
    builder_mode: str | None = None
    change_size: str | None = None
    allow_mass_addition: bool = False
    phase_index: Annotated[int, Field(ge=0)] | None = None
    tier_id: str | None = None
    features: list[str] = []
    acceptance_criteria: list[str] = []
    ci: CiSpec | None = None


class PlanSpec(Strict):
    """The phases of one run, and what they may spend together."""

    phases: Annotated[list[PhaseSpec], Field(min_length=1)]
    budget: RunBudgetSpec | None = None
    run_id: str | None = None
    name: str | None = None
    display_name: str | None = None
    description: str | None = None
    goal: str | None = None
    token_cap: Positive | None = Field(None, description="As budget.tokens.")
    max_phases: Positive | None = None
    max_duration_minutes: Positive | None = Field(None, description="As budget.seconds, times 60.")

"""The model of rule files: what a rule matches, advises, is about, rests on and who said so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
    model_validator,
)

from autopack.canonical import digest
from autopack.papers import Digest, Line, Moment, Stamp, Strict
from autopack.rules.patterns import MAX_PATTERN, literals
from autopack.rules.scopes import scope_fault
from autopack.state_files import LEARNED_RULES

SCHEMA = "autopack.rules/1"
RULES_FILE = LEARNED_RULES
FIELDS = ("type", "template", "component", "operation", "signature", "family")
"""What of a failure a rule may ask about."""
MAX_DEPTH = 5
MAX_NODES = 40
MIN_EXAMPLES = 2
PROBATION_HITS = 5
"""Hits at stage lint, none overturned, before a rule may be enforced."""

Stage = Literal["guidance", "lint", "enforce"]
STAGES: tuple[Stage, ...] = get_args(Stage)
Class = Literal[
    "retry_with_backoff",
    "reconnect_before_use",
    "fail_fast",
    "shrink_context",
    "pin_scope",
    "migrate_schema_first",
    "validate_input",
    "check_for_none",
    "fix_import",
    "match_signature",
    "check_permissions",
    "skip_and_log",
    "review_by_hand",
]
SAFE: frozenset[str] = frozenset({"retry_with_backoff", "fail_fast", "shrink_context", "pin_scope"})
"""Classes that may be enforced: they change how a run goes on, and nothing that it leaves."""


def _scoped(scope: list[str]) -> list[str]:
    for glob in scope:
        if fault := scope_fault(glob):
            raise ValueError(f"{glob!r} {fault}")
    return scope


Scope = Annotated[list[str], Field(min_length=1), AfterValidator(_scoped)]
Pattern = Annotated[str, Field(min_length=1, max_length=MAX_PATTERN)]
RuleId = Annotated[str, Field(pattern=r"^rule:v1:[0-9a-f]{16}$")]


class Match(Strict):
    """What a failure must look like: fields, all of them, or exactly one of all, any and not."""

    type: Pattern | None = None
    template: Pattern | None = None
    component: Pattern | None = None
    operation: Pattern | None = None
    signature: Pattern | None = None
    family: Pattern | None = None
    all: list[Match] | None = Field(default=None, min_length=1)
    any: list[Match] | None = Field(default=None, min_length=1)
    not_: Match | None = Field(default=None, validation_alias="not", serialization_alias="not")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        forms = [name for name in ("all", "any", "not_") if getattr(self, name) is not None]
        fields = self.fields()
        if len(forms) + bool(fields) != 1:
            raise ValueError("say fields, or exactly one of all, any and not")
        if empty := [name for name, pattern in fields.items() if not literals(pattern).strip()]:
            raise ValueError(f"{empty[0]} matches everything")
        return self

    def fields(self) -> dict[str, str]:
        """Return the patterns of this node, by field."""
        return {name: value for name in FIELDS if (value := getattr(self, name)) is not None}

    def parts(self) -> list[Match]:
        """Return the nodes below this one."""
        return [*(self.all or ()), *(self.any or ()), *([self.not_] if self.not_ else ())]

    def nodes(self) -> Iterator[Match]:
        """Yield this node and every one below it."""
        yield self
        for part in self.parts():
            yield from part.nodes()

    def depth(self) -> int:
        """Return the number of levels."""
        return 1 + max((part.depth() for part in self.parts()), default=0)


class Action(Strict):
    """What to do about it."""

    class_: Class = Field(validation_alias="class", serialization_alias="class")
    advice: Annotated[str, Field(min_length=10, max_length=600)]


class Example(Strict):
    """A failure that happened, by what rules may ask about; `event` is where it was seen."""

    event: Line
    type: str = ""
    template: str = ""
    component: str = ""
    operation: str = ""
    signature: str = ""
    family: str = ""


class Window(Strict):
    """The time that was looked at when a rule was chosen."""

    start: Moment
    end: Moment


class Evidence(Strict):
    """What a rule rests on: events by id, how often, among how many runs, and in which time."""

    events: list[Line] = Field(min_length=1)
    incidents: int = Field(ge=1)
    runs: int = Field(ge=1)
    exposure: int = Field(ge=1)
    window: Window
    hits: int = Field(default=0, ge=0)
    overturned: int = Field(default=0, ge=0)


class Rule(Strict):
    """One rule; its id is the digest of what it matches and what it advises."""

    id: RuleId
    revision: int = Field(ge=1)
    schema_version: Literal[1] = 1
    sig_alg: Literal["sig:v1"] = "sig:v1"
    match: Match
    action: Action
    stage: Stage
    scope: Scope
    evidence: Evidence
    positives: list[Example] = Field(min_length=MIN_EXAMPLES)
    negatives: list[Example] = Field(min_length=MIN_EXAMPLES)
    owner: Line
    created: Stamp
    reviewed: Stamp | None = None
    proposal_id: Digest | None = None
    approval_id: Digest | None = None
    supersedes: RuleId | None = None
    expires_at: Moment
    state: Literal["active", "retired"] = "active"

    @field_validator("match")
    @classmethod
    def _small(cls, match: Match) -> Match:
        if match.depth() > MAX_DEPTH or sum(1 for _ in match.nodes()) > MAX_NODES:
            raise ValueError(f"deeper than {MAX_DEPTH} levels or larger than {MAX_NODES} nodes")
        return match

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.id != rule_id(self.match, self.action):
            raise ValueError("id is not the digest of match and action")
        if self.stage == "enforce" and self.action.class_ not in SAFE:
            raise ValueError(f"{self.action.class_} may not be enforced: it is no safe class")
        if self.stage == "enforce" and (
            self.evidence.hits < PROBATION_HITS or self.evidence.overturned
        ):
            raise ValueError(f"enforced before {PROBATION_HITS} hits, none of them overturned")
        return self


class RuleFile(Strict):
    """The file of a workspace's rules."""

    schema_: Literal["autopack.rules/1"] = Field(
        validation_alias="schema", serialization_alias="schema"
    )
    rules: list[Rule]

    @model_validator(mode="after")
    def _once(self) -> Self:
        seen: set[str] = set()
        for rule in self.rules:
            if rule.id in seen:
                raise ValueError(f"{rule.id} stands twice")
            seen.add(rule.id)
        return self


EMPTY = RuleFile(schema_="autopack.rules/1", rules=[])


def rule_id(match: Match, action: Action) -> str:
    """Return the id of a rule with this content."""
    content = {"match": match.plain(), "action": action.plain()}
    return f"rule:v1:{digest(content).removeprefix('sha256:')[:16]}"


def file_text(file: RuleFile) -> str:
    """Return a rule file's text, the rules in the order of their ids."""
    rules = sorted((rule.plain() for rule in file.rules), key=lambda rule: str(rule["id"]))
    return json.dumps({"schema": SCHEMA, "rules": rules}, indent=2, ensure_ascii=False) + "\n"


def schema_text() -> str:
    """Return the JSON Schema of rule files, as it stands in `learned_rules.schema.json`."""
    made = RuleFile.model_json_schema(by_alias=True)
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps({"$schema": dialect, **made, "title": "Autopack rules"}, indent=2) + "\n"

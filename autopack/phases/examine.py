"""Hold a document against the model and the rules: every finding at once; scopes if all is well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from autopack.phases import draft
from autopack.phases.codes import CODES, severity
from autopack.phases.document import Document, Loc, Malformed
from autopack.phases.errors import code_of, dotted, nearest, words_of
from autopack.phases.finding import SpecFinding
from autopack.phases.model import (
    BudgetSpec,
    CiSpec,
    ContextSpec,
    PhaseSpec,
    PlanSpec,
    RunBudgetSpec,
    ScopeSpec,
    ValidationSpec,
)
from autopack.phases.policy import Policy
from autopack.phases.rules import Fault, World, faults_of, path_advice, plan_faults
from autopack.phases.scope import Budget, Command, Scope
from autopack.phases.view import View, name_of, view_of

_KEYS = {
    "phases": ({*PhaseSpec.model_fields} - {"phase_id"}) | {"id", "phase_id"},
    "scope": {*ScopeSpec.model_fields},
    "validation": {*ValidationSpec.model_fields},
    "read_only_context": {*ContextSpec.model_fields},
    "ci": {*CiSpec.model_fields},
}


class LintNote(NamedTuple):
    """What a learned rule at stage lint says about a document: it becomes a warning, PS601.

    `loc` is a place in the document, `rule` the rule's id.
    """

    loc: Loc
    rule: str
    message: str


@dataclass(frozen=True)
class Examined:
    """What one document came to: findings in the order of its lines; scopes if none is an error."""

    findings: tuple[SpecFinding, ...]
    scopes: tuple[Scope, ...]
    phases: int


def examine(
    document: Document, policy: Policy, world: World, lint: Sequence[LintNote] = ()
) -> Examined:
    """Return every finding about a document, and the scope of each of its phases.

    `lint` is what learned rules at stage lint have to say about it.
    """
    raws, loc_of, plan = phases_in(document.value)
    if raws is None:
        fault = Fault((), "PS008", "neither a phase nor a plan with phases", "begin with --draft")
        return Examined((_finding(document, fault, ""),), (), 0)
    model, form = _modelled(plan, loc_of)
    left = draft.placeholders(document.value) if draft.MARK in document.text else set()
    form = [fault for fault in form if not _below(fault.loc, left)]
    bad = {fault.loc for fault in form} | left
    views = [view_of(raw, loc_of(("phases", n)), bad) for n, raw in enumerate(raws)]
    faults = [*form, *(_placeholder(loc) for loc in left)]
    faults += [fault for view in views for fault in faults_of(view, policy, world)]
    faults += plan_faults(document.value, views, policy)
    faults += [Fault(n.loc, "PS601", f"rule {n.rule}: {n.message}") for n in lint]
    found = sorted(
        (_finding(document, fault, _phase_at(views, fault.loc)) for fault in faults),
        key=lambda finding: (finding.line or 0, finding.column or 0, finding.code),
    )
    failed = model is None or any(finding.severity == "error" for finding in found)
    scopes = () if failed or model is None else tuple(scope_of(p, policy) for p in model.phases)
    return Examined(tuple(found), scopes, len(views))


def malformed(name: str, fault: Malformed) -> SpecFinding:
    """Return the one finding about a file that is no document."""
    advice = "" if fault.code == "PS003" else CODES[fault.code]
    return SpecFinding(
        fault.code, "error", name, fault.place.line, fault.message, advice, fault.place.column, ""
    )


def phases_in(value: Any) -> tuple[list[Any] | None, Any, Any]:
    """Return the raw phases, how the model's places become the document's, and the plan.

    A document is a plan with `phases`, a list of phases, or one phase.
    """
    if isinstance(value, dict) and "phases" in value:
        phases = value["phases"]
        return phases if isinstance(phases, list) else [], lambda loc: loc, value
    if isinstance(value, list) and value:
        return value, lambda loc: loc[1:], {"phases": value}
    if isinstance(value, dict):
        return [value], lambda loc: loc[2:], {"phases": [value]}
    return None, None, None


def _modelled(plan: Any, loc_of: Any) -> tuple[PlanSpec | None, list[Fault]]:
    try:
        return PlanSpec.model_validate(plan), []
    except ValidationError as error:
        return None, [_form(fault, loc_of) for fault in error.errors(include_url=False)]


def _form(fault: Any, loc_of: Any) -> Fault:
    """Return one of pydantic's errors where the document has it; a missing key is its parent's."""
    loc, code = loc_of(fault["loc"]), code_of(fault)
    words = words_of({**fault, "loc": loc})
    if code == "PS101":
        return Fault(loc, code, words, _how(fault["loc"]), at_key=True)
    if code == "PS102":
        return Fault(loc, code, words, nearest(str(loc[-1]), _known(fault["loc"])), at_key=True)
    given = fault["input"]
    advice = path_advice(given) if code.startswith("PS2") and isinstance(given, str) else ""
    return Fault(loc, code, words, advice)


def _known(loc: Loc) -> set[str]:
    """Return the keys that may stand where a model's error is."""
    parents = [part for part in loc[:-1] if isinstance(part, str)]
    if not parents:
        return {*PlanSpec.model_fields}
    if parents[-1] == "budget":
        return {*(BudgetSpec if "phases" in parents else RunBudgetSpec).model_fields}
    return _KEYS[parents[-1]]


def _how(loc: Loc) -> str:
    keys = [part for part in loc if isinstance(part, str) and part != "phases"]
    return draft.example(keys)


def _placeholder(loc: Loc) -> Fault:
    return Fault(loc, "PS106", f"{dotted(loc)} is still a placeholder", "fill it in by hand")


def _below(loc: Loc, tops: set[Loc]) -> bool:
    return any(loc[:n] in tops for n in range(len(loc) + 1))


def _finding(document: Document, fault: Fault, phase: str) -> SpecFinding:
    place = document.place(fault.loc, key=fault.at_key)
    return SpecFinding(
        fault.code, severity(fault.code), document.name, place.line, fault.message, fault.fix,
        place.column, phase,
    )  # fmt: skip


def _phase_at(views: Sequence[View], loc: Loc) -> str:
    for view in views:
        if loc[: len(view.loc)] == view.loc and (view.loc or len(views) == 1):
            return view.name
    return ""


def scope_of(phase: PhaseSpec, policy: Policy) -> Scope:
    """Return what an accepted phase may do, for asking at run time."""
    spec, proof, budget = phase.scope, phase.validation, phase.budget
    return Scope(
        phase.phase_id,
        tuple(spec.paths),
        tuple(context.path for context in spec.read_only_context),
        (*policy.guarded, *spec.protected_paths),
        Budget(budget.tokens, budget.seconds, budget.files, budget.lines),
        Command(tuple(proof.argv), proof.timeout_seconds),
    )


def names_in(value: Any) -> Iterator[str]:
    """Yield the name of every phase in a raw document."""
    for raw in phases_in(value)[0] or []:
        yield name_of(raw)

"""The JSON Schemas of a phase spec and of a policy, for editors; checked in beside this file."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import TypeAdapter

from autopack.phases.model import PhaseSpec, PlanSpec
from autopack.phases.policy import PolicyFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Of = Literal["spec", "policy"]


def schema_text(of: Of) -> str:
    """Return a schema as it stands in `phase_spec.schema.json` or `phase_policy.schema.json`."""
    kind: Any = PolicyFile if of == "policy" else PlanSpec | list[PhaseSpec] | PhaseSpec
    title = "Autopack phase policy" if of == "policy" else "Autopack phase spec"
    made = TypeAdapter(kind).json_schema(by_alias=True)
    return json.dumps({"$schema": DIALECT, **made, "title": title}, indent=2) + "\n"

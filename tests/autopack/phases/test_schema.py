"""The checked-in JSON Schemas are the models', and editors accept what validation accepts."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema
import pytest

from autopack.phases.schema import schema_text
from tests.support.phase_specs import GONE, GOOD, spoiled

NAMES = {"spec": "phase_spec.schema.json", "policy": "phase_policy.schema.json"}


@pytest.mark.parametrize("of", NAMES)
def test_the_checked_in_schema_is_the_models(of):
    there = files("autopack.phases").joinpath(NAMES[of]).read_text()
    command = f"python -m flows.phase_check schema --of {of} > autopack/phases/{NAMES[of]}"
    assert there == schema_text(of), f"run: {command}"


BY_ID = {"id": "x", **{key: value for key, value in GOOD.items() if key != "phase_id"}}


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (GOOD, True),
        (BY_ID, True),
        ([GOOD, BY_ID], True),
        ({"phases": [GOOD], "budget": {"tokens": 1}}, True),
        ({**GOOD, "id": "x"}, False),
        (spoiled(("budget", GONE)), False),
        (spoiled(("bugdet", 1)), False),
        (spoiled(("budget.files", 0)), False),
        (spoiled(("scope.paths", [])), False),
        ({"phases": []}, False),
        ({}, False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_editor_says_what_validation_says(value, good):
    validator = jsonschema.Draft202012Validator(json.loads(schema_text("spec")))
    assert validator.is_valid(value) is good

"""The policy's model: what it refuses, what its name depends on, and its JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

import autopack.storage
from autopack.storage.policy import Policy, schema_text

HOME = Path(autopack.storage.__file__).parent


def test_without_a_word_nothing_is_executed_and_nothing_is_entered() -> None:
    policy = Policy()
    assert policy.execution == "disabled"
    assert set(policy.traversal.model_dump().values()) == {"deny"}
    assert policy.categories == {}
    assert policy.grace_days == 7


def test_a_category_without_an_age_or_action_proposes_nothing() -> None:
    category = Policy(categories={"logs": {"match": ["*.log"]}}).categories["logs"]
    assert category.action == "report"
    assert category.older_than_days is None
    assert category.caps.max_items > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"executoin": "enabled"},
        {"execution": "yes"},
        {"execution": True},
        {"case": "lower"},
        {"traversal": {"mount": "maybe"}},
        {"protected": {"a": ["!b"]}},
        {"protected": {"Bad Name": ["b"]}},
        {"protected": ["b"]},
        {"pinned": ["[a"]},
        {"categories": {"a": {}}},
        {"categories": {"a": {"match": []}}},
        {"categories": {"a": {"match": ["x"], "older_than_days": -1}}},
        {"categories": {"a": {"match": ["x"], "older_than_days": True}}},
        {"categories": {"a": {"match": ["x"], "older_than_days": "30"}}},
        {"categories": {"a": {"match": ["x"], "older_than_days": 1.5}}},
        {"categories": {"a": {"match": ["**"], "action": "quarantine"}}},
        {"categories": {"a": {"match": ["/**/*/"], "action": "quarantine"}}},
        {"refuse_share": 0},
        {"refuse_share": 101},
        {"min_keep": 0},
        {"grace_days": -1},
        {"approval": {"max_hours": 0}},
        {"approval": {"max_hours": 169}},
        {"approval": {"keys": [{"name": "Ada", "public": "00"}]}},
    ],
)
def test_what_is_no_policy_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(wrong)


def test_the_name_of_a_policy_is_its_content_however_it_was_written() -> None:
    one = Policy.model_validate({"grace_days": 7, "protected": {"a": ["x"], "b": ["y"]}})
    same = Policy.model_validate({"protected": {"b": ["y"], "a": ["x"]}})
    other = Policy.model_validate({"protected": {"b": ["y"], "a": ["z"]}})
    assert one.sha256 == same.sha256 != other.sha256
    assert one.sha256.startswith("sha256:")


def test_the_order_of_categories_is_content() -> None:
    a, b = {"match": ["a"]}, {"match": ["b"]}
    one = Policy.model_validate({"categories": {"a": a, "b": b}})
    other = Policy.model_validate({"categories": {"b": b, "a": a}})
    assert one.sha256 != other.sha256


def test_the_committed_schema_is_current() -> None:
    command = "python -c 'from autopack.storage.policy import schema_text; print(schema_text())'"
    assert (HOME / "storage_policy.schema.json").read_text() == schema_text(), command


def test_every_key_of_the_schema_says_what_it_means() -> None:
    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    for part in [schema, *schema["$defs"].values()]:
        for name, key in part["properties"].items():
            described = schema["$defs"].get(key.get("$ref", "").removeprefix("#/$defs/"), key)
            assert key.get("description") or described.get("description"), name

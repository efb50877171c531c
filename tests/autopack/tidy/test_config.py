"""config/tidy.yaml: the shipped rules are of the schema, a workspace's own come first."""

from __future__ import annotations

import json

import pytest

from autopack.errors import UsageError
from autopack.io.tidy_config import SCHEMA, SHIPPED, shipped
from autopack.tidy.config import Config, read_config


def read(own: str | None = None) -> Config:
    return read_config(shipped(SHIPPED), shipped(SCHEMA), own and own.encode())


def wrong(own: str) -> str:
    with pytest.raises(UsageError) as caught:
        read_config(shipped(SHIPPED), shipped(SCHEMA), own.encode())
    assert "\n" not in str(caught.value)
    return caught.value.message


def test_the_shipped_rules_are_of_the_schema() -> None:
    assert read_config(b"version: 1", shipped(SCHEMA), shipped(SHIPPED)).root.rules


def test_the_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(json.loads(shipped(SCHEMA)))


def test_own_rules_come_before_the_shipped_ones() -> None:
    own = """
version: 1
root:
  allow: [KEEP_PLAN.md]
  rules: [{name: mine, globs: ["*.log"], to: archive/mine, reason: ours}]
"""
    config = read(own)
    assert config.root.allow.fullmatch("KEEP_PLAN.md")
    assert config.root.allow.fullmatch("README.md")
    assert [rule.name for rule in config.root.rules][:2] == ["mine", "logs"]


def test_required_structure_takes_the_place_of_the_shipped_one() -> None:
    config = read("version: 1\nrequired: {ledgers: [BUILD_HISTORY.md]}\n")
    assert config.ledgers == ("BUILD_HISTORY.md",)
    assert config.folders == read().folders


def test_single_values_take_the_place_of_the_shipped_ones() -> None:
    config = read("version: 1\nsuperseded: attic\nruns: {keep: 3}\n")
    assert (config.superseded, config.runs.keep) == ("attic", 3)
    assert config.runs.marks == read().runs.marks


def test_without_defaults_only_the_own_file_holds() -> None:
    config = read("version: 1\ndefaults: false\n")
    assert (config.root.rules, config.docs.rules, config.consolidation) == ((), (), ())
    assert not config.root.allow.fullmatch("README.md")


@pytest.mark.parametrize(
    ("own", "where"),
    [
        ("version: 1\nroot:\n  alow: [x]\n", "config/tidy.yaml:3: root: "),
        ("version: 2\n", "config/tidy.yaml:1: version: 1 was expected"),
        ("root: {}\n", "config/tidy.yaml:1: 'version' is a required property"),
        ("version: 1\nruns:\n  keep: no\n", "config/tidy.yaml:3: runs.keep: "),
        ("version: 1\nroot:\n  rules:\n    - name: a\n      globs: [x]\n      to: ../x\n"
         "      reason: r\n", "config/tidy.yaml:6: root.rules.0.to: "),
        ("version: 1\nroot:\n  rules:\n    - name: a\n      globs: ['**']\n      to: x\n"
         "      reason: r\n", "config/tidy.yaml:5: root.rules.0.globs.0: "),
        ("version: 1\nsuperseded: /etc\n", "config/tidy.yaml:2: superseded: "),
        ("version: 1\nsuperseded: a\nsuperseded: b\n",
         "config/tidy.yaml:3: 'superseded' stands twice"),
        ("version: [1\n", "config/tidy.yaml:2: no YAML: "),
        ("- 1\n", "config/tidy.yaml:1: "),
        ("\x00", "config/tidy.yaml:1: no YAML: "),
        ("", "config/tidy.yaml:1: 'version' is a required property"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_line_with_its_place(own: str, where: str) -> None:
    assert wrong(own).startswith(where)

"""Rules say everything or are none; their ids are what they say."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from autopack.canonical import digest
from autopack.rules.schema import (
    SAFE,
    Action,
    Match,
    Rule,
    RuleFile,
    file_text,
    rule_id,
    schema_text,
)
from tests.support import rule_papers as papers
from tests.support.session import REPOSITORY

RULE = papers.changes()[0].rule.plain()


def test_an_id_is_of_match_and_action_alone() -> None:
    match, action = Match.model_validate(RULE["match"]), Action.model_validate(RULE["action"])
    assert rule_id(match, action) == RULE["id"]
    assert Rule.model_validate({**RULE, "scope": ["docs/"]}).id == RULE["id"]
    other = Action.model_validate({**RULE["action"], "advice": "something else altogether"})
    assert rule_id(match, other) != RULE["id"]


BAD: dict[str, dict[str, Any]] = {
    "null scope": {"scope": None},
    "no scope": {"scope": []},
    "everything": {"scope": ["**"]},
    "everything below": {"scope": ["**/*"]},
    "out of the workspace": {"scope": ["../x/"]},
    "absolute": {"scope": ["/etc/"]},
    "one positive": {"positives": RULE["positives"][:1]},
    "one negative": {"negatives": RULE["negatives"][:1]},
    "an unknown key": {"confidence": "high"},
    "another id": {"id": "rule:v1:0123456789abcdef"},
    "an unsafe class enforced": {"stage": "enforce"},
    "an unknown stage": {"stage": "always"},
    "no date": {"expires_at": "2026-01-01"},
    "a naive moment": {"expires_at": "2026-01-01T00:00:00"},
    "revision 0": {"revision": 0},
    "a name of two lines": {"owner": "a\nb"},
    "no match": {"match": {}},
    "a match of everything": {"match": {"type": "**"}},
    "two forms": {"match": {"type": "A", "all": [{"type": "B"}]}},
    "an empty all": {"match": {"all": []}},
    "an unknown field": {"match": {"message": "x"}},
    "a long pattern": {"match": {"type": "x" * 301}},
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_rule_is_refused(kind: str) -> None:
    changed = {**RULE, **BAD[kind]}
    if "match" in BAD[kind]:
        with pytest.raises(ValidationError):
            Match.model_validate(changed["match"])
    with pytest.raises(ValidationError):
        Rule.model_validate(changed)


def test_a_match_has_bounds() -> None:
    deep: dict[str, Any] = {"type": "A"}
    for _ in range(6):
        deep = {"not": deep}
    wide = {"any": [{"type": f"T{n}"} for n in range(60)]}
    for match in (deep, wide):
        made = Match.model_validate(match)
        action = Action.model_validate(RULE["action"])
        with pytest.raises(ValidationError, match="deeper than"):
            Rule.model_validate({**RULE, "match": match, "id": rule_id(made, action)})


def test_a_safe_class_is_enforced_after_its_probation_only() -> None:
    action = Action(class_="retry_with_backoff", advice="try again a few times, with pauses")
    assert action.class_ in SAFE
    match = Match.model_validate(RULE["match"])
    rule = {**RULE, "action": action.plain(), "id": rule_id(match, action), "stage": "enforce"}
    for hits, wrong in ((4, 0), (9, 1)):
        evidence = {**RULE["evidence"], "hits": hits, "overturned": wrong}
        with pytest.raises(ValidationError, match="enforced before"):
            Rule.model_validate({**rule, "evidence": evidence})
    tried = {**RULE["evidence"], "hits": 5, "overturned": 0}
    assert Rule.model_validate({**rule, "evidence": tried}).stage == "enforce"


def test_a_file_reads_back_as_it_was_written_and_has_a_rule_once() -> None:
    rules = [change.rule for change in papers.changes()]
    file = RuleFile(schema_="autopack.rules/1", rules=rules)
    text = file_text(file)
    again = RuleFile.model_validate(json.loads(text))
    assert file_text(again) == text
    with pytest.raises(ValidationError, match="stands twice"):
        RuleFile.model_validate({"schema": "autopack.rules/1", "rules": [RULE, RULE]})


def test_the_schema_in_the_package_is_the_models_and_takes_what_it_takes() -> None:
    stored = (REPOSITORY / "autopack/rules/learned_rules.schema.json").read_text()
    assert stored == schema_text()
    schema = json.loads(stored)
    jsonschema.Draft202012Validator.check_schema(schema)
    checked = jsonschema.Draft202012Validator(schema)
    checked.validate({"schema": "autopack.rules/1", "rules": [RULE]})
    assert not checked.is_valid({"schema": "autopack.rules/1", "rules": [{**RULE, "scope": None}]})


def test_a_digest_says_what_made_it() -> None:
    assert digest({}) == ("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")

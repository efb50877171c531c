"""A project's policy is laid over the packaged one; a bad one is refused with its line."""

from __future__ import annotations

import pytest

from autopack.errors import UsageError
from autopack.phases.policy import laid_over
from tests.support.phase_specs import codes, policy, spoiled

OWN = b"""protected: [src/app/secret/]
commands:
  - {argv: [just, test], refuse: [--quick]}
ceilings:
  phase: {tokens: 100}
"""


def test_protected_is_added_commands_and_ceilings_take_the_place():
    own = laid_over(policy(), "p.yaml", OWN)
    assert [*policy().protected, "src/app/secret/"] == own.protected
    assert [rule.argv for rule in own.commands] == [["just", "test"]]
    assert own.ceilings.phase.tokens == 100
    assert own.ceilings.phase.lines == policy().ceilings.phase.lines
    assert own.ceilings.run == policy().ceilings.run


def test_specs_are_held_against_it():
    own = laid_over(policy(), "p.yaml", OWN)
    assert codes(spoiled(), rules=own) == ["PS303", "PS401", "PS502"]
    good = spoiled(
        ("scope.paths", ["src/app/main.py"]),
        ("validation.argv", ["just", "test"]),
        ("budget.tokens", 100),
    )
    assert codes(good, rules=own) == []
    good["validation"]["argv"].append("--quick")
    assert codes(good, rules=own) == ["PS402"]


def test_git_is_guarded_in_every_policy():
    assert policy().guarded[0] == ".git/"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"protected: [../x]\n", "p.yaml:1:13: protected[0]: '../x': a path with"),
        (b"protected: []\nceilings:\n  phase:\n    tokens: 0\n", "p.yaml:4:13: ceilings.phase"),
        (b"x: 1\ncommands: []\n", "p.yaml:2:11: commands: is empty (and 1 more)"),
        (b"a: [\n", "p.yaml:2:1: not YAML"),
        (b"", "p.yaml:1:1: the file is empty"),
        (b"- a\n", "p.yaml:1:1: : must be an object"),
        (b"\xff", "p.yaml:1:1: byte 0xff is no UTF-8"),
        (b"commands: &a []\n", "p.yaml:1:11: a YAML anchor"),
        (b"protected: []\nprotected: []\n", "p.yaml:2:1: the key 'protected' stands twice"),
    ],
    ids=str,
)
def test_a_bad_policy_is_a_usage_error_with_its_line(data, said):
    with pytest.raises(UsageError) as caught:
        laid_over(policy(), "p.yaml", data)
    assert caught.value.message.startswith(said)
    assert caught.value.next_step

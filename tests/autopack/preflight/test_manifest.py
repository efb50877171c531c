"""A manifest is read strictly, and a fault names its line."""

from __future__ import annotations

import pytest

from autopack.errors import UsageError
from autopack.preflight.checks import Check, Wanted, longest_first, table
from autopack.preflight.manifest import parse

BUILTINS = {"syntax": frozenset(), "imports": frozenset({"apart"}), "resolver": None}
HEAD = 'schema = "autopack.preflight/1"\n'
GOOD = (
    HEAD
    + """
# [[check]] in a comment, and in a string below
[[check]]
id = "syntax"
builtin = "syntax"
inputs = ["**/*.py"]

[[check]]
id = "types"
command = ["python", "-c", "print('[[check]]')", ""]
tier = "full"
cadence = "optional"
timeout = 2.5
platforms = ["linux"]
alone = true
stream = true
network = true
"""
)


def test_every_key_is_read() -> None:
    syntax, types = parse("preflight.toml", GOOD, BUILTINS)
    assert syntax == Check("syntax", builtin="syntax", inputs=("**/*.py",))
    assert types == Check(
        "types", ("python", "-c", "print('[[check]]')", ""), tier="full", cadence="optional",
        timeout_s=2.5, platforms=("linux",), alone=True, stream=True, network=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("schema =", "shema =", 1, "unknown key 'shema'"),
        ("/1", "/2", 1, 'schema must be "autopack.preflight/1"'),
        ("\n# [[", "\nextra = 1\n# [[", 3, "unknown key 'extra'"),
        ("tier =", "teir =", 12, "unknown key 'teir'; did you mean 'tier'?"),
        ('"full"', '"night"', 12, "tier must be one of quick, full, ci, not 'night'"),
        ('"optional"', '"never"', 13, "cadence must be one of always, scheduled, optional"),
        ("2.5", "0", 14, "timeout must be seconds above 0"),
        ("2.5", "true", 14, "timeout must be seconds above 0"),
        ('["linux"]', '["plan9"]', 15, "platforms must be some of linux, darwin, win32"),
        ("alone = true", 'alone = "yes"', 16, "alone must be true or false, not 'yes'"),
        ('"types"', '"Types"', 10, "id must be lower case, digits and single hyphens"),
        ('"types"', '"syntax"', 10, "there are two checks 'syntax'"),
        ('id = "types"\n', "", 9, "this check has no id"),
        ('builtin = "syntax"\n', "", 4, "check 'syntax' needs either a command or a builtin"),
        ('= "syntax"\nin', '= "sintax"\nin', 6, "no builtin 'sintax'; did you mean 'syntax'?"),
        ("inputs = [", 'args = ["x"]\ninputs = [', 7, "syntax does not know 'x'"),
        ('["**/*.py"]', '"**/*.py"', 7, "inputs must be a list of words"),
        ('["**/*.py"]', '["./**/*.py"]', 7, "inputs must be globs of files from the root"),
        ('["**/*.py"]', '["docs/"]', 7, "inputs must be globs of files from the root"),
        ('["python", ', '["", ', 11, "command must be a list of words, a program first"),
        ('["python", ', '["a\\u0000b", ', 11, "command must be a list of words"),
        ("2.5", "9" * 5000, 14, "too long a number"),
        ("2.5", "[" * 5000, 14, "nested too deeply"),
        ("alone = true", "alone = tru", 16, "Invalid value"),
        ("stream = true", "alone = true", 17, "Cannot overwrite a value"),
    ],
)  # fmt: skip
def test_a_fault_names_its_line(old, new, line, said) -> None:
    assert old in GOOD
    with pytest.raises(UsageError) as fault:
        parse("preflight.toml", GOOD.replace(old, new, 1), BUILTINS)
    assert f"preflight.toml:{line}: " in fault.value.message
    assert said in fault.value.message


def test_args_belong_to_a_builtin() -> None:
    text = HEAD + '[[check]]\nid = "a"\ncommand = ["x"]\nargs = ["y"]\n'
    with pytest.raises(UsageError, match=":5: args are a builtin's"):
        parse("preflight.toml", text, BUILTINS)


def test_the_longest_is_started_first_and_what_is_alone_last() -> None:
    checks = [
        Check("a", timeout_s=5),
        Check("b", timeout_s=50),
        Check("c", alone=True, timeout_s=99),
    ]
    assert [check.id for check in longest_first(checks)] == ["b", "a", "c"]


def test_a_scheduled_check_runs_by_name_or_on_schedule() -> None:
    checks = [Check("a"), Check("b", cadence="scheduled"), Check("c", tier="ci")]

    def chosen(wanted: Wanted) -> list[str]:
        return [check.id for check in wanted.of(checks)]

    assert chosen(Wanted()) == ["a"]
    assert chosen(Wanted("ci")) == ["a", "c"]
    assert chosen(Wanted("ci", scheduled=True)) == ["a", "b", "c"]
    assert chosen(Wanted("quick", ("c", "b"))) == ["b", "c"]


def test_the_table_keeps_its_columns() -> None:
    shown = table([Check("a", ("grep", "x|y"))])
    assert shown.splitlines()[2] == "| `a` | `grep 'x\\|y'` | quick | always | 60 s |"

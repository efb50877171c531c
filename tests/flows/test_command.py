"""Reading the command line: the signature is the parser, a mistake is one line."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any, Literal

import pytest

from autopack.errors import MEANINGS
from autopack.report import Report
from flows.cli import Between, Flags, Positional
from flows.command import parse
from tasks.engine import flow, plain
from tests.support.toy_flow import toy_flow


def refused(capsys: pytest.CaptureFixture[str], *words: str, flows: Any = (toy_flow,)) -> str:
    with pytest.raises(SystemExit) as stopped:
        parse(flows, words)
    shown = capsys.readouterr()
    assert stopped.value.code == 2
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    return shown.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--exectue"], "unknown flag --exectue; did you mean --execute? Next:"),
        (["--exec"], "unknown flag --exec; did you mean --execute? Next:"),
        (["--zzz"], "unknown flag --zzz. Next:"),
        (["--databse-url=postgresql://a:hunter2@b/c"], "did you mean --database-url?"),
        (["--full", "--docs-only"], "--docs-only contradicts --full. Next:"),
        (["--max-seconds", "0"], "--max-seconds: 0 is not between 1 and 86400"),
        (["--max-seconds", "nan"], "--max-seconds: nan is not between 1 and 86400"),
        (["--max-seconds", "soon"], "--max-seconds: 'soon' is not a number"),
        (["--max-seconds"], "--max-seconds needs a value"),
        (["--execute=1"], "--execute takes no value"),
        (["--engine", "drect"], "did you mean direct?"),
        (["stray"], "unexpected word 'stray'"),
        (["postgresql://a:hunter2@b/c"], "unexpected word 'postgresql://a:***@b/c'"),
        (["--zzz\nsecond line"], "unknown flag --zzz second line"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    line = refused(capsys, *words)
    assert said in line
    assert "hunter2" not in line
    assert line.endswith("--help\n")


def test_the_signature_is_the_command_line() -> None:
    command = parse((toy_flow,), ["--full", "--max-seconds", "5", "--names", "a", "b", "--json"])
    assert command.format == "json"
    assert command.engine == "auto"
    assert command.values == {
        "workspace": ".",
        "mode": "full",
        "execute": False,
        "max_seconds": 5.0,
        "database_url": None,
        "qdrant_host": None,
        "names": ["a", "b"],
        "rebuild_file": None,
    }


def test_list_flags_repeat() -> None:
    command = parse((toy_flow,), ["--names", "a", "--names", "b", "c"])
    assert command.values["names"] == ["a", "b", "c"]


@flow()
def locks_status(lock: Annotated[str, Positional()], every: int | None = None) -> Report:
    """Show one lock.

    Args:
        lock: Its name.
        every: Seconds.
    """
    return Report("locks-status")


@flow()
def locks_run(
    command: Annotated[list[str], Positional()],
    kind: Literal["a", "b"] = "a",
    colour: bool = True,
    tries: Annotated[int, Between(1, 9)] = 3,
    mode: Annotated[Literal["fast", "slow"], Flags()] = "fast",
) -> Report:
    """Run a command under a lock."""
    return Report("locks-run")


LOCKS = (locks_status, locks_run)


@pytest.fixture(autouse=True)
def _named_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    for fn in LOCKS:
        monkeypatch.setattr(plain(fn), "__module__", "flows.locks")
        monkeypatch.setitem(sys.modules, "flows.locks", sys.modules[__name__])


def test_several_flows_are_subcommands() -> None:
    command = parse(LOCKS, ["status", "docs", "--every", "4"])
    assert command.fn is locks_status
    assert command.values == {"lock": "docs", "every": 4}


def test_words_after_two_dashes_belong_to_the_command() -> None:
    command = parse(LOCKS, ["run", "--slow", "--no-colour", "--", "ls", "--all"])
    assert command.values == {
        "command": ["ls", "--all"],
        "kind": "a",
        "colour": False,
        "tries": 3,
        "mode": "slow",
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "which command? one of status, run"),
        (["sttus"], "unknown command 'sttus'; did you mean status?"),
        (["--every", "4"], "the command comes first"),
        (["status"], "missing: LOCK"),
        (["run", "--kind", "c", "--", "x"], "--kind: 'c' is not one of a, b"),
        (["run", "--tries", "10", "x"], "--tries: 10 is not between 1 and 9"),
        (["run", "--tries", "1.5", "x"], "--tries: '1.5' is not a whole number"),
    ],
)
def test_subcommand_errors(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert said in refused(capsys, *words, flows=LOCKS)


def test_help_shows_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse((toy_flow,), ["--help"])
    shown = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "Show every way a run can end." in shown
    assert "100% of it counts. (default: 120.0)" in " ".join(shown.split())
    assert "python -m tests.support.toy_flow --full --execute" in shown
    for code in MEANINGS:
        assert re.search(rf"^ +{code.value}  ", shown, re.M)


def test_help_of_several_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(LOCKS, ["--help"])
    assert "status             Show one lock." in capsys.readouterr().out

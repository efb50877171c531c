"""The command line: words in, one report or one line out, and every exit code."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from autopack.errors import MEANINGS
from autopack.report import Report
from flows.cli import Between, Flags, Positional
from flows.command import parse
from tasks.engine import flow
from tests.support.toy_flow import toy_flow

ROOT = Path(__file__).resolve().parents[2]
URL = "postgresql://bob:hunter2@nowhere/db"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("# a\n")
    return tmp_path


def start(*words: str, **options: Any) -> subprocess.Popen[bytes]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, "-m", "tests.support.toy_flow", *words]
    return subprocess.Popen(command, cwd=ROOT, **options)


def run(workspace: Path | str, *words: str, toy: str = "", **env: str) -> tuple[int, str, str]:
    child = start(
        *("--workspace", str(workspace), "--engine", "direct", *words),
        env={**os.environ, "TOY": toy, **env},
    )
    out, err = child.communicate(timeout=60)
    return child.returncode, out.decode(), err.decode()


def wait_for(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


# --- reading the line -----------------------------------------------------------------------


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
        monkeypatch.setattr(fn, "__module__", "flows.locks")
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


# --- running --------------------------------------------------------------------------------


def test_a_dry_run_prints_the_report_and_creates_nothing(workspace: Path) -> None:
    code, out, err = run(workspace)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1].startswith("toy: clean (exit 0, dry run, direct, ")
    assert [path.name for path in workspace.iterdir()] == ["docs"]


def test_json_is_alone_on_stdout(workspace: Path) -> None:
    code, out, err = run(workspace, "--json", "--database-url", URL, toy="print")
    assert code == 0
    assert json.loads(out)["schema"] == "autopack.report/1"
    assert err == "loose words postgresql://bob:***@nowhere/db\n"
    assert "hunter2" not in out


def test_markdown(workspace: Path) -> None:
    assert run(workspace, "--format", "markdown")[1].startswith("# toy: clean\n")


def test_bytes_replace_the_text(workspace: Path) -> None:
    child = start("--workspace", str(workspace), "--engine", "direct",
                  env={**os.environ, "TOY": "bytes"})  # fmt: skip
    assert child.communicate(timeout=60)[0] == b"raw \xff\n"


@pytest.mark.parametrize(
    ("toy", "code", "status"),
    [
        ("findings", 1, "findings"),
        ("unreachable", 4, "failed"),
        ("busy", 5, "busy"),
        ("bug", 70, "failed"),
        ("leak", 70, "failed"),
        ("exit", 70, "failed"),
    ],
)
def test_every_end_has_its_code_and_no_secret(
    workspace: Path, toy: str, code: int, status: str
) -> None:
    got, out, err = run(workspace, "--json", "--database-url", URL, toy=toy)
    report = json.loads(out)
    assert (got, report["exit_code"], report["status"]) == (code, code, status)
    assert err.count("\n") == (0 if code == 1 else 1)
    assert "Traceback" not in err
    assert "hunter2" not in out + err
    if code == 70:
        traceback = Path(re.search(r"traceback in (\S+)", err)[1])  # type: ignore[index]
        assert "hunter2" not in traceback.read_text()
        assert "Traceback" in traceback.read_text()
        traceback.unlink()


def test_a_bug_in_a_writing_run_leaves_its_traceback_in_the_workspace(workspace: Path) -> None:
    code, _, err = run(workspace, "--execute", toy="bug")
    (file,) = (workspace / ".autonomous_runs/reports").iterdir()
    assert code == 70
    assert str(file) in err


@pytest.mark.parametrize(
    "words",
    [
        ["--workspace", "/nonexistent"],
        ["--database-url", "oracle://bob:hunter2@x"],
        ["--qdrant-host", "a b"],
    ],
)
def test_bad_targets_end_before_an_engine(workspace: Path, words: list[str]) -> None:
    code, out, err = run(workspace, *words, "--engine", "server")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "hunter2" not in err


def test_writing_runs_are_audited_in_a_chain(workspace: Path) -> None:
    from autopack.io.audit import AUDIT_FILE, verify

    _, out, _ = run(workspace, "--execute", "--json")
    run(workspace, "--execute", "--database-url", URL, toy="unreachable")
    text = (workspace / AUDIT_FILE).read_text()
    records = [json.loads(line) for line in text.splitlines()]
    assert [record["exit_code"] for record in records] == [0, 4]
    assert json.loads(out)["audit"]["seq"] == 1
    assert "hunter2" not in text
    assert verify(workspace / AUDIT_FILE) is None


def test_a_failed_audit_is_a_warning_not_a_lost_report(workspace: Path) -> None:
    (workspace / ".autonomous_runs").write_text("in the way")
    code, out, err = run(workspace, "--execute", "--json")
    assert code == 0
    assert err.startswith("warning: audit chain ")
    assert [finding["code"] for finding in json.loads(out)["findings"]] == ["audit_failed"]


def test_a_reader_that_leaves_is_no_bug(workspace: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    child = start("--workspace", str(workspace), "--engine", "direct", stdout=write)
    os.close(write)
    assert child.communicate(timeout=60)[1] == b""
    assert child.returncode == 0


@pytest.mark.parametrize("words", [["--json"], []])
def test_a_closed_stdout_is_no_bug(workspace: Path, words: list[str]) -> None:
    command = f"{sys.executable} -m tests.support.toy_flow --engine direct --workspace {workspace}"
    done = subprocess.run(
        ["sh", "-c", f"exec {command} {' '.join(words)} >&-"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_gets_colour(workspace: Path) -> None:
    ours, theirs = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    child = start("--workspace", str(workspace), "--engine", "direct", stdout=theirs, env=env)
    child.wait(60)
    os.close(theirs)
    assert b"\x1b[32mtoy: clean" in os.read(ours, 65536)
    os.close(ours)


# --- ends that nobody chose -----------------------------------------------------------------


@pytest.mark.parametrize("toy", ["sleep", "deaf", "c", "deadline"])
def test_the_deadline_ends_what_never_returns(workspace: Path, toy: str) -> None:
    began = time.monotonic()
    code, out, err = run(workspace, "--json", "--max-seconds", "1.5", toy=toy)
    took = time.monotonic() - began
    assert code == 3
    assert json.loads(out)["status"] == "deadline"
    where = " while counting" if toy == "deadline" else ""
    assert err == f"toy: {json.loads(out)['message']}\n"
    assert err.startswith(f"toy: --max-seconds 1.5 ran out{where}. Next: run again with")
    assert took < 10, "a pbkdf2 or an endless loop would run far longer"


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_signals_have_their_code_and_line(
    workspace: Path, number: int, code: int, word: str
) -> None:
    child = start("--workspace", str(workspace), "--engine", "direct", "--json", "--execute",
                  env={**os.environ, "TOY": "sleep"})  # fmt: skip
    wait_for(workspace / "asleep")
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert child.returncode == code
    assert json.loads(out)["exit_code"] == code
    assert err.decode().startswith(f"toy: {word}. Next:")
    assert err.count(b"\n") == 1
    assert f'"exit_code":{code}' in (workspace / ".autonomous_runs/audit.jsonl").read_text()


def test_a_second_signal_ends_at_once(workspace: Path) -> None:
    child = start("--workspace", str(workspace), "--engine", "direct",
                  env={**os.environ, "TOY": "stubborn"})  # fmt: skip
    wait_for(workspace / "asleep")
    child.send_signal(signal.SIGINT)
    wait_for(workspace / "heard")
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 130


def test_direct_never_imports_prefect(workspace: Path) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['x', '--workspace', {str(workspace)!r}, '--engine', 'direct', '--execute']\n"
        "try:\n    runpy.run_module('tests.support.toy_flow', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "slow = {'prefect', 'pydantic', 'rich', 'asyncio', 'sqlalchemy'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_choice_of_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import cli
    from tasks import server
    from tasks.engine import Run

    def chosen(*words: str, url: str | None = None, left: float | None = None) -> str:
        monkeypatch.setattr(server, "answers", lambda: url)
        command = parse((toy_flow,), list(words))
        ends = None if left is None else time.monotonic() + left
        return cli.choose(command, Run("toy", command.values, ends=ends))

    answering: Callable[..., str] = lambda *words: chosen(*words, url="http://x/api")  # noqa: E731
    assert answering() == "server"
    assert answering("--execute") == "server"
    assert chosen() == "direct"
    assert chosen("--execute") == "temporary"
    assert chosen("--execute", left=100) == "temporary"
    assert chosen("--execute", left=20) == "direct"
    assert chosen("--engine", "temporary") == "temporary"
    assert answering("--engine", "direct") == "direct"

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
from typing import Any

import pytest

from autopack.errors import Unreachable
from flows.command import parse
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


@pytest.mark.parametrize("toy", ["unreachable", "bug", "leak", "print"])
def test_a_password_with_odd_characters_stays_secret_in_every_spelling(
    workspace: Path, toy: str
) -> None:
    url = "postgresql://bob:q\"u'o\\te-ü-%41@nowhere/db"
    _, out, err = run(workspace, "--json", "--database-url", url, toy=toy)
    shown = out + err
    for file in re.findall(r"traceback in (\S+?)[\"\n]", err):
        shown += Path(file).read_text()
        Path(file).unlink()
    assert "bob:***@nowhere" in shown
    assert not re.search(r"te-(ü|\\|%41)", shown)


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
@pytest.mark.parametrize("toy", ["", "print"])
def test_a_closed_stdout_is_no_bug(
    workspace: Path, words: list[str], toy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY", toy)
    command = f"{sys.executable} -m tests.support.toy_flow --engine direct --workspace {workspace}"
    done = subprocess.run(
        ["sh", "-c", f"exec {command} {' '.join(words)} >&-"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_of_both_that_leaves_does_not_stop_the_work(workspace: Path) -> None:
    (workspace / ".autonomous_runs").write_text("in the way")
    read, write = os.pipe()
    os.close(read)
    words = ("--workspace", str(workspace), "--engine", "direct", "--execute")
    child = start(*words, stdout=write, stderr=write, env={**os.environ, "TOY": "print"})
    os.close(write)
    assert child.wait(60) == 0


@pytest.mark.parametrize("words", [[], ["--json"], ["--format", "markdown"]])
def test_a_report_that_cannot_be_shown_is_a_bug(workspace: Path, words: list[str]) -> None:
    code, out, err = run(workspace, *words, toy="nonsense")
    assert code == 70
    assert err.startswith("toy: bug: ")
    assert err.count("\n") == 1
    if words == ["--json"]:
        assert json.loads(out)["exit_code"] == 70
    Path(re.search(r"traceback in (\S+)", err)[1]).unlink()  # type: ignore[index]


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
    from tasks.run import Run

    def chosen(*words: str, found: server.Look = "silent", left: float | None = None) -> str:
        monkeypatch.setattr(server, "look", lambda _limit: found)
        command = parse((toy_flow,), list(words))
        ends = None if left is None else time.monotonic() + left
        return cli.choose(command, Run("toy", command.values, ends=ends))

    answering: Callable[..., str] = lambda *words: chosen(*words, found="prefect")  # noqa: E731
    assert answering() == "server"
    assert answering("--execute") == "server"
    assert chosen() == "direct"
    assert chosen("--execute") == "temporary"
    assert chosen("--execute", left=100) == "temporary"
    assert chosen("--execute", left=20) == "direct"
    assert chosen("--engine", "temporary") == "temporary"
    assert answering("--engine", "direct") == "direct"
    assert chosen(found="locked") == "direct"
    assert chosen("--execute", "--engine", "direct", found="locked") == "direct"
    with pytest.raises(Unreachable, match="refuses our password"):
        chosen("--execute", found="locked")


@pytest.mark.parametrize("workspace", ["", "~nobody-of-this-name/x", "a" * 5000])
def test_a_workspace_that_cannot_be_one_is_one_line(workspace, run_flow) -> None:
    done = run_flow("locks", "status", "--engine", "direct", "--workspace", workspace)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.endswith("Next: pass --workspace PATH of a checkout that holds docs/")

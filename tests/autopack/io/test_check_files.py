"""Tools are found beside the interpreter first; what is missing is said; a pass has its key."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from autopack.errors import UsageError
from autopack.io import check_cache
from autopack.io.check_files import (
    digest,
    environment,
    read_manifest,
    resolve,
    scripts,
    tool_version,
)


def test_python_is_this_interpreter(tmp_path) -> None:
    assert resolve(["python", "-c", "x"], tmp_path) == [sys.executable, "-c", "x"]
    assert resolve(["python3", "-m", "json.tool"], tmp_path) == [sys.executable, "-m", "json.tool"]


def test_a_module_or_tool_that_is_missing_is_said(tmp_path) -> None:
    assert (
        resolve(["python", "-m", "no_such.cli"], tmp_path)
        == "this Python has no module 'no_such.cli'"
    )
    assert resolve(["no-such-tool"], tmp_path) == "'no-such-tool' is not on PATH"
    assert resolve(["./gone.sh"], tmp_path) == "./gone.sh is no program"


def test_a_module_of_the_workspace_is_there(tmp_path) -> None:
    (tmp_path / "own.py").touch()
    assert resolve(["python", "-m", "own"], tmp_path) == [sys.executable, "-m", "own"]


def test_a_program_of_the_workspace_is_started_there(tmp_path) -> None:
    program = tmp_path / "run.sh"
    program.write_text("#!/bin/sh\n")
    assert resolve(["./run.sh"], tmp_path) == "./run.sh is no program"
    program.chmod(0o755)
    assert resolve(["./run.sh", "x"], tmp_path) == [str(program.parent / "./run.sh"), "x"]


def test_a_tool_s_version_is_part_of_the_key(tmp_path) -> None:
    assert tool_version([sys.executable, "-m", "ruff"]).startswith("ruff ")
    program = tmp_path / "tool"
    program.write_text("1")
    before = tool_version([str(program)])
    program.write_text("22")
    assert tool_version([str(program)]) != before


def test_a_module_is_named_by_the_interpreter_s_own_option_alone(tmp_path) -> None:
    words = ["python", "run.py", "-m", "slow"]
    assert resolve(words, tmp_path) == [sys.executable, *words[1:]]
    assert resolve(["python", "-c", "x", "-m", "slow"], tmp_path)[0] == sys.executable
    lacks = "this Python has no module 'no_such'"
    assert resolve(["python", "-X", "dev", "-I", "-m", "no_such"], tmp_path) == lacks
    program = tmp_path / "tool"
    program.write_text("1")
    assert str(program) in tool_version([str(program), "-m", "ruff"])


def test_scripts_of_the_workspace_that_a_command_names_are_its_own(tmp_path) -> None:
    for name in ("tools/check.py", "own/__main__.py", "own/core.py", "lone.py", "x/data.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = frozenset(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    own = {
        ("python", "tools/check.py"): ["tools/check.py"],
        ("bash", "./tools/check.py", "x"): ["tools/check.py"],
        ("python", "-m", "own"): ["own/__main__.py", "own/core.py"],
        ("python", "-m", "own.core"): ["own/__main__.py", "own/core.py"],
        ("python", "-m", "lone"): ["lone.py"],
        ("ruff", "check", "--config=x/data.txt"): ["x/data.txt"],
        ("python", "-c", "own"): [],
    }
    assert {words: scripts(words, files) for words in own} == own


def test_a_digest_tells_names_and_bytes_apart(tmp_path) -> None:
    for name, text in (("a", "bc"), ("ab", "c")):
        (tmp_path / name).write_text(text)
    assert digest(tmp_path, ["a"]) != digest(tmp_path, ["ab"])
    assert digest(tmp_path, ["a", "gone"]) != digest(tmp_path, ["a"])


def test_a_digest_waits_for_no_pipe_and_reads_no_device(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert digest(tmp_path, ["link", "pipe", "zero"]) != digest(tmp_path, ["link", "pipe"])


def test_a_manifest_that_is_a_dangling_link_is_no_absent_one(tmp_path) -> None:
    (tmp_path / "preflight.toml").symlink_to("gone.toml")
    with pytest.raises(UsageError, match=r"^preflight\.toml is a link"):
        read_manifest(tmp_path, {})


def test_caches_of_tools_are_the_user_s(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("AUTOPACK_CACHE_DIR", str(tmp_path))
    env = environment({"PATH": "/bin"}, tmp_path, "ruff")
    assert env["PATH"] == "/bin"
    for name in ("RUFF_CACHE_DIR", "MYPY_CACHE_DIR", "HYPOTHESIS_STORAGE_DIRECTORY"):
        assert Path(env[name]).is_relative_to(tmp_path)
    assert env["PYTHONDONTWRITEBYTECODE"] == "1"


def test_a_relative_cache_folder_is_the_same_for_tools_that_start_elsewhere(
    monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOPACK_CACHE_DIR", "cache")
    env = environment({}, tmp_path / "workspace", "ruff")
    assert env["RUFF_CACHE_DIR"] == str(tmp_path / "cache" / "ruff")


def test_what_passed_is_kept(tmp_path) -> None:
    assert check_cache.load(tmp_path) == {}
    path = check_cache.store(tmp_path, {"a": "1"}, {})
    assert check_cache.load(tmp_path) == {"a": "1"}
    assert [left.name for left in path.parent.glob("preflight-*.tmp")] == []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"passed": {"a": "1"}}', b'{"passed": 3}'])
def test_a_damaged_cache_is_as_good_as_none(data, tmp_path) -> None:
    path = check_cache.store(tmp_path, {"a": "1"}, {})
    path.write_bytes(data)
    assert check_cache.load(tmp_path) == {}


def test_two_runs_keep_and_forget_each_for_itself(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("AUTOPACK_CACHE_DIR", str(tmp_path / "cache"))
    before = {"old": "1", "flaky": "1"}
    check_cache.store(tmp_path, before, {})
    check_cache.store(tmp_path, {"old": "1", "first": "2"}, before)  # flaky failed there
    check_cache.store(tmp_path, {**before, "second": "3"}, before)
    assert check_cache.load(tmp_path) == {"old": "1", "first": "2", "second": "3"}

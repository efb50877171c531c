"""A quick run reads nothing below the archive or inside a run, and starts no program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.session import REPOSITORY, clean_environment
from tests.support.tidy import untidy_files

WATCHED = """
import json, os, runpy, sys
root, *words = sys.argv[1:]
seen = {"inside": [], "programs": [], "looked": 0}
inside = (root + "/archive/", root + "/.autonomous_runs/run-")

def where(thing):
    if isinstance(thing, int):
        thing = f"/proc/self/fd/{thing}"
        return os.readlink(thing) if os.path.lexists(thing) else ""
    return os.path.abspath(os.fsdecode(thing))

def hook(event, args):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
        seen["programs"].append(event)
    elif event in ("os.scandir", "os.listdir") or (event == "open" and args[0] is not None):
        flags = args[2] if event == "open" and args[1] is None else 0
        note(event, where(args[0] if args else "."), flags)

def note(event, path, flags):
    seen["looked"] += path.startswith(root)
    if flags & os.O_DIRECTORY:
        return  # a folder that something is moved into; reading it would be a scandir
    if f"{path}/".startswith(inside):
        seen["inside"].append(f"{event} {path}")

def opened(path, flags, mode=0o777, *, dir_fd=None, real=os.open):
    if dir_fd is not None:  # the hook is not told which folder a name is in
        note("open", os.path.join(where(dir_fd), os.fsdecode(path)), flags)
    return real(path, flags, mode, dir_fd=dir_fd)

os.open = opened
sys.addaudithook(hook)
sys.argv[1:] = [*words, "--workspace", root, "--engine", "direct", "--json"]
sys.argv[0] = "tidy"
try:
    runpy.run_module("flows.tidy", run_name="__main__")
finally:
    print(json.dumps(seen), file=sys.stderr)
"""


@pytest.fixture
def workspace(make_workspace) -> Path:
    files = untidy_files()
    for n in range(30):
        files[f"archive/reports/{n}/BUILD-{n}.md"] = "# A report\n"
        files[f".autonomous_runs/run-{n:02}/executor.log"] = "x\n"
        files[f".autonomous_runs/run-{n:02}/errors/e.json"] = "{}\n"
    return make_workspace(files)


RUNS = "--quick-include-autonomous-runs-cleanup"


@pytest.mark.parametrize("flags", [[], ["--execute"], [RUNS]], ids=["dry", "executed", "runs"])
def test_quick_looks_into_no_archive_and_no_run(workspace: Path, flags: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(workspace), "--quick", "--max-seconds", "60", *flags],
        cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["counts"]["planned_moves"] == (23 if flags == [RUNS] else 3)
    seen = json.loads(done.stderr.splitlines()[-1])
    assert seen["looked"] > 5, "the hook sees what is read"
    assert seen["inside"] == []
    assert seen["programs"] == []


def test_a_full_run_does_look_into_the_archive(workspace: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(workspace), "--full"],
        cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stderr.splitlines()[-1])["inside"]


def test_quick_imports_neither_prefect_nor_pydantic(workspace: Path) -> None:
    code = (
        "import runpy, sys; sys.argv[1:] = sys.argv[1:];\n"
        "try: runpy.run_module('flows.tidy', run_name='__main__')\n"
        "finally: print({'prefect', 'pydantic', 'sqlalchemy'} & sys.modules.keys(),"
        " file=sys.stderr)"
    )
    words = ["--quick", "--execute", "--engine", "direct", "--workspace", os.fspath(workspace)]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=REPOSITORY, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "set()", done.stderr

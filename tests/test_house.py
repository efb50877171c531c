"""The house holds: floors, names, sizes, pins, and nothing of anybody's machine in git."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.process import run_bounded
from tests.support.session import REPOSITORY, clean_environment

MAX_LINES = 400
MACHINE = re.compile(r"(?<![\w.~}-])/(?:work|root|farm|home/\w+)/")
REGISTRY = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|anaconda|crates)\.(?:org|com|io)\b|--(?:extra-)?index-url\b"
)
NO_IDEA_YET = re.compile(r"(?:^|_)utils?(?:_|$)|manager|_v\d+$|^new_", re.IGNORECASE)


def tracked() -> list[Path]:
    """Return every file that git has, or would take with `git add`."""
    if not (REPOSITORY / ".git").exists():
        pytest.fail("no git checkout: the rules about tracked files cannot be checked")
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-coz", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    paths = [REPOSITORY / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    return sorted({path for path in paths if path.is_file()})


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def sources(*floors: str) -> list[Path]:
    return [
        path
        for path in tracked()
        if path.suffix == ".py" and (not floors or named(path).split("/")[0] in floors)
    ]


def configuration() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def floors() -> list[str]:
    return configuration()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_imports_go_down_only():
    script = "from importlinter.cli import lint_imports_command as run; run()"
    done = run_bounded(
        [sys.executable, "-c", script, "--no-cache"], cwd=REPOSITORY, env=clean_environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_says_what_it_is():
    """An empty `__init__.py` has nothing to say."""
    written = [path for path in sources() if path.stat().st_size]
    silent = [named(p) for p in written if not ast.get_docstring(ast.parse(p.read_bytes()))]
    assert silent == []


def test_no_module_is_too_long():
    sizes = {named(p): len(p.read_bytes().splitlines()) for p in sources()}
    assert {name: lines for name, lines in sizes.items() if lines > MAX_LINES} == {}


def test_names_say_an_idea():
    shapeless = []
    for path in sources(*floors()):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        tree = ast.parse(path.read_bytes())
        names = [path.stem, *(node.name for node in ast.walk(tree) if isinstance(node, kinds))]
        shapeless += [f"{named(path)}: {name}" for name in names if NO_IDEA_YET.search(name)]
    assert shapeless == []


def test_nothing_goes_on_without_a_missing_import():
    """A handler of ImportError must raise: safety fails closed."""
    open_doors = []
    for path in sources(*floors()):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                caught = ast.unparse(node.type)
                raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
                if re.search(r"ImportError|ModuleNotFoundError", caught) and not raises:
                    open_doors.append(f"{named(path)}:{node.lineno}")
    assert open_doors == []


def test_every_task_has_a_timeout():
    from tasks import policy

    endless = []
    for path in sources("tasks"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if ast.unparse(mark).partition("(")[0] != "task":
                    continue
                options = set()
                for keyword in getattr(mark, "keywords", []):
                    value = ast.unparse(keyword.value)
                    shared = {} if keyword.arg else getattr(policy, value.removeprefix("policy."))
                    options |= {keyword.arg, *shared}
                if "timeout_seconds" not in options:
                    endless.append(f"{named(path)}: {node.name}")
    assert endless == []


def test_every_package_is_in_the_wheel():
    with_code = {named(p).split("/")[0] for p in sources() if "/" in named(p)}
    assert with_code - {"tests", "benchmarks", "docs"} == set(floors())
    layers = configuration()["tool"]["importlinter"]["root_packages"]
    assert sorted(layers) == sorted(floors())


def test_nothing_in_git_names_a_machine_or_a_registry():
    told = []
    for path in tracked():
        text = path.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if MACHINE.search(line) or REGISTRY.search(line):
                told.append(f"{named(path)}:{number}: {line.strip()[:80]}")
    # `lock` must say that no index address is written.
    assert [line for line in told if "--no-emit-index-url" not in line] == []


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_requirements_are_pinned_with_hashes_and_no_addresses(name):
    text = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    logical = text.replace("\\\n", " ").splitlines()
    pins = [line for line in logical if line.strip() and not line.startswith("#")]
    assert pins
    loose = [
        line for line in pins if not re.match(r"[\w.\[\]-]+==\S+ .*--hash=sha256:\w{64}", line)
    ]
    assert loose == []


def test_dev_requirements_hold_the_runtime_ones():
    def pins(name: str) -> set[str]:
        text = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
        return set(re.findall(r"^([\w.\[\]-]+==\S+)", text, flags=re.M))

    assert pins("runtime") - pins("dev") == set()


def test_ci_runs_what_a_developer_runs():
    """By construction: CI calls preflight, and nothing that checks something runs beside it."""
    from autopack.io.check_files import matching, read_manifest, texts
    from autopack.preflight.parity import WORKFLOWS, check_parity
    from tasks.preflight_builtin import ARGS

    checks = read_manifest(REPOSITORY, ARGS)[1]
    workflows = texts(REPOSITORY, matching(map(named, tracked()), WORKFLOWS))
    assert workflows

    def read(name: str) -> str | None:
        return texts(REPOSITORY, [name]).get(name)

    assert check_parity(workflows, read, checks) == []
    assert {"ruff", "format", "types", "floors", "tests", "sync"} <= {check.id for check in checks}
    assert [check.id for check in checks if check.alone] == ["tests"], "pytest's lines come last"
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


def test_make_check_is_preflight_and_nothing_else():
    from autopack.preflight.parity import expand

    makefile = (REPOSITORY / "Makefile").read_text()
    leaves = list(expand("make check", "Makefile", 1, lambda _name: makefile))
    assert [(leaf.tier, leaf.narrowed) for leaf in leaves] == [("ci", False)]


def test_workflow_actions_are_pinned_and_may_only_read():
    import yaml

    for path in (REPOSITORY / ".github" / "workflows").glob("*.yml"):
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {"contents": "read"}
        used = [s["uses"] for job in workflow["jobs"].values() for s in job["steps"] if "uses" in s]
        assert [name for name in used if not re.search(r"@[0-9a-f]{40}$", name)] == []


def test_every_make_target_is_phony_and_explained():
    makefile = (REPOSITORY / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.M)
    assert phony
    explained = re.findall(r"^([a-z]+):.*## \S", makefile, re.M)
    assert sorted(explained) == sorted(phony[1].split())

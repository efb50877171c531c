"""Built-in checks that need an interpreter or a tool of their own: syntax, imports, resolver."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopack.errors import DeadlineExceeded, Unreachable, UsageError
from autopack.io.check_files import copied, environment, matching, resolve, texts
from autopack.io.check_process import Start
from autopack.preflight.modules import Module, modules_of
from autopack.report import Finding, PlacedFinding
from tasks.preflight_session import workers

if TYPE_CHECKING:
    from tasks.preflight_builtin import Found, Ground

LONGEST_LINE = 1 << 20
"""Bytes of a line of our scripts: two paths and a message, as JSON escapes them."""
IMPORT_S = 20.0
"""How long one module may take to import."""


def syntax(ground: Ground) -> Found:
    """Compile every Python file in a child that keeps nothing."""
    import autopack.io.syntax_check as script

    names = [name for name in ground.inputs() if name.endswith(".py")]
    if not names:
        return "no Python files"
    told = _script(ground, script.__file__, names)
    return [
        PlacedFinding("syntax", "error", t["path"], t["line"], str(t["error"]), column=t["column"])
        for t in told
    ]


def imports(ground: Ground) -> Found:
    """Import every module that the project ships.

    Raises:
        Unreachable: All that fails are libraries which are declared, and not installed here.
    """
    import autopack.io.import_smoke as script

    project, _ = ground.project()
    modules = modules_of(project, ground.files)
    if not modules:
        return "no modules"
    wish = {
        "root": str(ground.root),
        "bases": sorted({module.base for module in modules}),
        "batches": _batches(modules, apart="apart" in ground.check.args),
        "seconds": IMPORT_S,
        "jobs": workers(),
    }
    told = _script(ground, script.__file__, wish)
    declared = _declared(ground, project)
    lacking = [t for t in told if _lacks(t, declared)]
    found = [_import_finding(t) for t in told if t not in lacking]
    if lacking and not found:
        names = sorted({str(t["missing"]).partition(".")[0] for t in lacking})
        raise Unreachable(
            f"{len(lacking)} modules need what this Python has not: {', '.join(names)}",
            next_step="install the project's requirements",
            permanent=True,
        )
    return found


def _import_finding(told: dict[str, Any]) -> Finding:
    words = f"{told['module']}: {told['error']}"
    code = {"writes": "import_writes", "hangs": "import_hangs"}.get(told["kind"], "import_fails")
    return Finding(code, "error", told["path"], told.get("line"), words)


def _batches(modules: list[Module], *, apart: bool) -> list[list[tuple[str, str]]]:
    """Return which modules are imported one after the other in one process: all, or one."""
    named = [(module.name, module.path) for module in modules]
    return [[module] for module in named] if apart else [named]


def _declared(ground: Ground, project: dict[str, Any]) -> set[str]:
    """Return the names of what the project requires, in lower case without hyphens."""
    table = project.get("project", {})
    groups = table.get("optional-dependencies", {}).values()
    lines = [*table.get("dependencies", ()), *(line for group in groups for line in group)]
    for text in texts(ground.root, matching(ground.files, ("requirements*.txt",))).values():
        lines += text.splitlines()
    names = (re.match(r"\s*([A-Za-z0-9][\w.-]*)", str(line)) for line in lines)
    return {re.sub(r"[-_.]", "", match[1]).lower() for match in names if match}


def _lacks(told: dict[str, Any], declared: Iterable[str]) -> bool:
    """Return whether a module fails only because a declared library is not installed."""
    if not told.get("missing"):
        return False
    top = re.sub(r"[-_.]", "", str(told["missing"]).partition(".")[0]).lower()
    return any(name == top or (len(top) > 3 and top in name) for name in declared)


def _script(ground: Ground, path: str, wish: Any) -> list[dict[str, Any]]:
    """Run one of our scripts in a fresh interpreter without site folders of the user.

    Raises:
        DeadlineExceeded: It was not over in time.
        RuntimeError: It failed itself.
    """
    command = [sys.executable, "-I", "-B", path]
    env = environment(os.environ, ground.root, ground.check.id)
    start = Start(command, ground.root, env, json.dumps(wish).encode(), LONGEST_LINE)
    ended = ground.running.run(start, ground.deadline.remaining())
    if ended.code is None:
        raise DeadlineExceeded(f"{ground.check.id} ran out of time")
    if ended.code:
        raise RuntimeError(f"{Path(path).name} ended with {ended.code}: {ended.lines[-5:]}")
    return [json.loads(line) for line in ended.lines if line.startswith("{")]


def resolver(ground: Ground) -> Found:
    """Let uv resolve pyproject.toml again, with the pins as preferences, and compare.

    The first of `args` is the requirements file, the others are uv's.

    Raises:
        Unreachable: There is no uv, or no index answers it.
    """
    if not ground.check.args:
        raise UsageError("resolver needs args", next_step='args = ["requirements/runtime.txt"]')
    name, *flags = ground.check.args
    before = texts(ground.root, [name]).get(name)
    if before is None:
        raise UsageError(f"{name} does not exist", next_step="name a requirements file in args")
    with copied(before) as made:
        _compile(ground, made, flags)
        after = made.read_text()
    return _differences(name, before, after)


def _compile(ground: Ground, made: Path, flags: list[str]) -> None:
    words = ["--universal", "--quiet", "--no-annotate", "--no-header", "--no-emit-index-url"]
    command = ["python", "-m", "uv", "pip", "compile", *words, *flags]
    found = resolve([*command, "--output-file", str(made), "pyproject.toml"], ground.root)
    if isinstance(found, str):
        raise Unreachable(found, next_step="pip install uv", permanent=True)
    env = environment(os.environ, ground.root, ground.check.id)
    ended = ground.running.run(Start(found, ground.root, env), ground.deadline.remaining())
    if ended.code is None:
        raise DeadlineExceeded("uv ran out of time")
    if ended.code:
        said = next((line.strip() for line in ended.lines if line.strip()), "no word")
        raise Unreachable(f"uv cannot resolve here: {said[:200]}", next_step="see uv's message")


def _differences(name: str, before: str, after: str) -> list[Finding]:
    from autopack.preflight.pins import read_requirements

    def pinned(text: str) -> dict[str, int]:
        lines = read_requirements(name, {name: text}).lines
        return {str(line.requirement): line.number for line in lines}

    old, new = pinned(before), pinned(after)
    fix = "pin again from pyproject.toml"
    return [
        *(Finding("surplus_pin", "error", name, old[pin], f"{pin} is needed by nothing", fix)
          for pin in sorted(old.keys() - new.keys())),
        *(Finding("missing_pin", "error", name, None, f"{pin} is needed and not pinned", fix)
          for pin in sorted(new.keys() - old.keys())),
    ]  # fmt: skip

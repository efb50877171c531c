"""A small project in which every check passes, and ways to run preflight on it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from tests.autopack.sot.counted import true_files
from tests.support.process import Finished

SCHEMA = 'schema = "autopack.preflight/1"\n'
PROJECT = """[project]
name = "toy"
version = "1.2.0"
requires-python = ">=3.11"
dependencies = ["pydantic==2.*", "filelock; sys_platform == 'win32'"]

[tool.hatch.build.targets.wheel]
packages = ["toy"]
"""
PINS = """pydantic==2.12.3 \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
filelock==3.20.0 ; sys_platform == 'win32' \\
    --hash=sha256:0000000000000000000000000000000000000000000000000000000000000000
"""
BUILTINS = ("syntax", "imports", "nav-links", "counts", "ledgers", "pins", "versions", "rules")
INPUTS = {
    "syntax": '["**/*.py"]', "imports": '["toy/**"]', "nav-links": '["**/*.md"]',
    "counts": '["README.md", "docs/*"]', "ledgers": '["docs/*"]',
    "pins": '["pyproject.toml", "requirements/*"]', "versions": '["pyproject.toml", "toy/**"]',
    "rules": '["docs/LEARNED_RULES.json"]',
}  # fmt: skip


def check(name: str, *command: str, **keys: object) -> str:
    """Return a manifest's table: a command, or the built-in check of that name."""
    given: dict[str, object] = {"command": list(command)} if command else {"builtin": name}
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**given, **keys}.items()]
    return "\n".join([f'\n[[check]]\nid = "{name}"', *lines]) + "\n"


def built_in(name: str) -> str:
    """Return the table of a built-in check, with its inputs."""
    return check(name) + f"inputs = {INPUTS[name]}\n"


def python(name: str, code: str, **keys: object) -> str:
    """Return the table of a check that runs some Python."""
    return check(name, "python", "-c", code, **keys)


def manifest(*tables: str) -> str:
    """Return a preflight.toml."""
    return SCHEMA + "".join(tables)


def project_files() -> dict[str, bytes | str]:
    """Return a project that every built-in check passes."""
    files: dict[str, bytes | str] = {**true_files()}
    files |= {
        "pyproject.toml": PROJECT,
        "requirements/runtime.txt": PINS,
        "toy/__init__.py": '"""A toy."""\n\n__version__ = "1.2.0"\n',
        "toy/core.py": '"""Its core."""\n\nfrom toy import __version__\n\nNAME = __version__\n',
        "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 1.2.0\n",
        "preflight.toml": manifest(*map(built_in, BUILTINS)),
    }
    return files


def preflight(run_flow: Callable[..., Finished]) -> Callable[..., Finished]:
    """Return `run(root, *flags)`: preflight without Prefect, its report as JSON."""

    def run(root: Path, *flags: str, **more: object) -> Finished:
        words = ("--engine", "direct", "--json", "--workspace", str(root))
        return run_flow("preflight", *words, *flags, **more)

    return run


def statuses(done: Finished) -> dict[str, str]:
    """Return how each check ended."""
    return {check["id"]: check["status"] for check in done.report["checks"]}


def red(done: Finished) -> set[str]:
    """Return the checks that neither passed nor were skipped."""
    return {name for name, how in statuses(done).items() if how not in ("passed", "skipped")}


def tree(root: Path) -> Mapping[str, str]:
    """Return every name below a folder with what it is, holds, and when it changed."""
    seen = {}
    for path in sorted(root.rglob("*")):
        what = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        name = os.fspath(path.relative_to(root))
        seen[name] = f"{what.st_mode} {what.st_mtime_ns} {sha256(data).hexdigest()}"
    return seen


FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf])
part = {out!r} + ".part"
with open(part, "w") as file:
    file.write(f"{{os.getpid()}} {{child.pid}}")
os.rename(part, {out!r})
time.sleep(600)
"""


def family(root: Path, **keys: object) -> tuple[str, Path]:
    """Return a check that hangs with a child, both deaf to SIGTERM, and where their pids are."""
    out = root.parent / "pids"
    return python("family", FAMILY.format(out=str(out)), **keys), out


def gone(pid: int) -> bool:
    """Return whether a process is no more, or is a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def all_gone(pids: list[int]) -> bool:
    """Return whether all of these processes end, within half a minute."""
    until = time.monotonic() + 30
    while time.monotonic() < until and not all(map(gone, pids)):
        time.sleep(0.05)
    return all(map(gone, pids))


def change(root: Path, name: str, old: str, new: str) -> None:
    """Replace words in a file, which must be there."""
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def put(root: Path, name: str, text: str) -> None:
    """Write a file."""
    (root / name).write_text(text)


def add_check(root: Path, table: str) -> None:
    """Add a table to the manifest."""
    with (root / "preflight.toml").open("a") as file:
        file.write(table)

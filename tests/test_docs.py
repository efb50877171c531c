"""The README's commands run, links resolve, and pages say what a page must say.

Every command of README.md is run by bash, in order, in one copy of this repository with the
virtual environment first on PATH, and must have exit code 0 or the one its comment names
(`# exits 1`). CHECKED and PLACEHOLDERS are the only exceptions, and each is still checked.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autopack.errors import exit_code_table
from tests.support import markdown
from tests.support.process import run_bounded
from tests.support.session import REPOSITORY, clean_environment

README = REPOSITORY / "README.md"
DOCS = REPOSITORY / "docs"
LEDGERS = {"BUILD_HISTORY.md", "ARCHITECTURE_DECISIONS.md", "DEBUG_LOG.md"}
CAPABILITY_HEADINGS = (
    "Why",
    "Scope",
    "Non-goals",
    "Acceptance",
    "Failure modes",
    "Environment",
    "CI coverage",
)

# What is not run as it stands, and the command that checks it instead.
CHECKED: list[tuple[str, str]] = [
    (r"git clone (\S+)( \S+)?", "git rev-parse --git-dir"),  # no test leaves this machine
    (r"cd \S+", "true"),  # the copy is that folder
    (r"make( -\S+)*( \w+)?( \w+=\S+)*", r"make -n\2"),  # tests may not run themselves
    (r"(bash )?\.ci/run", "bash -n .ci/run"),
    (r"(\S*python3?) -m deployments\.serve\b.*", r"\1 -m deployments.serve --help"),  # never ends
    (r"(\S*/)?prefect server start\b.*", r"\1prefect server start --help"),  # never ends
    (r"docker compose -f (\S+) .*", r"test -f \1"),  # needs a Docker daemon
]

# What stands for the reader's own value, and the fixture that gives one.
PLACEHOLDERS = {
    "postgresql://user:password@host/name": "fresh_postgres",
    "path/to/workspace": "readme_workspace",
}


def readme_commands() -> list[markdown.Command]:
    return markdown.commands(README.read_text(encoding="utf-8")) if README.is_file() else []


def pages() -> list[Path]:
    return [README, *sorted(DOCS.rglob("*.md"))]


def checked(command: str) -> str:
    """Return the command to run for one that is only checked, or the command itself."""
    bare = command.partition(" #")[0].strip()
    for pattern, instead in CHECKED:
        match = re.fullmatch(pattern, bare)
        if match:
            return match.expand(instead)
    return bare


@pytest.fixture(scope="module")
def repository_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of this repository with the files as they are now, committed or not."""
    copy = tmp_path_factory.mktemp("readme") / "autopack-pipelines"
    git = ["git", "-c", "safe.directory=*"]
    cloning = [*git, "clone", "--quiet", "--no-hardlinks", f"file://{REPOSITORY}", str(copy)]
    subprocess.run(cloning, check=True, capture_output=True)
    listing = [*git, "ls-files", "-coz", "--exclude-standard"]
    listed = subprocess.run(listing, cwd=REPOSITORY, check=True, capture_output=True).stdout
    for name in {os.fsdecode(name) for name in listed.split(b"\0") if name}:
        source, target = REPOSITORY / name, copy / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
        else:
            target.unlink(missing_ok=True)
    (copy / ".git" / "info" / "exclude").write_text("/.venv\n")
    (copy / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    return copy


@pytest.fixture
def readme_workspace(repository_copy: Path, tmp_path: Path) -> Path:
    """Return a workspace that is not the checkout: its ledgers alone."""
    root = tmp_path / "workspace"
    shutil.copytree(repository_copy / "docs", root / "docs")
    return root


def test_the_readme_has_commands_a_newcomer_needs():
    assert README.is_file(), "README.md is missing"
    shown = [command.text for command in readme_commands()]
    for needed in ("make demo", "make test"):
        assert any(text.startswith(needed) for text in shown), f"README.md never says `{needed}`"


def test_readme_commands_run_in_their_order(repository_copy, request):
    """One test, so that no worker of the suite runs a command before those above it."""
    commands = readme_commands()
    assert commands, "README.md has no commands"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        text = checked(command.text)
        for placeholder, fixture in PLACEHOLDERS.items():
            if placeholder in text:
                value = shlex.quote(str(request.getfixturevalue(fixture)))
                text = text.replace(placeholder, value)
        done = run_bounded(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=repository_copy,
            env=clean_environment(PATH=path, PYTHONPATH=None, VIRTUAL_ENV=sys.prefix),
            seconds=180,
        )
        where = f"README.md:{command.line}: {text}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == command.exits, where


def test_exit_codes_are_the_ones_in_the_code():
    homes = [page for page in (DOCS / "exit_codes.md", README) if page.is_file()]
    printed = [page for page in homes if "| exit code | meaning |" in page.read_text()]
    assert printed, "neither docs/exit_codes.md nor README.md prints the exit codes"
    for page in printed:
        assert exit_code_table() in page.read_text(), f"{page.name}: print exit_code_table() again"


def test_the_checks_of_preflight_are_the_ones_of_the_manifest():
    from autopack.io.check_files import read_manifest
    from autopack.preflight.checks import table
    from tasks.preflight_builtin import ARGS

    printed = (DOCS / "preflight.md").read_text()
    checks = read_manifest(REPOSITORY, ARGS)[1]
    assert table(checks) in printed, "docs/preflight.md: print what `--list` shows again"
    assert [name for name in ARGS if f"| `{name}` |" not in printed] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_relative_links_resolve(page):
    assert page.is_file(), f"{page.name} is missing"
    assert markdown.broken_links(page, REPOSITORY) == []


def test_the_index_lists_every_page():
    index = DOCS / "INDEX.md"
    assert index.is_file(), "docs/INDEX.md is missing"
    linked = {link.partition("#")[0] for link in markdown.links(index.read_text())}
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"INDEX.md"}
    assert there - linked == set()


def capability_pages() -> list[Path]:
    """Return the pages whose row in docs/INDEX.md says `**Capability**`."""
    index = DOCS / "INDEX.md"
    rows = index.read_text().splitlines() if index.is_file() else []
    marked = "\n\n".join(row.strip("| ") for row in rows if "**Capability**" in row)
    return [DOCS / link.partition("#")[0] for link in markdown.links(marked)]


def test_the_index_names_the_capabilities():
    assert capability_pages(), "no row of docs/INDEX.md says **Capability**"
    assert not {page.name for page in capability_pages()} & LEDGERS


# An empty list would skip in silence; INDEX.md in its place fails.
@pytest.mark.parametrize(
    "page", capability_pages() or [DOCS / "INDEX.md"], ids=lambda page: page.name
)
def test_a_capability_page_says_everything(page):
    there = markdown.headings(page.read_text())
    assert [heading for heading in CAPABILITY_HEADINGS if heading not in there] == []


# --- the rules of this file ------------------------------------------------------------------


def test_commands_are_read_from_bash_and_console_blocks_only():
    page = "\n".join(
        [
            "```bash",
            "# a comment",
            "python -m flows.sot_sync \\",
            "  --json  # exits 1",
            "```",
            "```console",
            "$ make test",
            "3 passed",
            "```",
            "```python",
            "nothing()",
            "```",
        ]
    )
    assert markdown.commands(page) == [
        markdown.Command(3, "python -m flows.sot_sync   --json  # exits 1", 1),
        markdown.Command(7, "make test"),
    ]


@pytest.mark.parametrize(
    ("command", "run"),
    [
        ("make", "make -n"),
        ("make demo  # two minutes", "make -n demo"),
        ("make test ARGS=-x", "make -n test"),
        ("git clone https://example.org/a.git", "git rev-parse --git-dir"),
        ("python -m deployments.serve", "python -m deployments.serve --help"),
        ("python -m flows.sot_sync  # a dry run", "python -m flows.sot_sync"),
    ],
)
def test_a_command_that_is_only_checked_still_is(command, run):
    assert checked(command) == run


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "there.md").write_text("# One: two\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#one-two) [b](there.md#three) [c](gone.md) [d](#here) [e](../out.md)\n"
        "[f](https://example.org/x)\n\n# Here\n"
    )
    assert markdown.broken_links(page, tmp_path) == ["there.md#three", "gone.md", "../out.md"]

"""The documentation as a site: every page has its place, and nothing comes from elsewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deployments import reference
from flows.command import parse
from tests.support.session import REPOSITORY, clean_environment

DOCS = REPOSITORY / "docs"
MIGRATION = DOCS / "MIGRATION.md"
TYPED = r"`(python -m flows\.[^`]+)`"
FETCHED = r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(https?:[^"]+)'


def navigation(node) -> list[str]:
    """Return the pages of a navigation, in their order."""
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node
    return [page for child in children for page in navigation(child)]


def test_every_page_is_in_the_navigation_once() -> None:
    listed = navigation(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"])
    there = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    assert sorted(listed) == there


def test_the_reference_is_what_the_signatures_say() -> None:
    assert reference.PAGE.read_text() == reference.text(), reference.OLD


def test_the_site_is_built_and_fetches_nothing(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(REPOSITORY / "mkdocs.yml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {"INDEX.html", "reference.html"} <= {page.name for page in pages}
    for page in pages:
        fetched = re.findall(FETCHED, page.read_text())
        assert fetched == [], page.name


def new_commands() -> list[tuple[int, str]]:
    """Return the commands on the right side of the migration tables, with their lines."""
    found = []
    for number, line in enumerate(MIGRATION.read_text().splitlines(), start=1):
        cells = re.split(r"(?<!\\)\|", line)
        if len(cells) == 4:
            found += [
                (number, text) for text in re.findall(r"`(python -m flows\.[^`]+)`", cells[2])
            ]
    return found


@pytest.mark.parametrize(("line", "text"), new_commands())
def test_what_is_to_be_typed_now_is_understood(line: int, text: str) -> None:
    words = shlex.split(text)
    module = words[2].removeprefix("flows.")
    command = parse(reference.commands(module), words[3:])
    assert command.fn, f"MIGRATION.md:{line}"

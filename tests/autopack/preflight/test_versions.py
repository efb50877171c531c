"""Everything that states the project's version states the same one."""

from __future__ import annotations

import pytest

from autopack.preflight.versions import check_versions

PROJECT = {"project": {"name": "toy", "version": "1.2.0"}}


def told(**files: str) -> list[tuple[str, int | None]]:
    names = {"init": "toy/__init__.py", "readme": "README.md", "log": "CHANGELOG.md"}
    found = check_versions(PROJECT, {names[name]: text for name, text in files.items()})
    assert found is not None
    return [(f.path, f.line) for f in found]


def test_the_same_version_everywhere_is_silent() -> None:
    assert told(
        init='"""."""\n__version__ = "1.2"\n',
        readme="pip install toy==1.2.0\n\n**Version**: v1.2.0\n",
        log="# Changelog\n\n## [1.2.0] - 2026-01-01\n\n## 1.1.0\n",
    ) == []  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("init", '"""."""\n\n__version__ = "1.3.0"\n', 3),
        ("init", "__version__ = 'next'\n", 1),
        ("init", '__version__: str = "1.3.0"\n', 1),
        ("init", '\ufeff__version__ = "1.3.0"\n', 1),
        ("readme", "# Toy\n\npip install toy==1.1.9\n", 3),
        ("readme", "Version: 1.1\n", 1),
        ("readme", "![v](https://img.shields.io/badge/version-1.1.0-blue)\n", 1),
        ("log", "# Changelog\n\n## 1.3.0\n", 3),
        ("log", "# Changelog\n\n## v1.1.0 (2026)\n", 3),
    ],
)
def test_another_version_is_named_with_its_line(name, text, line) -> None:
    ((_, found),) = told(**{name: text})
    assert found == line


@pytest.mark.parametrize(
    "text",
    [
        "# Changelog\n\n## Unreleased\n\n## 1.1.0\n",  # 1.2.0 is on its way
        "# Changelog\n\n## Unreleased\n",
        "# Changelog\n\n## 2026-01-01\n",
    ],
)
def test_a_changelog_may_be_behind_what_is_unreleased(text) -> None:
    assert told(log=text) == []


def test_what_is_fenced_off_states_no_version_of_the_project() -> None:
    compose = '```yaml\nversion: "3.8"\nservices:\n```\n'
    assert told(readme=compose, log="# Log\n\n```\n## 9.0\n```\n\n## 1.2.0\n") == []
    assert told(readme="```bash\npip install toy==1.1\n```\n") == [("README.md", 2)]


def test_a_module_that_does_not_parse_is_left_to_the_syntax_check() -> None:
    assert told(init='__version__ = "9"\n\0') == []


def test_other_packages_may_have_other_versions() -> None:
    assert (
        told(readme="pip install other-toy==9.9 toys==3.0\n\nPython version 3.11 is needed\n") == []
    )


def test_without_a_version_there_is_nothing_to_compare() -> None:
    assert check_versions({"project": {"dynamic": ["version"]}}, {}) is None
    assert check_versions({}, {}) is None


def test_a_page_of_empty_lines_takes_no_longer_than_another() -> None:
    assert told(readme="\n" * 200_000 + "* **Version**: 1.3.0\n") == [("README.md", 200_001)]

"""The tables of docs/storage-cases.md are whole, and every test that they name is a test."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.session import REPOSITORY

PAGE = REPOSITORY / "docs/storage-cases.md"
FAULTS, CASES = 18, 32
NAMED = r"`(tests/[\w/]+\.py)::(test_\w+)`"
OTHER_SYSTEMS = r"win32|darwin|os\.name|sys\.platform"
CHECKS = {"raises", "fail"}


def tables() -> dict[str, list[list[str]]]:
    """Return the rows of each table by the heading above it, without its head."""
    found: dict[str, list[list[str]]] = {}
    for part in PAGE.read_text().split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        rows = [line for line in body.splitlines() if line.startswith("|")][2:]
        found[heading] = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    return found


def named() -> list[tuple[str, str]]:
    """Return the file and the name of each test that the page names, once."""
    return sorted(set(re.findall(NAMED, PAGE.read_text())))


@cache
def parsed(path: str) -> list[ast.stmt]:
    return ast.parse((REPOSITORY / path).read_text()).body


def functions_of(path: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of a test file by name."""
    return {node.name: node for node in parsed(path) if isinstance(node, ast.FunctionDef)}


def alone(path: str, name: str) -> list[str]:
    """Return what keeps a test from running on some systems: on it, or on its whole file."""
    marks = [ast.unparse(one) for one in functions_of(path)[name].decorator_list]
    whole = [ast.unparse(one) for one in parsed(path) if isinstance(one, ast.Assign | ast.Expr)]
    inner = [ast.unparse(one) for one in ast.walk(functions_of(path)[name]) if is_skip(one)]
    return [
        *(one for one in marks if re.search("skip|xfail", one)),
        *(one for one in whole if re.match(r"pytestmark|pytest\.(skip|importorskip)", one)),
        *(one for one in inner if re.search(OTHER_SYSTEMS, one)),
    ]


def is_skip(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "skip(" in ast.unparse(node)


def asserts(test: ast.FunctionDef) -> bool:
    """Return whether a test can fail by its own words."""
    called = {node.attr for node in ast.walk(test) if isinstance(node, ast.Attribute)}
    return bool(CHECKS & called) or any(isinstance(node, ast.Assert) for node in ast.walk(test))


@pytest.mark.parametrize(
    ("heading", "count"),
    [("18 faults of earlier tools", FAULTS), ("32 regression cases", CASES)],
)
def test_every_number_has_a_row_with_a_test(heading: str, count: int) -> None:
    rows = tables()[heading]
    assert [row[0] for row in rows] == [str(number) for number in range(1, count + 1)]
    for row in rows:
        assert len(row) == 4, row
        assert all(row), row
        left = re.sub(NAMED, "", row[3]).replace("<br>", "")
        assert (re.search(NAMED, row[3]) is not None, left) == (True, ""), row


def test_the_page_has_these_two_tables() -> None:
    assert list(tables()) == ["18 faults of earlier tools", "32 regression cases"]


@pytest.mark.parametrize(("path", "name"), named())
def test_each_named_test_exists_and_asserts(path: str, name: str) -> None:
    assert (REPOSITORY / path).is_file(), path
    assert name in functions_of(path), f"{path} has no {name}"
    assert asserts(functions_of(path)[name]), f"{path}::{name} asserts nothing"


def test_no_named_test_waits_for_another_system() -> None:
    assert {one: found for one in named() if (found := alone(*one))} == {}

"""A pyproject.toml of another shape is told by its key, before a check trips over it."""

from __future__ import annotations

import pytest

from autopack.preflight.modules import modules_of
from autopack.preflight.project import misshapen


@pytest.mark.parametrize(
    ("project", "said"),
    [
        ({"project": "x"}, "project must be a table"),
        ({"project": {"dependencies": "numpy"}}, "project.dependencies must be a list"),
        ({"project": {"dependencies": ["a", 1]}}, "project.dependencies[1] must be a text"),
        (
            {"project": {"optional-dependencies": []}},
            "project.optional-dependencies must be a table",
        ),
        (
            {"project": {"optional-dependencies": {"dev": "a"}}},
            "project.optional-dependencies.dev must be a list",
        ),
        ({"tool": 1}, "tool must be a table"),
        ({"tool": {"hatch": 1}}, "tool.hatch must be a table"),
        ({"tool": {"poetry": {"packages": [{}]}}}, "tool.poetry.packages[0].include is missing"),
        (
            {"tool": {"setuptools": {"packages": {"find": {"where": "src"}}}}},
            "tool.setuptools.packages.find.where must be a list",
        ),
    ],
)
def test_what_is_of_another_shape_is_named(project, said) -> None:
    assert misshapen(project) == said


@pytest.mark.parametrize("project", [
    {}, {"project": {"name": "a", "dynamic": ["version"]}, "tool": {"ruff": 3}},
    {"tool": {"setuptools": {"packages": ["a"]}}},
])  # fmt: skip
def test_what_is_of_its_shape_is_silent(project) -> None:
    assert misshapen(project) is None
    assert modules_of(project, []) == []

"""Every module that a project ships is found, and nothing else."""

from __future__ import annotations

import pytest

from autopack.preflight.modules import modules_of

FILES = [
    "toy/__init__.py", "toy/core.py", "toy/deep/part.py", "toy/__main__.py", "toy/not-a-module.py",
    "toy/data.json", "tests/__init__.py", "tests/test_a.py", "setup.py", "single.py",
    "src/lib/__init__.py", "src/lib/a.py", "src/loose.py",
]  # fmt: skip
OWN = [name for name in FILES if not name.startswith("src/")]


@pytest.mark.parametrize(
    ("tool", "files", "names"),
    [
        ({"hatch": {"build": {"targets": {"wheel": {"packages": ["toy"]}}}}}, FILES,
         ["toy", "toy.core", "toy.deep.part"]),
        ({"hatch": {"build": {"targets": {"wheel": {"packages": ["src/lib"]}}}}}, FILES,
         ["lib", "lib.a"]),
        ({"setuptools": {"packages": {"find": {"where": ["src"]}}}}, FILES,
         ["lib", "lib.a", "loose"]),
        ({"poetry": {"packages": [{"include": "lib", "from": "src"}]}}, FILES, ["lib", "lib.a"]),
        ({}, FILES, ["lib", "lib.a", "loose"]),
        ({}, OWN, ["single", "toy", "toy.core", "toy.deep.part"]),
        ({}, [], []),
    ],
)  # fmt: skip
def test_modules_are_what_the_project_ships(tool, files, names) -> None:
    assert [module.name for module in modules_of({"tool": tool}, files)] == names


def test_a_module_knows_its_folder() -> None:
    bases = {module.name: module.base for module in modules_of({}, FILES)}
    assert bases == {"lib": "src", "lib.a": "src", "loose": "src"}

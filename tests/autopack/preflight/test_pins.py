"""Pins keep to what pyproject.toml declares, in every environment it is for."""

from __future__ import annotations

import pytest

from autopack.preflight.pins import check_pins, included, read_requirements

PROJECT = {
    "project": {
        "requires-python": ">=3.11",
        "dependencies": ["sqlalchemy==2.1.*", "numpy>=2", "pywin32; sys_platform == 'win32'"],
        "optional-dependencies": {"dev": ["pytest==9.*"]},
    }
}
TEXT = 'dependencies = [\n  "sqlalchemy==2.1.*",\n  "numpy>=2",\n]\n'
MORE = "--extra-index" + "-url"  # the whole word names a registry, which no file of git may
RUNTIME = f"""{MORE} https://user:secret@index.invalid/simple
# a comment
SQLAlchemy==2.1.4 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.4.6 ; python_full_version < '3.12' --hash=sha256:cc
numpy==2.5.5 ; python_full_version >= '3.12'  # newer
pywin32==312 ; sys_platform == 'win32'
"""


def told(runtime: str = RUNTIME, **files: str) -> list[tuple[str, str, int | None, str]]:
    named = {f"requirements/{name}.txt": text for name, text in files.items()}
    found = check_pins(PROJECT, TEXT, {"requirements/runtime.txt": runtime, **named})
    return [(f.code, f.path, f.line, f.message) for f in found]


def test_pins_that_keep_to_it_are_silent() -> None:
    assert told() == []
    assert told(dev=RUNTIME + "pytest==9.1.0\n") == []


def test_a_pin_that_does_not_is_named_with_its_line() -> None:
    words = "sqlalchemy==2.0.9 does not keep to sqlalchemy==2.1.*"
    drift = ("pin_drift", "requirements/runtime.txt", 3, words)
    assert told(RUNTIME.replace("2.1.4", "2.0.9")) == [drift]


def test_a_pin_is_held_against_its_own_environments_alone() -> None:
    found = told(RUNTIME.replace("numpy==2.4.6", "numpy==1.26.0"))
    assert [(code, line) for code, _, line, _ in found] == [("pin_drift", 6)]


@pytest.mark.parametrize(
    ("gone", "name"),
    [
        ("pywin32==312 ; sys_platform == 'win32'\n", "pywin32"),
        ("numpy==2.5.5 ; python_full_version >= '3.12'  # newer\n", "numpy"),
    ],
)
def test_what_some_environment_lacks_is_missing(gone, name) -> None:
    ((code, path, _, words),) = told(RUNTIME.replace(gone, ""))
    assert (code, path) == ("missing_pin", "pyproject.toml")
    assert words == f"'{name}' is declared, and requirements/runtime.txt does not pin it"


def test_an_extra_must_be_whole_in_the_file_of_its_name() -> None:
    ((code, *_rest, words),) = told(dev=RUNTIME)
    assert (code, words) == (
        "missing_pin", "'pytest' is declared, and requirements/dev.txt does not pin it",
    )  # fmt: skip
    assert told(RUNTIME + "pytest==8.0\n")[0][0] == "pin_drift"


def test_a_file_of_ranges_need_not_have_everything() -> None:
    assert told(other="numpy>=2\n") == []


def test_a_named_file_is_read_too() -> None:
    assert told(dev="-r runtime.txt\npytest==9.1.0\n") == []


@pytest.mark.parametrize(
    "options",
    [
        "-i https://a.invalid\n",
        "--find-links wheels\n",
        "--no-binary :all:\n",
        "-e .\n",
        "./toy.whl\n",
    ],
)
def test_options_are_no_requirements(options) -> None:
    assert told(options + RUNTIME) == []


def test_what_is_no_requirement_is_told() -> None:
    assert told(RUNTIME + "one two three\n")[0][:3] == ("unreadable", "requirements/runtime.txt", 9)


def test_lines_are_those_of_the_file() -> None:
    lines = read_requirements("a.txt", {"a.txt": RUNTIME}).lines
    assert [line.number for line in lines] == [3, 6, 7, 8]


@pytest.mark.parametrize("line", [".", ".[dev]", "-e .", "-e ./lib", "./lib", "C:\\wheels\\x.whl",
    "wheels/x-1.0-py3-none-any.whl", "x @ https://index.invalid/x.whl"])  # fmt: skip
def test_what_is_installed_from_a_place_is_no_pin(line) -> None:
    assert told(RUNTIME.replace("# a comment", line)) == []


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert told("\ufeff" + RUNTIME) == []
    assert told("\ufeff" + RUNTIME.replace("2.1.4", "2.0.9"))[0][0] == "pin_drift"


def test_a_python_down_to_its_patch_is_compared_too() -> None:
    project = {"project": {"requires-python": "==3.12.4", "dependencies": ["numpy>=2"]}}
    found = check_pins(project, TEXT, {"requirements.txt": "numpy==1.26.0\n"})
    assert [f.code for f in found] == ["pin_drift"]


def test_what_another_file_names_is_read_as_its_part_alone() -> None:
    whole = {
        "requirements.txt": "-r deps/a.txt\n-r deps/b.txt\n",
        "deps/a.txt": "sqlalchemy==2.1.4\nnumpy==2.4.6\n",
        "deps/b.txt": "pywin32==312\n",
    }
    assert included({"requirements.txt": whole["requirements.txt"]}) == {"deps/a.txt", "deps/b.txt"}
    assert check_pins(PROJECT, TEXT, whole, {"deps/a.txt", "deps/b.txt"}) == []
    whole["deps/a.txt"] = "sqlalchemy==2.0.9\nnumpy==2.4.6\n"
    (found,) = check_pins(PROJECT, TEXT, whole, {"deps/a.txt", "deps/b.txt"})
    assert found.code == "pin_drift"


def test_a_file_that_is_named_and_not_there_is_told() -> None:
    found = told("-r gone.txt\n" + RUNTIME)
    assert found == [
        ("unreadable", "requirements/runtime.txt", 1, "requirements/gone.txt is not there")
    ]


def test_a_marker_that_cannot_be_asked_is_told_where_it_stands() -> None:
    odd = "; sys_platform ~= 'linux'"
    ((code, path, line, words),) = told(RUNTIME + f"odd==1 {odd}\n")
    assert (code, path, line) == ("unreadable", "requirements/runtime.txt", 9)
    assert "~=" in words
    project = {"project": {"dependencies": [f"odd{odd}"]}}
    (found,) = check_pins(project, TEXT, {"requirements/runtime.txt": RUNTIME})
    assert (found.code, found.path) == ("unreadable", "pyproject.toml")

"""Workspaces that a run may touch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopack.errors import Refused, UsageError
from flows.sot_sync import sot_sync
from tasks.roots import PATHS, VARIABLE, check_paths, check_root
from tests.test_lock_coverage import flows

NO_WORKSPACE = {"sign", "schema", "key"}
"""Flows that read standard input alone, or nothing, or make a key where they are told."""


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`in/repo` below the root `in`, `out` beside it, and a link from one to the other."""
    for name in ("in/repo", "out/repo", "input"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "in/away").symlink_to(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "in/repo")
    return tmp_path


@pytest.mark.parametrize("name", ["in", "in/repo", "in/not-there-yet", "in/repo/../repo"])
@pytest.mark.parametrize("deployed", [True, False])
def test_what_is_below_a_root_is_allowed(places: Path, name: str, deployed: bool) -> None:
    env = {VARIABLE: os.pathsep.join([str(places / "elsewhere"), str(places / "in")])}
    check_root(str(places / name), deployed=deployed, env=env)


@pytest.mark.parametrize("name", ["out", "", "in/..", "in/away/repo", "input", "in/repo/../../out"])
@pytest.mark.parametrize("deployed", [True, False])
def test_what_is_outside_every_root_is_refused(places: Path, name: str, deployed: bool) -> None:
    with pytest.raises(Refused, match=f"is outside {VARIABLE}"):
        check_root(str(places / name), deployed=deployed, env={VARIABLE: str(places / "in")})


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "a\0b"])
def test_what_cannot_be_resolved_is_refused(places: Path, name: str) -> None:
    with pytest.raises(Refused):
        check_root(name, deployed=True, env={})


def test_a_root_that_is_a_link_counts_as_what_it_leads_to(places: Path) -> None:
    env = {VARIABLE: str(places / "in/away")}
    check_root(str(places / "out/repo"), deployed=True, env=env)


def test_without_roots_a_deployment_has_the_folder_it_runs_in_and_others_have_all(
    places: Path,
) -> None:
    for env in ({}, {VARIABLE: ""}):
        check_root(".", deployed=True, env=env)
        check_root(str(places / "out"), deployed=False, env=env)
        with pytest.raises(Refused):
            check_root(str(places / "in"), deployed=True, env=env)


def test_a_relative_root_is_a_mistake(places: Path) -> None:
    with pytest.raises(UsageError, match="no absolute path"):
        check_root(".", deployed=True, env={VARIABLE: "in"})


@pytest.mark.parametrize(
    "values",
    [
        {"out": "/etc/passwd"},
        {"files": ["plan.json", "../../out/plan.json"]},
        {"database_url": "sqlite:////etc/autopack.db"},
        {"database_url": "sqlite:///../../out/autopack.db"},
    ],
    ids=str,
)
def test_a_form_names_no_file_outside(
    places: Path, values: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    check_paths({"workspace": ".", **values}, deployed=False)
    inside = {"out": "new.json", "files": ["plan.json"], "database_url": "sqlite:///autopack.db"}
    check_paths({"workspace": ".", **inside}, deployed=True)
    with pytest.raises(Refused):
        check_paths({"workspace": ".", **values}, deployed=True)


def test_every_flow_names_its_workspace() -> None:
    for module, command, fn in flows():
        assert "workspace" in fn.__annotations__ or command in NO_WORKSPACE, (module, command)
    assert {"out", "policy"} <= set(PATHS)


def test_a_command_outside_the_roots_is_6_before_anything_is_touched(
    make_workspace, run_flow, tmp_path: Path
) -> None:
    root = make_workspace({})
    words = ("--workspace", root, "--db-only", "--execute", "--engine", "direct")
    done = run_flow("sot_sync", *words, env={VARIABLE: str(tmp_path / "elsewhere")})
    assert done.returncode == 6, done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in root.iterdir()) == ["docs"]
    assert run_flow("sot_sync", *words, env={VARIABLE: str(tmp_path)}).returncode == 0


def test_a_run_on_a_server_obeys_too(prefect_server, make_workspace, monkeypatch) -> None:
    from tasks.engine import as_prefect

    root = make_workspace({})
    monkeypatch.setenv(VARIABLE, str(root / "docs"))
    state = as_prefect(sot_sync)(workspace=str(root), return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "Refused")

"""The hooks and the workflow that other repositories copy do what they say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml

from tests.autopack.sot.counted import true_files
from tests.support import session
from tests.support.process import Finished, run_bounded

ROOT = Path(__file__).parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_bytes())
WORKFLOW = yaml.safe_load((ROOT / "docs/examples/doc-links.yml").read_bytes())
STEPS = {step["name"]: step for step in WORKFLOW["jobs"]["links"]["steps"] if "run" in step}


@pytest.fixture
def checkout(make_workspace) -> Path:
    """A repository with a folder `flows` of its own, a remote's branch, and no broken link."""
    shadow = "raise SystemExit('the folder of the checked repository ran')\n"
    files = {"flows/__init__.py": shadow, "flows/doc_links.py": shadow, **true_files()}
    root = make_workspace({**files, "docs/INDEX.md": "# Index\n\n[log](DEBUG_LOG.md)\n"})
    git(root, "init", "-q", "-b", "main")
    commit(root)
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    return root


def environment(**more: str) -> dict[str, str]:
    """As in the hook's own environment: `python` finds the package, and names this interpreter."""
    who = {
        f"GIT_{role}_{key}": "t@t" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**session.clean_environment(PYTHONPATH=str(ROOT)), **who, "PATH": path, **more}


def git(root: Path, *words: str) -> None:
    done = run_bounded(["git", *words], cwd=root, env=environment())
    assert done.returncode == 0, done.stderr


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "state")


def shell(root: Path, command: str) -> Finished:
    return run_bounded(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=root,
        env=environment(GITHUB_BASE_REF="main"),
    )


def pre_commit(root: Path, *words: str, runner: str = "pre_commit") -> Finished:
    homes = {name: str(root.parent / runner) for name in ("PRE_COMMIT_HOME", "PREK_HOME")}
    return run_bounded([sys.executable, "-m", runner, *words], cwd=root, env=environment(**homes))


def test_the_hooks_are_a_manifest(checkout) -> None:
    done = pre_commit(checkout, "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("hook", "page", "runner"),
    [
        ("doc-links", "docs/INDEX.md", "pre_commit"),
        ("doc-links-deep", "docs/notes.md", "pre_commit"),
        ("preflight", "docs/INDEX.md", "pre_commit"),
        ("preflight", "docs/INDEX.md", "prek"),
    ],
)
def test_a_hook_passes_and_then_stops_a_commit(hook, page, runner, checkout) -> None:
    # `system`: the environment is this one; everything else is as the manifest says.
    wanted = [{**entry, "language": "system"} for entry in HOOKS if entry["id"] == hook]
    config = {"repos": [{"repo": "local", "hooks": wanted}]}
    (checkout / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    commit(checkout)
    stage = ("--hook-stage", wanted[0].get("stages", ["pre-commit"])[0])
    done = pre_commit(checkout, "run", *stage, runner=runner)
    assert done.returncode == 0, done.stdout
    assert wanted[0]["name"] in done.stdout
    (checkout / page).write_text("[gone](GONE.md)\n")
    git(checkout, "add", "-A")
    done = pre_commit(checkout, "run", *stage, runner=runner)
    assert done.returncode == 1
    assert f"{page}:1" in done.stdout


def test_the_workflow_passes_where_nothing_is_broken(checkout) -> None:
    for name, step in STEPS.items():
        if name != "Install":
            done = shell(checkout, step["run"])
            assert done.returncode == 0, (name, done.stderr)
    assert (checkout / "doc-links.sarif").is_file()
    assert "</html>" in (checkout / "doc-links.html").read_text()


def test_the_workflow_stops_what_a_pull_request_breaks_and_nothing_older(checkout) -> None:
    (checkout / "docs/notes.md").write_text("[old](OLD.md)\n")
    commit(checkout)
    git(checkout, "update-ref", "refs/remotes/origin/main", "HEAD")
    (checkout / "docs/notes.md").write_text("new line\n\n[old](OLD.md)\n")
    commit(checkout)
    check = STEPS["What this pull request breaks"]["run"]
    assert shell(checkout, check).returncode == 0
    (checkout / "docs/notes.md").write_text("[old](OLD.md)\n\n[new](NEW.md)\n")
    commit(checkout)
    done = shell(checkout, check)
    assert done.returncode == 1
    assert "::error file=docs/notes.md,line=3,title=missing_file::" in done.stdout

"""Deep scans in a row: the same report cold and warm, whatever changed between them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.link_checks import GOOD, checker, everything, said
from tests.support.process import Finished
from tests.support.session import clean_environment

FILES = {
    **GOOD,
    "docs/a.md": "# A\n\n[b](b.md#b) [c](c.md) `src/x.py`\n",
    "docs/b.md": "# B\n\n[a](a.md#a)\n",
    "docs/web.md": "[w](https://e.org) <b>x</b>\n",
}
CONTENT = ("counts", "links", "findings", "next_steps", "exit_code", "message")


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def deep(run_flow, cache) -> Callable[..., Finished]:
    check = checker(run_flow)
    return lambda root, *args, **env: check(
        root, "--deep", *args, env={"AUTOPACK_CACHE_DIR": str(cache), **env}
    )


def content(done: Finished) -> dict[str, object]:
    return {key: done.report[key] for key in CONTENT}


def fresh(run_flow, root: Path, tmp_path: Path, *args: str) -> dict[str, object]:
    """Return what a scan says that has no cache."""
    env = {"AUTOPACK_CACHE_DIR": str(tmp_path / "empty" / os.urandom(4).hex())}
    return content(checker(run_flow)(root, "--deep", *args, env=env))


def test_a_dry_run_leaves_the_workspace_as_it_was_and_names_its_cache(deep, make_workspace, cache):
    root = make_workspace(FILES)
    before = everything(root)
    done = deep(root)
    assert everything(root) == before
    (made,) = cache.iterdir()
    assert done.report["writes"]["files"] == [str(made)]
    assert [step["name"] for step in done.report["steps"]] == [
        "walk", "read-pages", "confirm", "judge-links", "keep-readings"
    ]  # fmt: skip


def test_the_navigation_check_never_uses_a_cache(run_flow, make_workspace, cache):
    done = checker(run_flow)(make_workspace(FILES), env={"AUTOPACK_CACHE_DIR": str(cache)})
    assert done.report["writes"]["files"] == []
    assert not cache.exists()


CHANGES = {
    "nothing": lambda root: None,
    "a page is touched": lambda root: (root / "docs/a.md").touch(),
    "a page changes": lambda root: (root / "docs/b.md").write_text("# Other\n\n[x](no.md)\n"),
    "a page changes and looks the same": lambda root: same(root / "docs/b.md"),
    "a target is removed": lambda root: (root / "docs/b.md").unlink(),
    "a target appears": lambda root: (root / "docs/c.md").write_text("# C\n"),
    "a page becomes a folder": lambda root: folder(root / "docs/b.md"),
    "a page is renamed": lambda root: (root / "docs/b.md").rename(root / "docs/c.md"),
    "source appears": lambda root: (root / "x.py").write_text(""),
}  # fmt: skip


def same(path: Path) -> None:
    """Give a page another heading of the same length, and the times that it had."""
    was = path.stat()
    path.write_text(path.read_text().replace("# B", "# C"))
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert path.stat().st_size == was.st_size


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_change_a_scan_says_what_one_without_a_cache_says(
    deep, run_flow, make_workspace, tmp_path, change
):
    root = make_workspace(FILES)
    assert content(deep(root)) == fresh(run_flow, root, tmp_path)
    CHANGES[change](root)
    wanted = fresh(run_flow, root, tmp_path)
    assert content(deep(root)) == wanted
    assert content(deep(root)) == wanted


def test_pages_of_other_scans_are_kept(deep, run_flow, make_workspace, tmp_path):
    root = make_workspace({**FILES, "archive/old.md": "[x](no.md)\n"})
    many = ("--include", "archive/**")
    for flags in ((), many, (), many):
        assert content(deep(root, *flags)) == fresh(run_flow, root, tmp_path, *flags)


@pytest.mark.parametrize("damage", [b"", b"autopack links cache\n", b"\0" * 4000])
def test_a_damaged_cache_is_ignored_and_made_anew(deep, make_workspace, cache, damage):
    root = make_workspace(FILES)
    wanted = content(deep(root))
    (made,) = cache.iterdir()
    made.write_bytes(damage)
    done = deep(root)
    assert content(done) == wanted
    assert done.report["writes"]["files"] == [str(made)]


def test_a_cache_that_cannot_be_written_costs_only_time(deep, make_workspace, cache):
    root = make_workspace(FILES)
    wanted = content(deep(root))
    cache.rename(cache.with_name("moved"))
    cache.write_text("a file where the folder should be")
    done = deep(root)
    assert done.returncode == 0
    assert done.report["writes"]["files"] == []
    *others, said_so = done.report["findings"]
    assert others == wanted["findings"]
    assert (said_so["code"], said_so["severity"]) == ("cache_not_written", "info")


def test_mends_from_the_cache_are_those_of_a_fresh_reading(deep, make_workspace):
    root = make_workspace({**FILES, "docs/d.md": "[a](docs/a.md) and\n[b](docs/b.md#b)\n"})
    for _ in range(2):
        assert [fix["new"] for fix in deep(root, "--fix", "certain").report["fixes"]] == [
            "a.md", "b.md#b"
        ]  # fmt: skip
    done = deep(root, "--fix", "certain", "--execute")
    assert done.returncode == 0
    assert (root / "docs/d.md").read_text() == "[a](a.md) and\n[b](b.md#b)\n"
    assert said(deep(root), "missing_file") == [("missing_file", "c.md")]


def test_very_many_links_to_the_web_are_one_line_to_read_and_each_in_json(
    deep, run_flow, make_workspace, cache
):
    """They are made when they are asked for, in their places among the others."""
    page = "".join(
        f"[{n}](https://e.org/{n}) [m](no{n}.md) [s](../../../issues)\n" for n in range(600)
    )
    root = make_workspace({**GOOD, "docs/many.md": page, "docs/b.md": "[x](https://e.org)\n"})
    done = deep(root)
    lines = [(f["path"], f["line"], f["code"]) for f in done.report["findings"]]
    wanted = [("docs/many.md", n, code) for n in range(1, 601)
              for code in ("external_url", "missing_file", "external_url")]  # fmt: skip
    assert lines == [("docs/b.md", 1, "external_url"), *wanted]
    told = [(x["path"], x["line"], x["category"]) for x in done.report["links"]]
    assert told == lines
    assert done.report["counts"]["categories"] == {"missing_file": 600, "external_url": 1201}
    flags = ("--deep", "--engine", "direct", "--workspace", root)
    env = {"AUTOPACK_CACHE_DIR": str(cache)}
    text = run_flow("doc_links", *flags, env=env).stdout
    assert "findings: 600 errors, 1201 info" in text
    assert "external_url ×1201: docs/many.md:1" in text
    junit = run_flow("doc_links", *flags, "--format", "junit", env=env).stdout
    assert 'tests="1801" failures="600"' in junit
    strict = deep(root, "--strict")
    assert strict.returncode == 1


def test_known_links_to_the_web_are_known(deep, make_workspace, tmp_path):
    page = "".join(f"[{n}](https://e.org/{n})\n" for n in range(600))
    root = make_workspace({**GOOD, "docs/many.md": page})
    baseline = tmp_path / "baseline.json"
    baseline.write_bytes(deep(root).stdout.encode())
    done = deep(root, "--baseline", str(baseline))
    assert done.report["counts"]["known"] == 600


# --- git's history ----------------------------------------------------------------------------


def git(root: Path, *args: str) -> None:
    subprocess.run(
        ["git", "-C", root, *args], check=True, capture_output=True, env=clean_environment()
    )


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")


def test_history_is_asked_for_again_when_head_moves(deep, run_flow, make_workspace, tmp_path):
    root = make_workspace({**GOOD, "docs/a.md": "[o](old.md)\n", "docs/old.md": "# Old\n" * 9})
    git(root, "init", "-q")
    commit(root)
    assert said(deep(root), "missing_file", "historical_ref") == []
    (root / "docs/old.md").rename(root / "docs/new.md")
    commit(root)
    moved = deep(root)
    assert moved.report["links"][0]["candidates"][0]["layer"] == "history"
    assert content(deep(root)) == content(moved) == fresh(run_flow, root, tmp_path)
    (root / "docs/new.md").unlink()
    commit(root)
    assert said(deep(root)) == [("historical_ref", "old.md")]
    assert content(deep(root)) == fresh(run_flow, root, tmp_path)

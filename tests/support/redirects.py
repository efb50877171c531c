"""Repositories whose pages moved, and ways to look at what redirects say about them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.link_checks import NAV
from tests.support.process import Finished

TALK = {name: f"# {name}\n" for name in NAV}
"""Navigation pages without a link."""
CREATE = ("create", "docs/OLD.md", "docs/guides/NEW.md")
"""The plan for the page that `with_moved_page` moves."""
LONG = "".join(f"A line of the page, number {n}.\n\n" for n in range(40))
OLD = f"# Old\n\n## Set up\n\n{LONG}\n## Use it\n"
"""A page long enough for git to know it again."""
LINKS = "[a](OLD.md) [b](OLD.md#set-up) [c](./OLD.md#use-it)\n"


def git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(root: Path, message: str = "more") -> str:
    """Commit everything but what runs leave; return the commit."""
    if not (root / ".git").exists():
        git(root, "init", "-q", "-b", "main")
        (root / ".git/info/exclude").write_text("/.autonomous_runs/\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", message, "--allow-empty")
    return git(root, "rev-parse", "HEAD")


def move(root: Path, old: str, new: str) -> str:
    """Move a file and commit that; return the commit."""
    (root / new).parent.mkdir(parents=True, exist_ok=True)
    git(root, "mv", old, new)
    return commit(root, f"{old} is now {new}")


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())


def with_moved_page(root: Path) -> Path:
    """Commit a workspace where docs/OLD.md is now docs/guides/NEW.md, and three links are old."""
    write(root, {"docs/a.md": LINKS, "docs/OLD.md": OLD})
    commit(root)
    move(root, "docs/OLD.md", "docs/guides/NEW.md")
    return root


def redirects(run_flow: Callable[..., Finished]) -> Callable[..., Finished]:
    """Return `redirect(root, *flags)`: the flow without Prefect, its report as JSON."""

    def run(root: Path, *args, **kwargs) -> Finished:
        return run_flow(
            "doc_redirects", "--engine", "direct", "--json", "--workspace", root, *args, **kwargs
        )

    return run


def planned(done: Finished) -> list[tuple[str, str, str]]:
    """Return what a run planned: action, path, target."""
    return [(r["action"], r["path"], r["target"]) for r in done.report["redirects"]]


def codes(done: Finished) -> list[tuple[str, str]]:
    return [(f["code"], f["path"]) for f in done.report["findings"]]

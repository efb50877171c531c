"""Small workspaces for the link check, and ways to run it and to look at what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.process import Finished

NAV = ("README.md", "docs/INDEX.md", "docs/BUILD_HISTORY.md")
GOOD = {name: f"# {name}\n\n[home](/README.md)\n" for name in NAV}


def checker(run_flow: Callable[..., Finished]) -> Callable[..., Finished]:
    """Return `check(root, *flags)`: the flow without Prefect, its report as JSON."""

    def run(root: Path, *args, **kwargs) -> Finished:
        return run_flow(
            "doc_links", "--engine", "direct", "--json", "--workspace", root, *args, **kwargs
        )

    return run


def everything(root: Path) -> dict[str, bytes]:
    """Return every file but the state of runs that write: audit chain and locks."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not {".locks", "audit.jsonl"} & set(path.parts)
    }


def written(done: Finished) -> list[str]:
    """Return what a run wrote into the workspace; a deep scan also keeps a cache elsewhere."""
    return [name for name in done.report["writes"]["files"] if not name.startswith("/")]


def said(done: Finished, *categories: str) -> list[tuple[str, str]]:
    return [
        (link["category"], link["target"])
        for link in done.report["links"]
        if not categories or link["category"] in categories
    ]

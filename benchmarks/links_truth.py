"""How right the link check is: `python -m benchmarks.links_truth DIR…`, each a tree of real pages.

Every finding of a deep scan is held against cmark-gfm, the parser that GitHub uses, with a walk, a
resolution and a slug rule of its own (`tests/support/gfm_oracle.py`). Precision is the share of
findings that are right, recall the share of broken links that are found; a link counts once per
page and target.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

FILES = {"missing_file", "code_ref", "historical_ref", "site_absolute"}
Found = set[tuple[str, str]]


def main() -> None:
    """Print a row for each tree and kind, then all of it as JSON."""
    rows = [row for tree in sys.argv[1:] or ["."] for row in judged(Path(tree))]
    print(f"{'tree':<24} {'kind':<8} {'broken':>7} {'found':>7} {'precision':>9} {'recall':>7}")
    for row in rows:
        print(
            f"{row['tree']:<24} {row['kind']:<8} {row['broken']:>7} {row['found']:>7} "
            f"{row['precision']:>9.3f} {row['recall']:>7.3f}"
        )
    print(json.dumps(rows))


def judged(tree: Path) -> Iterator[dict[str, object]]:
    """Yield how right the findings of a tree are, of files and of fragments."""
    for kind, (found, broken) in zip(
        ("files", "anchors"), zip(findings(tree), truth(tree), strict=True), strict=True
    ):
        right = len(found & broken)
        yield {
            "tree": tree.resolve().name,
            "kind": kind,
            "broken": len(broken),
            "found": len(found),
            "precision": right / len(found) if found else 1.0,
            "recall": right / len(broken) if broken else 1.0,
            "wrong": sorted(found - broken)[:20],
            "missed": sorted(broken - found)[:20],
        }


def truth(tree: Path) -> tuple[Found, Found]:
    """Return what the other parser calls broken: files and fragments, by page and target."""
    pages = [json.loads(line) for line in _run("tests.support.gfm_oracle", str(tree)).splitlines()]
    files = {(page["page"], target) for page in pages for target in page["files"]}
    return files, {(page["page"], target) for page in pages for target in page["anchors"]}


def findings(tree: Path) -> tuple[Found, Found]:
    """Return what a deep scan of everything says; paths in code spans are no links."""
    words = ("--deep", "--include", "**", "--json", "--engine", "direct", "--max-seconds", "3600")
    report = json.loads(_run("flows.doc_links", *words, "--workspace", str(tree)))
    links = [
        link
        for link in report["links"]
        if link["line"] is not None and not link["message"].startswith("`")
    ]

    def of(categories: set[str]) -> Found:
        wanted = (link for link in links if link["category"] in categories)
        return {(link["path"], unquote(link["target"])) for link in wanted}

    return of(FILES), of({"missing_anchor"})


def _run(module: str, *words: str) -> str:
    with tempfile.TemporaryDirectory() as cache:
        env = {**os.environ, "AUTOPACK_CACHE_DIR": cache}
        command = [sys.executable, "-m", module, *words]
        done = subprocess.run(command, capture_output=True, check=False, env=env)
    if done.returncode > 1:
        sys.exit(done.stderr.decode(errors="replace"))
    return done.stdout.decode("utf-8", "surrogateescape")


if __name__ == "__main__":
    main()

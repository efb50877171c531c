"""Policy matching over a tree of 300,000 files, against pathspec; `--entries N` for another size.

Every figure is CPU per path where the table says so: medians of interleaved rounds in one process.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.measure import Row, interleaved, show

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = ("js", "o", "txt", "log", "bin", "png", "h", "map", "tmp", "lock")
FOLDERS = ("lib", "node_modules", "__pycache__", "core", "data", "logs", "dist", "a-b", "vendor")
DAY_NS = 86_400 * 10**9
NOW_NS = 1_800_000_000 * 10**9


def entries(files: int) -> Iterator[tuple[str, bool]]:
    """Yield the paths of a tree, and whether each is a file: some 12 names a folder, 2-8 deep."""
    made = 0
    for number in itertools.count():
        depth = 2 + number % 6
        words = (FOLDERS[(number * 7 + level * 3) % len(FOLDERS)] for level in range(depth))
        folder = f"p{number % 97}/{'/'.join(words)}/{number}"
        for n in range(11):
            yield f"{folder}/file{n}.{SUFFIXES[(number + n) % len(SUFFIXES)]}", True
            made += 1
            if made == files:
                return


def frame(files: int) -> pl.DataFrame:
    """Return the tree as the frame of a scan."""
    import polars as pl

    from autopack.storage.classify import Kind
    from autopack.storage.snapshot import schema

    kinds: dict[str, bool] = {"": False}
    for path, file in entries(files):
        for n, letter in enumerate(path):
            if letter == "/":
                kinds.setdefault(path[:n], False)
        kinds[path] = file
    paths = sorted(kinds, key=str.encode)
    row = {path: n for n, path in enumerate(paths)}
    plain = [kinds[path] for path in paths]
    count = len(paths)
    return pl.DataFrame(
        {
            "path": paths,
            "parent": [row[path.rpartition("/")[0]] for path in paths],
            "kind": [int(Kind.FILE if one else Kind.FOLDER) for one in plain],
            "mode": [0o100644 if one else 0o40755 for one in plain],
            "size": [1000 if one else 4096 for one in plain],
            "allocated": [4096] * count,
            "mtime_ns": [NOW_NS - DAY_NS * (100 if n % 5000 else 1) for n in range(count)],
            "ctime_ns": [NOW_NS] * count,
            "ino": list(range(2, count + 2)),
            "dev": [1] * count,
            "nlink": [1] * count,
            "uid": [0] * count,
            "foreign": [False] * count,
        },
        schema=schema(),
    )


def main() -> None:
    """Measure and print."""
    import polars as pl
    from pathspec import GitIgnoreSpec

    from autopack.io.storage_policy import packaged
    from autopack.storage.candidates import candidates
    from autopack.storage.matcher import Globs
    from autopack.storage.protection import Protection
    from autopack.storage.snapshot import RootSeen, Snapshot

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    tree, policy = frame(options.entries), packaged()
    protection = Protection(policy)
    globs = tuple(glob for group in policy.protected.values() for glob in group)
    matcher, spec = Globs(globs), GitIgnoreSpec.from_lines(globs)
    sample = tree["path"].gather_every(max(1, tree.height // 10_000))
    some = sample.to_list()
    snapshot = Snapshot(tree, RootSeen("/tree", 1, 2), started_ns=NOW_NS)
    assert matcher.series(sample).to_list() == [spec.match_file(path) for path in some]

    alone, oracle, guarded, chosen, single = interleaved(
        options.rounds,
        lambda: matcher.series(tree["path"]),
        lambda: [spec.match_file(path) for path in some],
        lambda: protection.flags(tree),
        lambda: candidates(snapshot, policy, NOW_NS, protection),
        lambda: [protection.reason(path) for path in some],
    )
    base = oracle / len(some) * tree.height
    name = "pathspec, scaled up from a sample"
    items = len(candidates(snapshot, policy, NOW_NS, protection).items)
    show(
        [
            Row("the globs alone, all paths", alone, name, base),
            Row("protection with ancestors and descendants, all paths", guarded, name, base),
            Row("candidates: all of it, to the last sum", chosen, name, base),
            Row("protection path by path", single / len(some) * tree.height, name, base),
        ],
        {
            "entries": tree.height,
            "globs": len(globs),
            "candidates": items,
            "us per path: globs": round(alone / tree.height * 1e6, 3),
            "us per path: protection": round(guarded / tree.height * 1e6, 3),
            "us per path: candidates": round(chosen / tree.height * 1e6, 3),
            "polars threads": pl.thread_pool_size(),
        },
    )


if __name__ == "__main__":
    main()

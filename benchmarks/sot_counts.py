"""How fast the count check is, and how it grows.

`python -m benchmarks.sot_counts [--corpus DIR] [--entries N] [--rounds N]`: the real workspace as a
process and inside one, and a made ledger of N entries, against reading and hashing the same files.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from autopack.io.files import read_ledgers, read_page
from benchmarks.measure import Row, interleaved, show
from benchmarks.search import CORPUS, REPOSITORY
from tasks.counts_pages import INDEX, README, Pages

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def check(root: Path) -> Pages:
    """Read a workspace, judge its claims and plan its blocks."""
    others = {name: read_page(root, name) or b"" for name in (README, INDEX)}
    return Pages(tuple(read_ledgers(root)), others).mended(NOW)


def hashing(root: Path) -> None:
    """Read and hash the same files."""
    for path in [*root.glob("docs/*.md"), root / README]:
        if path.is_file():
            sha256(path.read_bytes()).digest()


def process(*words: str) -> Callable[[], object]:
    """Return a call that runs Python with these words as a process of its own."""
    command = [sys.executable, *words]
    return lambda: subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)


def make(root: Path, entries: int) -> None:
    """Lay out a workspace with one ledger of so many rows and sections, and a wrong total."""
    (root / "docs").mkdir()
    rows = "".join(f"| 2026-01-01 | BUILD-{i} | p | s | f |\n" for i in range(entries, 0, -1))
    sections = "".join(f"## BUILD-{i}: x\n\n{'words ' * 40}\n\n" for i in range(entries, 0, -1))
    head = "# B\n\n<!-- META\nTotal_Builds: 1\n-->\n\n## INDEX\n\n| T | I | P | S | F |\n"
    text = f"{head}|---|---|---|---|---|\n{rows}\n{sections}"
    (root / "docs/BUILD_HISTORY.md").write_text(text)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rows = []
    real = given.corpus if given.corpus.is_dir() else REPOSITORY
    flow = ("-m", "flows.sot_counts", "--engine", "direct", "--workspace", str(real))
    whole, bare = interleaved(given.rounds, process(*flow), process("-c", "import argparse"))
    rows.append(Row(f"check of {real.name}, process, direct", whole, "import argparse", bare))
    core, floor = interleaved(given.rounds, lambda: check(real), lambda: hashing(real))
    rows.append(Row(f"check of {real.name}, core", core, "read + sha256", floor))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make(root, given.entries)
        core, floor = interleaved(given.rounds, lambda: check(root), lambda: hashing(root))
        name = f"check and mend of {given.entries:,} rows and sections, core"
        rows.append(Row(name, core, "read + sha256", floor))
    show(rows, {"rounds": given.rounds})


if __name__ == "__main__":
    main()

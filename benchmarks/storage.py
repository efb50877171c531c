"""How fast scans are, against duc, ncdu, gdu and du on the same trees in the same rounds.

`python -m benchmarks.storage [--tree DIR] [--files N] [--rounds N] [--cold]`: a generated tree of
many small folders, chains of 60 folders and flat folders of 7,000 files, and DIR (default /usr).
A peer that is not there is left out and named. `--cold` puts the generated tree on a filesystem of
its own in a file, which is unmounted and dropped from memory before every scan; it needs root.

duc, ncdu -o and gdu -o keep a record per entry, as this scan does; du -s gives one number. A scan
is called in this process, as a flow calls it, and starts its two processes every time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from autopack.deadline import Deadline
from autopack.io.storage_scan import scan
from autopack.io.storage_snapshots import packed
from autopack.storage.delta import delta
from autopack.storage.growth import growth
from autopack.storage.snapshot import Mode, Snapshot, totals, with_tree_sizes
from benchmarks.measure import Row, interleaved, show
from benchmarks.search import REPOSITORY

Work = Callable[[], object]
_SEED = 7
_HOUR_NS = 3_600_000_000_000
STORY = "command: scan, classify, report"


# --- trees ------------------------------------------------------------------------------------


class Planting:
    """A tree on its way: so many files, one in ten of them with something in it."""

    def __init__(self, root: Path, files: int) -> None:
        self.root, self.left, self.chance = root, files, random.Random(_SEED)

    def put(self, folder: Path, files: int) -> None:
        """Make files in a folder that is there."""
        for n in range(min(files, self.left)):
            word = self.chance.choice(("file", "mod", "test_data", "IMG"))
            with (folder / f"{word}_{n:05}.py").open("wb") as file:
                if self.chance.random() < 0.1:
                    file.write(b"x" * self.chance.randrange(4000))
        self.left -= min(files, self.left)

    def plant(self) -> None:
        """Make flat folders, chains, and small folders until all files are made."""
        unit = max(1, self.left // 300)
        for n in range(8):
            self._fill(self.root / f"flat{n}", 7 * unit)
        for n in range(60):
            folder = self.root / f"chain{n}"
            for level in range(60):
                self._fill(folder, 5 if unit > 100 else 1)
                folder /= f"level{level}"
        n = 0
        while self.left:
            folder = self.root / f"pkg{n // 400:03}/mod{n // 20 % 20:02}/sub{n % 20:02}"
            self._fill(folder, int(self.chance.expovariate(0.1)) + 2)
            n += 1

    def _fill(self, folder: Path, files: int) -> None:
        folder.mkdir(parents=True)
        self.put(folder, files)


# --- what is measured -------------------------------------------------------------------------


@dataclass
class Metered:
    """A work that notes the processor time of itself and of its children."""

    work: Work
    cpu: list[float] = field(default_factory=list)

    def __call__(self) -> None:
        before = sum(os.times()[:4])
        self.work()
        self.cpu.append(sum(os.times()[:4]) - before)


def ours(root: Path, mode: Mode, last: Snapshot | None = None) -> Snapshot:
    """Return a scan; its clock is an hour ahead, so that no folder is too young to be believed."""
    now_ns = time.time_ns() + _HOUR_NS
    return scan(root, mode, {}, last, Deadline.after(3600), now_ns=now_ns)


def peers(root: Path, folder: Path) -> dict[str, list[str]]:
    """Return the commands of the peers that are there."""
    commands = {
        "du -s": ["du", "-sx", str(root)],
        "duc index": ["duc", "index", "-x", "-q", "-d", str(folder / "duc.db"), str(root)],
        "ncdu -o": ["ncdu", "-0", "-x", "-o", str(folder / "ncdu.json"), str(root)],
        "gdu -o": ["gdu", "-n", "-p", "-x", "-i", "/nothing", "-o", str(folder / "gdu.json"),
                   str(root)],
        "find -printf": ["find", str(root), "-xdev", "-printf",
                         r"%m %n %U %i %s %b %T@ %C@ %D %P\0"],
    }  # fmt: skip
    return {name: command for name, command in commands.items() if shutil.which(command[0])}


def running(command: list[str]) -> Work:
    """Return a call of a command whose output goes nowhere."""
    return lambda: subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )


def story(root: Path, folder: Path) -> Work:
    """Return a whole `flows.storage_scan --mode full` as a command: scan, classify and report."""
    workspace = folder / "workspace"
    (workspace / "docs").mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "flows.storage_scan", "--root", str(root), "--mode", "full",
        "--engine", "direct", "--json", "--workspace", str(workspace),
    ]  # fmt: skip

    def run() -> None:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
        assert done.returncode in {0, 1}, done.stderr

    return run


def warm(root: Path, rounds: int, folder: Path) -> tuple[list[Row], dict[str, object]]:
    """Return the figures of one tree whose attributes are in memory."""
    last = ours(root, "full")
    commands = peers(root, folder)
    works = {name: Metered(running(command)) for name, command in commands.items()}
    works |= {
        "full": Metered(lambda: ours(root, "full")),
        "exact, no change": Metered(lambda: ours(root, "exact", last)),
        "fast, no change": Metered(lambda: ours(root, "fast", last)),
        STORY: Metered(story(root, folder)),
        "scan-rs": Metered(_scandir_rs(root)),
    }
    if not _has("scandir_rs"):
        del works["scan-rs"]
    times = dict(zip(works, interleaved(rounds, *works.values()), strict=True))
    rows = [
        Row(f"{root}: {mode}" + " scan" * (mode != STORY), times[mode], peer, times[peer])
        for mode, against in _AGAINST.items()
        for peer in against
        if peer in times
    ]
    notes: dict[str, object] = {
        f"{root}: processor s": {n: round(median(w.cpu), 3) for n, w in works.items()},
        f"{root}: entries": last.frame.height,
    }
    if "scan-rs" in times:
        notes[f"{root}: scandir-rs s"] = round(times["scan-rs"], 3)
    return rows, notes


_AGAINST = {
    "full": ("duc index", "ncdu -o", "gdu -o", "find -printf", "du -s"),
    "exact, no change": ("du -s", "full"),
    "fast, no change": ("du -s",),
    STORY: ("duc index",),
}


def _has(module: str) -> bool:
    with contextlib.suppress(ImportError):
        __import__(module)
        return True
    return False


def _scandir_rs(root: Path) -> Work:
    def run() -> None:
        import scandir_rs

        scandir_rs.Scandir(
            str(root), return_type=scandir_rs.ReturnType.Ext, skip_hidden=False
        ).collect()

    return run


# --- from the disk ----------------------------------------------------------------------------


class Image:
    """A filesystem of its own in a file, that can be forgotten."""

    def __init__(self, file: Path, point: Path) -> None:
        self.file, self.point = file, point
        with file.open("wb") as made:
            made.truncate(3 << 30)
        _must("mkfs.ext4", "-q", "-N", "500000", str(file))
        point.mkdir()
        self.mount()

    def mount(self) -> None:
        """Mount it."""
        _must("mount", "-o", "loop,noatime", str(self.file), str(self.point))

    def forget(self) -> None:
        """Take everything of it out of memory."""
        _must("umount", str(self.point))
        with self.file.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self.mount()


def _must(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def cold(files: int, rounds: int, folder: Path) -> list[Row]:
    """Return the figures of a tree that has to be read from the disk."""
    image = Image(folder / "image", folder / "mounted")
    try:
        root = image.point / "tree"
        Planting(root, files).plant()
        last = ours(root, "full")
        works = {name: running(command) for name, command in peers(root, folder).items()}
        works |= {
            "full": lambda: ours(root, "full"),
            "exact, no change": lambda: ours(root, "exact", last),
        }
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                image.forget()
                began = time.perf_counter()
                work()
                times[name].append(time.perf_counter() - began)
        middle = {name: median(taken) for name, taken in times.items()}
    finally:
        _must("umount", str(image.point))
    return [
        Row(f"from the disk: {mode}", middle[mode], peer, middle[peer])
        for mode in ("full", "exact, no change")
        for peer in middle
        if peer not in {"full", "exact, no change"}
    ]


# --- differences ------------------------------------------------------------------------------


def differences(root: Path, rounds: int) -> list[Row]:
    """Return the figures of the difference of two snapshots, 1 % each changed, new and gone."""
    import polars as pl

    last = ours(root, "full")
    frame = last.frame
    row = pl.int_range(pl.len())
    after = frame.filter(row % 100 != 1).with_columns(
        size=pl.when(row % 100 == 2).then(pl.col("size") + 1).otherwise("size"),
        path=pl.when(row % 100 == 3).then(pl.col("path") + "-new").otherwise("path"),
    ).sort("path")  # fmt: skip
    database = sqlite3.connect(":memory:")
    columns = ["path", "size", "mtime_ns", "ctime_ns", "ino", "dev", "mode"]
    for name, side in (("old", frame), ("new", after)):
        database.execute(f"create table {name} ({', '.join(columns)}, primary key (path))")
        marks = ", ".join("?" * len(columns))
        rows = side.select(columns).iter_rows()
        database.executemany(f"insert into {name} values ({marks})", rows)
    found = delta(frame, after)

    def sqlite() -> None:
        counted = [len(database.execute(query).fetchall()) for query in _QUERIES]
        assert counted == [found.new.height, found.gone.height, found.changed.height]

    sized = with_tree_sizes(frame), with_tree_sizes(after)

    def grown() -> None:
        growth(*sized, 20)

    times = interleaved(
        rounds, lambda: delta(frame, after), sqlite, grown,
        lambda: packed(last), lambda: with_tree_sizes(frame), lambda: totals(frame),
    )  # fmt: skip
    names = ("delta", "growth by folder", "snapshot as Parquet", "recursive sizes", "totals")
    ours_s = (times[0], *times[2:])
    return [
        Row(f"{name}, {frame.height} rows", taken, "SQLite", times[1])
        for name, taken in zip(names, ours_s, strict=True)
    ]


_QUERIES = (
    "select n.* from new n left join old o using (path) where o.path is null",
    "select o.* from old o left join new n using (path) where n.path is null",
    "select n.*, o.size from new n join old o using (path) where n.size <> o.size"
    " or n.mtime_ns <> o.mtime_ns or n.ctime_ns <> o.ctime_ns or n.ino <> o.ino"
    " or n.dev <> o.dev or n.mode <> o.mode",
)


# --- memory -----------------------------------------------------------------------------------


def peak_of(command: list[str]) -> float:
    """Return the peak memory of a command and its children together, in megabytes.

    It is the proportional set size, sampled: a page that processes share is there once.
    """
    peak = 0.0
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY
    ) as running_one:
        while running_one.poll() is None:
            pids = (running_one.pid, *_children(running_one.pid))
            peak = max(peak, sum(map(_proportional_mb, pids)))
            time.sleep(0.01)
    return peak


def _proportional_mb(pid: int) -> float:
    with contextlib.suppress(OSError, IndexError):
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(told.partition("Pss:")[2].split()[0]) / 1024
    return 0.0


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for found in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(found)


def memory(root: Path, folder: Path) -> dict[str, object]:
    """Return peaks of memory, each of a process and its children."""
    commands = {name: peers(root, folder).get(name) for name in ("gdu -o", "duc index")}
    found = {name: round(peak_of(command)) for name, command in commands.items() if command}
    found["full scan, three processes"] = round(peak_of(_once(root)))
    found["Python with polars and a scan of nothing"] = round(peak_of(_once(folder / "nothing")))
    return {f"{root}: peak MB": found}


def _once(root: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.storage", "--once", str(root)]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, default=Path("/usr"))
    parser.add_argument("--files", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--once", type=Path, help="scan a tree once, and nothing else")
    args = parser.parse_args()
    if args.once:
        ours(args.once, "full")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "nothing").mkdir()
        generated = folder / "generated"
        Planting(generated, args.files).plant()
        rows: list[Row] = []
        notes: dict[str, object] = {"load": os.getloadavg()}
        for root in (generated, args.tree):
            found, told = warm(root, args.rounds, folder)
            rows += found
            notes |= told
        rows += differences(generated, args.rounds)
        notes |= memory(generated, folder)
        if args.cold:
            rows += cold(args.files, args.rounds, folder)
        notes["load at the end"] = os.getloadavg()
        names = set(peers(generated, folder))
        notes["peers that are not there"] = sorted(_PEERS - names)
        show(rows, notes)


_PEERS = {"du -s", "duc index", "ncdu -o", "gdu -o", "find -printf"}

if __name__ == "__main__":
    main()

"""What changed, line by line: git compares two private folders, outside any repository."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.io.git import ask_git

_ALIKE = (
    "-c", "core.attributesFile=/dev/null", "-c", "core.autocrlf=false",
    "-c", "core.quotePath=true", "diff", "--no-index",
    "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--diff-algorithm=myers",
)  # fmt: skip
"""The same answer whatever the user's own configuration says, and no program but git runs."""


class Content(NamedTuple):
    """What a name holds: a file's bytes, or where a link leads. None where nothing is."""

    data: bytes | None
    link: bool = False
    executable: bool = False


Pair = tuple[Content, Content]


def lines_changed(pairs: Iterable[Pair], deadline: Deadline) -> int:
    """Return the lines added and removed, as `git diff --numstat` counts them.

    Files that git takes for binary count their newlines, before and afterwards.

    Raises:
        Unreachable: There is no git.
    """
    numbered = {f"{number:07d}": pair for number, pair in enumerate(pairs)}
    if not numbered:
        return 0
    total = 0
    for line in _diff(numbered, ("--numstat",), deadline).decode().splitlines():
        added, removed, name = line.split("\t")
        if added == "-":
            total += sum((side.data or b"").count(b"\n") + 1 for side in _of(name, numbered))
        else:
            total += int(added) + int(removed)
    return total


def _of(name: str, numbered: Mapping[str, Pair]) -> Pair:
    return numbered[name.rstrip("}").rpartition("/")[2]]


def patch_of(pairs: Mapping[str, Pair], deadline: Deadline) -> bytes:
    """Return a patch that `git apply` takes, forwards and with `-R`; raises as `lines_changed`."""
    options = ("--binary", "--full-index", "--src-prefix=", "--dst-prefix=")
    return _diff(pairs, options, deadline) if pairs else b""


def _diff(pairs: Mapping[str, Pair], options: tuple[str, ...], deadline: Deadline) -> bytes:
    with _laid_out(pairs) as folder:
        words = (*_ALIKE, *options, "a", "b")
        try:
            done = ask_git(folder, deadline, *words, limit_s=120, doing="comparing files")
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unreachable(
                f"git, which compares files, cannot be asked: {error}",
                next_step="install git and run again",
                permanent=True,
            ) from None
    if done.returncode > 1:
        raise Unreachable(f"git diff failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


@contextmanager
def _laid_out(pairs: Mapping[str, Pair]) -> Iterator[Path]:
    """Give a private folder with `a`, what was, and `b`, what is."""
    with tempfile.TemporaryDirectory(prefix="autopack-diff-") as name:
        folder = Path(os.path.realpath(name))
        for side in ("a", "b"):
            (folder / side).mkdir()
        for path, (before, after) in pairs.items():
            _put(folder / "a" / path, before)
            _put(folder / "b" / path, after)
        yield folder


def _put(path: Path, content: Content) -> None:
    if content.data is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if content.link:
        path.symlink_to(os.fsdecode(content.data))
        return
    path.write_bytes(content.data)
    path.chmod(0o755 if content.executable else 0o644)

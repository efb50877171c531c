"""Read specs, policies and lists of paths; nothing here writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import IO

from autopack.errors import Unreachable, UsageError
from autopack.phases.document import MAX_BYTES
from autopack.phases.policy import OWN, Policy, laid_over, packaged

LONGEST_LINE = 1 << 16
"""A longer line is no path; its rest is read over."""


def read_spec(name: str) -> bytes:
    """Return a spec's bytes, one more than may be at most.

    Raises:
        UsageError: There is no such file.
        Unreachable: It cannot be read.
    """
    return _bytes_of(Path(name), name, "pass the path of a phase spec or a plan")


def _bytes_of(path: Path, name: str, advice: str) -> bytes:
    if not path.exists():
        raise UsageError(f"{name} does not exist", next_step=advice)
    if not path.is_file():
        raise UsageError(f"{name} is no file", next_step=advice)
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreachable(
            f"{name}: {error.strerror}", next_step=f"make {name} a readable file"
        ) from None


def read_policy(root: Path, name: str | None) -> Policy:
    """Return the policy: the packaged one, and over it a named file or the workspace's own.

    Raises:
        UsageError: The file is missing or is no policy; the message says in which line.
        Unreachable: It cannot be read.
    """
    base = packaged(files("autopack.phases").joinpath("default_policy.yaml").read_bytes())
    if name is not None:
        return laid_over(base, name, _bytes_of(Path(name), name, f"write one, as {OWN}"))
    own = root / OWN
    if not os.path.lexists(own):
        return base
    return laid_over(base, OWN, _bytes_of(own, OWN, f"make {OWN} a file, or remove it"))


def lines_of(stream: IO[bytes]) -> Iterator[str]:
    """Yield each line without its end, one for one; bytes that are no UTF-8 become surrogates.

    Only a newline ends a line. A line longer than any path is cut, and stays longer than one.
    """
    while line := stream.readline(LONGEST_LINE):
        rest = line
        while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
            rest = stream.readline(LONGEST_LINE)
        yield line.removesuffix(b"\n").decode("utf-8", "surrogateescape")


def name_within(root: Path, name: str) -> str:
    """Return a file's name as a report shows it: from the workspace's root if it is inside."""
    path = Path(os.path.abspath(name))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else name

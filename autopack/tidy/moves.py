"""What a move is: a thing as it was planned, where it goes, and how that ended."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Literal

Kind = Literal["file", "folder"]
Status = Literal[
    "moved", "gone", "changed", "dest_exists", "identical", "locked", "permission", "space",
    "needs_manual", "unknown", "deferred",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """A file as it was planned; `digest` is the BLAKE2b of its content, in hex.

    For a folder, size is the sum of its files, `mtime_ns` the newest of them, and the digest is
    taken over the names, sizes and times of all that is in it.
    """

    dev: int
    ino: int
    size: int
    mtime_ns: int
    digest: str
    kind: Kind = "file"

    def same_content(self, other: Identity | None) -> bool:
        """Return whether the other one holds the same, wherever it lies and whenever written."""
        mine = (self.kind, self.size, self.digest)
        return other is not None and mine == (other.kind, other.size, other.digest)

    def same_file(self, other: Identity | None) -> bool:
        """Return whether it is the same file, unchanged; a device may change its number."""
        if other is None or not self.same_content(other):
            return False
        return (self.ino, self.mtime_ns) == (other.ino, other.mtime_ns)


@dataclass(frozen=True, slots=True)
class Move:
    """One file or folder to move, by paths of the workspace.

    Raises:
        ValueError: A path leads out of the workspace, or one lies inside the other.
    """

    source: str
    destination: str
    identity: Identity
    rule: str
    reason: str
    phase: str

    def __post_init__(self) -> None:
        check_pair(self.source, self.destination)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Move:
        """Return what `as_json` wrote; anything else is a ValueError, KeyError or TypeError."""
        return cls(**{**data, "identity": Identity(**data["identity"])})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a move ended, and the next step for whoever wants it to end otherwise."""

    move: Move
    status: Status
    detail: str = ""
    next_step: str = ""


def check_pair(source: str, destination: str) -> None:
    """Raise ValueError unless both are plain paths inside a workspace, apart from each other."""
    for path in (source, destination):
        parts = path.split("/")
        if "\0" in path or any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{path!r} is not a path inside a workspace")
    if f"{destination}/".startswith(f"{source}/") or f"{source}/".startswith(f"{destination}/"):
        raise ValueError(f"{source!r} cannot be moved to {destination!r}: one holds the other")


def superseded(move: Move, folder: str) -> Move:
    """Return the move of an identical duplicate into `folder`, under the path it had."""
    place = f"{folder}/{move.source}"
    reason = f"{move.destination} holds the same bytes"
    return replace(move, destination=place, rule="superseded", reason=reason)


def batches(moves: Iterable[Move], most: int) -> Iterator[list[Move]]:
    """Yield runs of at most `most` moves of which none touches a path of another."""
    batch: list[Move] = []
    taken: set[str] = set()
    above: set[str] = set()
    for move in moves:
        paths = {move.source, move.destination}
        parents = {str(p) for path in paths for p in PurePosixPath(path).parents}
        if batch and (len(batch) >= most or paths & (taken | above) or parents & taken):
            yield batch
            batch, taken, above = [], set(), set()
        batch.append(move)
        taken |= paths
        above |= parents
    if batch:
        yield batch


# --- what the system says ---------------------------------------------------------------------

_BY_ERRNO: dict[int, Status] = {
    errno.EACCES: "permission", errno.EPERM: "permission", errno.EROFS: "permission",
    errno.ENOSPC: "space", errno.EDQUOT: "space", errno.EFBIG: "space",
    errno.EBUSY: "locked", errno.ETXTBSY: "locked", errno.EAGAIN: "locked", errno.ENOLCK: "locked",
    errno.ENOENT: "gone", errno.EEXIST: "dest_exists", errno.ENOTEMPTY: "dest_exists",
    errno.ENAMETOOLONG: "needs_manual", errno.ELOOP: "needs_manual", errno.ENOTDIR: "needs_manual",
    errno.EISDIR: "needs_manual", errno.EINVAL: "needs_manual", errno.EILSEQ: "needs_manual",
    errno.EMLINK: "needs_manual", errno.EXDEV: "needs_manual", errno.ENOTSUP: "needs_manual",
}  # fmt: skip
_BY_WINERROR: dict[int, Status] = {
    2: "gone", 3: "gone", 5: "permission", 19: "permission", 32: "locked", 33: "locked",
    39: "space", 80: "dest_exists", 112: "space", 183: "dest_exists", 206: "needs_manual",
}  # fmt: skip
_NEXT: dict[Status, str] = {
    "gone": "nothing: it is not there any more",
    "changed": "run again: it is planned afresh",
    "dest_exists": "compare the two, keep one, then run again",
    "identical": "keep one of the two, then run again",
    "locked": "close the program that has it open; it is tried again later",
    "permission": "fix the permissions of the file and of both folders, then run again",
    "space": "free disk space; it is tried again later",
    "needs_manual": "move it by hand",
    "unknown": "look at the error; it is tried again later",
    "deferred": "run again with a larger --max-seconds",
}


def status_of(number: int | None, winerror: int | None = None) -> Status:
    """Return what an error number of the system means for a move; Windows' own goes first."""
    if winerror is not None and winerror in _BY_WINERROR:
        return _BY_WINERROR[winerror]
    return _BY_ERRNO.get(number or 0, "unknown")


def next_step(status: Status) -> str:
    """Return what a person can do after this status; nothing after a move."""
    return _NEXT.get(status, "")


def ended(move: Move, status: Status, detail: str = "") -> Outcome:
    """Return the outcome with its next step."""
    return Outcome(move, status, detail, next_step(status))

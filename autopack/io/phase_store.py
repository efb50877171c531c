"""Where the starts of phases are kept until their ends, and how it is seen that they are whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import Refused, Unreachable
from autopack.io import audit
from autopack.io.beneath import opened, opened_root, split
from autopack.io.fingerprint import NotPlain, open_plain
from autopack.io.replace import remove_file, replace_file
from autopack.phases.snapshot import Snapshot, Unreadable, packed, unpacked
from autopack.state_files import PHASES

if TYPE_CHECKING:
    from autopack.io.locks import Fence

FOLDER = PHASES
OPEN, DONE, LEFT = ".json", ".done", ".left"
"""How a snapshot's file ends: its phase is open, ended clean, or was begun anew."""
EVENT = "phase-begin"


@dataclass(frozen=True)
class Kept:
    """A snapshot that is there: its run, its own digest and the file's bytes."""

    run: str
    digest: str
    data: bytes
    snapshot: Snapshot


def open_runs(root: Path) -> list[str]:
    """Return the runs whose phase began and has not ended, the oldest first."""
    try:
        names = sorted(os.listdir(root / FOLDER))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(FOLDER, error) from None
    return [name.removesuffix(OPEN) for name in names if name.endswith(OPEN)]


def load(root: Path, run: str, again: str) -> Kept:
    """Return a snapshot that is as it was written; `again` is the command that begins anew.

    Raises:
        Refused: It, or the audit chain that pins it, was changed since.
        Unreachable: It cannot be read.
    """
    name = f"{FOLDER}/{run}{OPEN}"
    data = plain_bytes(root, name, again)
    try:
        snapshot, digest = unpacked(data)
    except Unreadable as why:
        raise tampered(name, str(why), again) from None
    if bad := audit.verify(root / audit.AUDIT_FILE):
        where = f"{audit.AUDIT_FILE}:{bad.line}"
        if bad.kind == "tampered":
            raise tampered(where, bad.why, again)
    if snapshot.run != run or digest not in audited(root, run):
        raise tampered(name, "the audit chain knows another one", again)
    return Kept(run, digest, data, snapshot)


def plain_bytes(root: Path, name: str, again: str) -> bytes:
    """Return what a file of a run holds.

    Raises:
        Refused: It is a link, a pipe or another thing that no run made, or is gone.
        Unreachable: It cannot be read.
    """
    folder, last = split(name)
    try:
        with (
            opened_root(root) as top,
            opened(top, folder) as held,
            open_plain(held, last) as descriptor,
            open(descriptor, "rb", closefd=False) as file,
        ):
            return file.read()
    except (NotPlain, FileNotFoundError, NotADirectoryError) as error:
        raise tampered(name, str(error.strerror), again) from None
    except OSError as error:
        raise _unreadable(name, error) from None


def audited(root: Path, run: str) -> list[str]:
    """Return the digests that the audit chain has for a run."""
    return [digest for name, digest in begun(root) if name == run]


def begun(root: Path) -> list[tuple[str, str]]:
    """Return the runs that the audit chain knows, each with its snapshot's digest, oldest first."""
    return [
        (str(record.get("run")), str(record.get("snapshot_sha256")))
        for record in audit.records(root, about=f'"{EVENT}"')
        if record.get("event") == EVENT
    ]


def is_done(root: Path, run: str) -> bool:
    """Return whether a run has ended clean."""
    return os.path.lexists(root / f"{FOLDER}/{run}{DONE}")


def save(root: Path, snapshot: Snapshot, contents: bytes, fence: Fence) -> tuple[str, list[str]]:
    """Keep a snapshot and earlier contents; return its digest and the files that were written.

    The digest is in the audit chain before the snapshot takes its name, which is what opens the
    phase.
    """
    data, digest = packed(snapshot)
    names = [contents_name(snapshot.run), f"{FOLDER}/{snapshot.run}{OPEN}"]
    replace_file(root, names[0], None, contents, fence)
    record = {"event": EVENT, "run": snapshot.run, "snapshot_sha256": digest}
    audit.append(root, {"flow": "phase-check-begin", **record})
    replace_file(root, names[1], None, data, fence)
    return digest, names


def put_away(root: Path, run: str, data: bytes, suffix: str, fence: Fence) -> str:
    """Give an open snapshot its other name, so that the phase is open no more; return that name.

    A run that was killed between the two steps is taken up where it stopped.
    """
    name = f"{FOLDER}/{run}{suffix}"
    made = root / name
    replace_file(
        root, name, data if made.is_file() and made.read_bytes() == data else None, data, fence
    )
    remove_file(root, f"{FOLDER}/{run}{OPEN}", data, fence)
    return name


def contents_name(run: str) -> str:
    """Return the file that holds what a run's files were."""
    return f"{FOLDER}/{run}/before.zip"


def tampered(name: str, why: str, again: str) -> Refused:
    """Return the refusal of a snapshot that nobody can trust."""
    return Refused(
        f"{name} cannot be trusted: {why}; what the phase did cannot be told",
        next_step=f"look at the workspace by hand, then: {again}",
    )


def _unreadable(name: str, error: OSError) -> Unreachable:
    return Unreachable(f"{name}: {error.strerror}", next_step=f"make {name} readable")

"""The journals of moves on disk: one file per run, appended under its own lock."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopack.errors import Busy, Unreachable, UsageError
from autopack.io.replace import sync_folder
from autopack.state_files import TIDY_JOURNALS
from autopack.tidy.journal import SCHEMA, Intent, Journal, replay
from autopack.tidy.moves import Identity

JOURNALS = TIDY_JOURNALS
_RUN = re.compile(r"\w[\w.-]{0,120}")
_TAIL = 64


def journal_path(root: Path, run: str) -> Path:
    """Return where a run's journal is.

    Raises:
        UsageError: The run has a name that no file can have.
    """
    if not _RUN.fullmatch(run):
        raise UsageError(f"{run[:80]!r} cannot name a run", next_step="use letters, digits, - _ .")
    return root / JOURNALS / f"{run}.jsonl"


def read_journal(root: Path, run: str) -> Journal:
    """Return what a run's journal says.

    Raises:
        UsageError: There is none.
        Unreachable: It cannot be read.
    """
    try:
        return replay(run, journal_path(root, run).read_bytes())
    except FileNotFoundError:
        raise UsageError(
            f"run {run} has moved nothing here: {JOURNALS}/{run}.jsonl is not there",
            next_step=f"ls {shlex.quote(str(root / JOURNALS))}",
        ) from None
    except OSError as error:
        raise _failed(journal_path(root, run), error) from error


def unfinished(root: Path) -> list[str]:
    """Return the runs whose journal does not end with `end`, oldest name first.

    Raises:
        Unreachable: A journal cannot be read.
    """
    folder = root / JOURNALS
    found = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    return [path.stem for path in found if not _ends(path)]


def _ends(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            return file.read().endswith(b'{"event":"end"}\n')
    except OSError as error:
        raise _failed(path, error) from error


class JournalWriter:
    """A journal that is open for appending; nothing else appends to it meanwhile."""

    def __init__(self, descriptor: int, journal: Journal) -> None:
        self._descriptor = descriptor
        self._torn = False
        self.journal = journal
        self.seq = journal.next_seq

    def begin(self, data: bytes, about: Mapping[str, str]) -> None:
        """Start the file, or go on after what it holds; a line cut short stays as it is."""
        self._torn = bool(data) and not data.endswith(b"\n")
        if not data:
            time = datetime.now(UTC).isoformat(timespec="milliseconds")
            head = {"event": "run", "schema": SCHEMA, "run": self.journal.run, "time": time}
            self._append([{**head, **about}])

    def intend(self, intents: list[Intent]) -> None:
        """Write down what is about to be moved, and wait until it is on disk."""
        self._append([intent.as_json() for intent in intents])
        self.sync()

    def step(self, intent: Intent, event: str, **more: Any) -> None:
        """Write down a step inside a move, and wait until it is on disk."""
        self._append([{"event": event, "seq": intent.seq, **more}])
        self.sync()

    def end(
        self, event: str, intent: Intent, state: str, detail: str = "", to: Identity | None = None
    ) -> None:
        """Write down how a move ended; the next `sync` waits for it."""
        line: dict[str, Any] = {"event": event, "seq": intent.seq, "state": state}
        if detail:
            line["detail"] = detail
        if to is not None:
            line["result"] = {name: getattr(to, name) for name in to.__slots__}
        self._append([line])

    def close(self) -> None:
        """Mark the journal as finished, and wait until it is on disk."""
        self._append([{"event": "end"}])
        self.sync()

    def sync(self) -> None:
        """Wait until every line is on disk."""
        os.fsync(self._descriptor)

    def _append(self, lines: list[dict[str, Any]]) -> None:
        told = (json.dumps(line, ensure_ascii=True, separators=(",", ":")) for line in lines)
        data = ("\n" * self._torn + "".join(f"{line}\n" for line in told)).encode()
        self._torn = True
        if os.write(self._descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, "the disk took only a part of the journal's line")
        self._torn = False


@contextmanager
def appending(root: Path, run: str, **about: str) -> Iterator[JournalWriter]:
    """Open a run's journal, made where there is none; `about` goes into its first line.

    Raises:
        Busy: A process that moves files for the same run is alive.
        Unreachable: It cannot be written.
    """
    path = journal_path(root, run)
    try:
        descriptor, fresh = _opened(path)
    except OSError as error:
        raise _failed(path, error) from error
    try:
        _lock(descriptor, path)
        data = path.read_bytes()
        writer = JournalWriter(descriptor, replay(run, data))
        writer.begin(data, about)
        if fresh:
            for folder in list(path.parents)[:3]:
                sync_folder(folder)
        yield writer
    finally:
        os.close(descriptor)


def _opened(path: Path) -> tuple[int, bool]:
    fresh = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, 0o644), fresh


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"{path.name}: its run is moving files now", next_step="run again") from None


def _failed(path: Path, error: OSError) -> Unreachable:
    return Unreachable(
        f"journal {path.name}: {error.strerror or error}; nothing was moved",
        next_step="free disk space or fix the permissions, then run again",
        permanent=True,
    )

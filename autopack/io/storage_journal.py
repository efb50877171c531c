"""The journals of runs that move things away, on disk: one folder per run, with its papers.

`.autonomous_runs/storage/<run>/` holds `journal.jsonl`, appended under its own flock with an fsync
for every line, and the report and approvals of the run as they were when it began.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopack.errors import Busy, Refused, Unreachable, UsageError
from autopack.io.replace import sync_folder
from autopack.io.storage_reports import parse_report
from autopack.state_files import STORAGE
from autopack.storage.journal import SCHEMA, Entry, Journal, line, replay
from autopack.storage.schema import Approval, CleanupReport

JOURNAL = "journal.jsonl"
REPORT = "report.json"
APPROVAL = "approval.json"
PURGE = "purge-{}.json"
"""The approval of a purge, by the beginning of its id."""
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,100}")


def run_of(approval: Approval) -> str:
    """Return the name of the one run that an approval allows."""
    return f"{approval.created:%Y%m%dT%H%M%SZ}-{approval.id.removeprefix('sha256:')[:12]}"


def folder_of(root: Path, run: str) -> Path:
    """Return the folder of a run.

    Raises:
        UsageError: The run has a name that none can have.
        Refused: A link leads to it, perhaps out of the workspace.
    """
    if not _RUN.fullmatch(run):
        raise UsageError(f"{run[:80]!r} cannot name a run", next_step=f"ls {STORAGE}")
    folder = root / STORAGE / run
    for path in (folder, folder.parent, folder.parent.parent):
        if path.is_symlink():
            raise Refused(
                f"{path.relative_to(root)} is a link, and what a run has done is kept behind none",
                next_step="put the folder itself there",
            )
    return folder


def read_journal(root: Path, run: str) -> Journal:
    """Return what a run's journal says.

    Raises:
        UsageError: There is none.
        Refused: It was changed by something else than a run.
        Unreachable: It cannot be read.
    """
    path = folder_of(root, run) / JOURNAL
    try:
        return _sound(replay(path.read_bytes()), path.relative_to(root))
    except FileNotFoundError:
        raise nothing_moved(root, run) from None
    except OSError as error:
        raise _failed(path, error) from error


def nothing_moved(root: Path, run: str) -> UsageError:
    """Return what to raise where a run has no journal, or one without a record."""
    shown = (folder_of(root, run) / JOURNAL).relative_to(root)
    return UsageError(
        f"run {run} has moved nothing here: {shown} is not there, or is empty",
        next_step=f"ls {STORAGE}",
    )


def _sound(journal: Journal, shown: Path) -> Journal:
    if journal.bad:
        raise Refused(
            f"{shown}: {journal.bad}: it was changed by hand, so it cannot be followed",
            next_step="compare it with a backup, and with python -m flows.audit verify",
        )
    return journal


def runs(root: Path) -> list[str]:
    """Return the runs that have a journal, oldest first."""
    folder = root / STORAGE
    found = sorted(folder.glob(f"*/{JOURNAL}")) if folder.is_dir() else []
    return [path.parent.name for path in found]


def keep_papers(root: Path, run: str, papers: dict[str, bytes]) -> None:
    """Put the papers of a run into its folder, where they are not yet, and wait for the disk.

    Raises:
        Refused: Another paper is there under the same name.
        Unreachable: They cannot be written.
    """
    folder = folder_of(root, run)
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for name, data in papers.items():
            _keep(folder, name, data)
        for made in (folder, folder.parent, folder.parent.parent):
            sync_folder(made)
    except OSError as error:
        raise _failed(folder, error) from error


def _keep(folder: Path, name: str, data: bytes) -> None:
    """Write a paper whole: under a name of its own first, then under its name, which is free."""
    path, made = folder / name, folder / f".{name}.{os.getpid()}"
    if not path.exists():
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(made, flags, 0o644), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(made, path)
    elif path.read_bytes() != data:
        raise Refused(
            f"{STORAGE}/{folder.name}/{name} is another paper than this one",
            next_step="approve again, which makes another run",
        )


def read_papers(root: Path, run: str) -> tuple[CleanupReport, Approval]:
    """Return the report and the approval of a run.

    Raises:
        Refused: They are not as they were written, or are those of another run.
        Unreachable: They cannot be read.
    """
    folder = folder_of(root, run)
    try:
        texts = [(folder / name).read_bytes() for name in (REPORT, APPROVAL)]
        report = parse_report(REPORT, texts[0])
        approval = Approval.model_validate_json(texts[1])
    except FileNotFoundError:
        raise _not_its_own(run) from None
    except OSError as error:
        raise _failed(folder, error) from error
    except (ValueError, UsageError):
        raise _not_its_own(run) from None
    about = approval.subject == report.id and run_of(approval) == run
    if approval.data() != texts[1] or not about:
        raise _not_its_own(run)
    return report, approval


def _not_its_own(run: str) -> Refused:
    return Refused(
        f"the papers in {STORAGE}/{run} are not those that the run began with",
        next_step="put back report.json and approval.json from a backup",
    )


class JournalWriter:
    """A journal that is open for appending; nothing else appends to it meanwhile."""

    def __init__(self, descriptor: int, data: bytes, journal: Journal) -> None:
        self._descriptor = descriptor
        self._data = bytearray(data)
        self._last = journal.torn or _last_line(data)
        self._torn = bool(journal.torn)
        self._cut = bool(data) and not data.endswith(b"\n")
        self._seq = journal.seq

    @property
    def journal(self) -> Journal:
        """What the journal says by now."""
        return replay(bytes(self._data))

    def write(self, event: str, **record: Any) -> None:
        """Append one line and wait until it is on disk.

        Raises:
            Unreachable: The disk is full or broken.
        """
        made = line(self._seq + 1, self._last, self._torn, {"event": event, **record})
        data = b"\n" * self._cut + made
        self._cut = True
        try:
            written = os.write(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError as error:
            raise _failed(Path(JOURNAL), error) from error
        if written != len(data):
            raise _failed(Path(JOURNAL), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        self._data += data
        self._last, self._torn, self._cut = made[:-1], False, False
        self._seq += 1

    def begin(self, entry: Entry, event: str = "moving", **more: Any) -> None:
        """Write down what is about to happen to an item, or why nothing does."""
        self.write(
            event, no=entry.no, item=entry.item, root=entry.root, path=entry.path,
            place=entry.place, dev=entry.dev, ino=entry.ino, **more,
        )  # fmt: skip


def _last_line(data: bytes) -> bytes | None:
    return data.rstrip(b"\n").rpartition(b"\n")[2] if data else None


@contextmanager
def appending(root: Path, run: str, about: dict[str, str] | None = None) -> Iterator[JournalWriter]:
    """Open a run's journal for appending; with `about` it is begun where there is none.

    Raises:
        Busy: A process that works on the same run is alive.
        Refused: It was changed by something else than a run.
        UsageError: There is none.
        Unreachable: It cannot be written.
    """
    path = folder_of(root, run) / JOURNAL
    if about is None and not read_journal(root, run).seq:
        raise nothing_moved(root, run)
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        raise _failed(path, error) from error
    try:
        _lock(descriptor, run)
        data = path.read_bytes()
        writer = JournalWriter(descriptor, data, _sound(replay(data), path.relative_to(root)))
        if not writer.journal.seq:
            _head(writer, run, about or {})
            sync_folder(path.parent)
        yield writer
    finally:
        os.close(descriptor)


def _head(writer: JournalWriter, run: str, about: dict[str, str]) -> None:
    writer.write("run", schema=SCHEMA, run=run, time=now(), **about)


def now() -> str:
    """Return the time as the journal has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _lock(descriptor: int, run: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"run {run} is at work", next_step="run again") from None


def _failed(path: Path, error: OSError) -> Unreachable:
    return Unreachable(
        f"{path.name}: {error.strerror or error}; what is written down stays",
        next_step="free disk space or fix the permissions, then run again",
        permanent=True,
    )

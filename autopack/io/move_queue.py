"""The queue of pending moves on disk, and the moves tried again from it.

The file is replaced as a whole, on disk, before and after every batch of moves. What a crash leaves
in between needs no record: the attempt is counted before it begins, and an item whose destination
holds it is done. A file that cannot be read is renamed to a name that says so, never deleted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.deadline import Deadline
from autopack.errors import Unreachable
from autopack.io import beneath
from autopack.io.files import read_page
from autopack.io.fingerprint import fingerprint
from autopack.io.move_act import exists, failed, vanished
from autopack.io.moves import BATCH, apply
from autopack.io.no_replace import rename_no_replace
from autopack.io.replace import replace_file, standing, sync_folder
from autopack.report import Finding
from autopack.state_files import OLD_TIDY_QUEUE, TIDY_QUEUE
from autopack.tidy.moves import Identity, Move, Outcome
from autopack.tidy.queue import CAPS, Caps, Change, Pending, Queue, absorb, aged, begun, gone
from autopack.tidy.queue_json import Unreadable, of_json, of_old_json, to_json

if TYPE_CHECKING:
    from autopack.io.locks import Fence

QUEUE_FILE = TIDY_QUEUE
OLD_FILE = OLD_TIDY_QUEUE
MENDED = ("dest_exists", "identical", "permission")
"""Reasons that a person takes away, so that a look can tell whether another try is worth it."""
_NOBODY = Identity(0, 0, 0, 0, "")


@dataclass
class QueueFile:
    """The queue as it was read; `save` refuses when the file has changed since."""

    root: Path
    queue: Queue
    caps: Caps = CAPS
    findings: list[Finding] = field(default_factory=list)
    _data: bytes | None = None
    _aside: list[tuple[str, str]] = field(default_factory=list)

    def take(self, change: Change) -> None:
        """Go on with a changed queue, and note what found no place in it or waited too long."""
        self.queue = change.queue
        for outcome in change.refused:
            told = f"the queue is full ({self.caps.items} moves): not queued; {outcome.detail}"
            self._found("queue_full", outcome.move.source, told, "run again when others are done")
        for item in change.late:
            self._found("queue_late", item.source, item.detail, f"move it to {item.destination}")

    def save(self, fence: Fence) -> None:
        """Write the queue where it differs from the file, and wait until it is on disk.

        Raises:
            Refused: Another process has changed the file, or the lock was lost.
            Unreachable: It cannot be written; the file holds what it held.
        """
        if not self.queue.items and self._data is None and not self._aside:
            return
        data = self._within_bytes()
        if data == self._data and not self._aside:
            return
        folder = (self.root / QUEUE_FILE).parent
        with _told(QUEUE_FILE):
            folder.mkdir(parents=True, exist_ok=True)
            self._put_aside(fence, QUEUE_FILE)
        replace_file(self.root, QUEUE_FILE, self._data, data, fence)
        self._data = data
        with _told(OLD_FILE):
            self._put_aside(fence, OLD_FILE)

    def _within_bytes(self) -> bytes:
        """Return the file's bytes; what is settled makes room first, and then it is told."""
        data = to_json(self.queue)
        if len(data) <= self.caps.file_bytes:
            return data
        settled = [item.id for item in self.queue.items.values() if item.state in ("done", "gone")]
        self.queue = self.queue.without(settled)
        data = to_json(self.queue)
        if len(data) > self.caps.file_bytes:
            told = f"{len(data)} bytes, more than {self.caps.file_bytes}; nothing was left out"
            self._found("queue_large", QUEUE_FILE, told, "settle what needs a person")
        return data

    def _put_aside(self, fence: Fence, name: str) -> None:
        for path, suffix in [pair for pair in self._aside if pair[0] == name]:
            with fence():
                _beside(self.root / path, suffix)
            self._aside.remove((path, suffix))
            self._data = None if path == QUEUE_FILE else self._data

    def _found(self, code: str, path: str, message: str, fix: str) -> None:
        found = Finding(code, "warning", path, None, message, fix)
        if found not in self.findings:
            self.findings.append(found)


def read_queue(root: Path, now: datetime, caps: Caps = CAPS) -> QueueFile:
    """Return the queue, with what the tidy before this one left waiting; nothing is written.

    A file that cannot be read is a finding, and is put beside by the first `save`.

    Raises:
        Refused: A later version of this program wrote it.
        Unreachable: It is there but cannot be read.
    """
    data = read_page(root, QUEUE_FILE)
    file = QueueFile(root, Queue(), caps, _data=data)
    if data is not None:
        queue, wrong = _parsed(lambda: of_json(data))
        file.queue = queue
        if wrong:
            file._aside.append((QUEUE_FILE, "corrupt"))
            _report(file, "queue_corrupt", QUEUE_FILE, wrong)
    _import_old(file, read_page(root, OLD_FILE), now)
    file.take(aged(file.queue, now, caps))
    return file


def _import_old(file: QueueFile, data: bytes | None, now: datetime) -> None:
    if data is None:
        return
    old, wrong = _parsed(lambda: of_old_json(data, now))
    fresh = [item for key, item in old.items.items() if key not in file.queue.items]
    file.queue = file.queue.with_items(fresh)
    file._aside.append((OLD_FILE, "corrupt" if wrong and not old.items else "imported"))
    if wrong:
        _report(file, "old_queue_corrupt", OLD_FILE, wrong)


def _parsed(read: Callable[[], tuple[Queue, list[str]]]) -> tuple[Queue, list[str]]:
    try:
        return read()
    except Unreadable as error:
        return Queue(), [str(error)]


def _report(file: QueueFile, code: str, path: str, wrong: list[str]) -> None:
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    told = f"{'; '.join(wrong[:3])}{more}; the file is kept beside itself under another name"
    file._found(code, path, told, f"look at {path}.corrupt; what is lost is planned again")


def _beside(path: Path, suffix: str) -> None:
    """Rename a file beside itself, to the first free name with this suffix."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        number = 1
        while True:
            name = f"{path.name}.{suffix}{f'.{number}' if number > 1 else ''}"
            with contextlib.suppress(FileExistsError):
                rename_no_replace((folder, path.name), (folder, name), f"{name}.2", lambda: None)
                break
            number += 1
    finally:
        os.close(folder)
    sync_folder(path.parent)


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unreachable(
            f"{name}: {error.strerror or error}; the queue holds what it held",
            next_step="free disk space or fix the permissions, then run again",
            permanent=True,
        ) from error


# --- tried again ------------------------------------------------------------------------------


def retry(  # noqa: PLR0913 - what it stops for, by keyword
    file: QueueFile,
    run: str,
    now: Callable[[], datetime],
    *,
    most: int,
    deadline: Deadline,
    check: Callable[[], None],
    fence: Fence,
) -> Iterator[Outcome]:
    """Try what may be tried now, the longest due first, and yield how each ended.

    A thing is moved as it is now, whatever it was when it was queued. What needed a person is tried
    when nothing stands in its way any more; what a person has taken away is marked as gone.

    Args:
        file: The queue; it is saved before and after each batch.
        run: Names the journal.
        now: The time, in UTC.
        most: How many are tried.
        deadline: When it has passed, the rest waits on as it is.
        check: Is called before each move.
        fence: Gives the block in which a name may change.
    """
    with beneath.opened_root(file.root) as top:
        waiting = [item for item in file.queue.items.values() if item.state == "needs_manual"]
        away = [item.id for item in waiting if not exists(top, item.source)]
        file.queue = gone(file.queue, away, now())
        due = due_items(file, now(), most)
        for at in range(0, len(due), BATCH):
            if deadline.remaining() <= 0:
                break
            batch, before = due[at : at + BATCH], file.queue
            file.queue = begun(before, batch, now())
            file.save(fence)
            outcomes: list[Outcome] = []
            try:
                told = [_identified(top, item) for item in batch]
                outcomes += [outcome for outcome in told if isinstance(outcome, Outcome)]
                moves = [move for move in told if isinstance(move, Move)]
                made = apply(file.root, run, moves, deadline=deadline, check=check, fence=fence)
                for outcome in made:  # one by one: what ended before an exception counts
                    outcomes.append(outcome)
            finally:
                file.take(absorb(before, outcomes, now(), file.caps))
            file.save(fence)
            yield from outcomes
        file.save(fence)


def due_items(file: QueueFile, now: datetime, most: int) -> list[Pending]:
    """Return what may be tried now: what is due, then what a person seems to have mended."""
    waiting = [item for item in file.queue.items.values() if item.state == "needs_manual"]
    mended = (item for item in waiting if item.reason in MENDED and _free(file.root, item))
    return [*file.queue.eligible(now, most), *mended][:most]


def _free(root: Path, item: Pending) -> bool:
    """Return whether nothing stands in the way of a move, as far as a look can tell."""
    source, destination = root / item.source, root / item.destination
    if os.path.lexists(destination) or not os.access(source, os.R_OK):
        return False
    folders = (source.parent, standing(destination.parent))
    return all(os.access(folder, os.W_OK | os.X_OK) for folder in folders)


def _identified(top: int, item: Pending) -> Move | Outcome:
    """Return the move of an item as it is now, or why there is none."""
    folder, name = beneath.split(item.source)
    try:
        with beneath.opened(top, folder) as held:
            return item.planned(fingerprint(held, name))
    except OSError as error:
        move = item.planned(item.identity or _NOBODY)
        outcome = failed(move, error)
        return vanished(top, move) if outcome.status == "gone" else outcome

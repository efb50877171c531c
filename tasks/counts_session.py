"""One check of the counts at work: its targets, what was read and what would be written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.settings import workspace_root
from autopack.sot.compose import Draft
from autopack.sot.ledgers import COUNTED, Ledger
from tasks.counts_pages import Pages
from tasks.page_writer import PageWriter

NEW = {"build": "BUILD", "decision": "DEC", "debug": "DBG"}


@dataclass(frozen=True)
class Wish:
    """A new entry that was asked for."""

    ledger: Ledger
    draft: Draft

    @classmethod
    def of(
        cls, new: str | None, title: str | None, cells: list[str] | None, text: str | None
    ) -> Wish | None:
        """Return what the flags ask for, None without `--new`.

        Raises:
            UsageError: A flag is missing, or has no use without `--new`.
        """
        if new is None:
            if title is not None or cells or text is not None:
                raise UsageError(
                    "--title, --cells and --text describe a new entry",
                    next_step="add --new build, --new decision or --new debug",
                )
            return None
        if not title:
            raise UsageError(
                f"--new {new} needs a title",
                next_step=f'python -m flows.sot_counts --new {new} --title "what was done"',
            )
        pairs = [cell.partition("=") for cell in cells or []]
        if wrong := [name for name, mark, _ in pairs if not mark]:
            raise UsageError(
                f"--cells: {wrong[0]!r} is not NAME=VALUE",
                next_step="write it like --cells Status=Accepted",
            )
        ledger = next(ledger for ledger in COUNTED if ledger.prefix == NEW[new])
        named = {name.strip(): value for name, _, value in pairs}
        return cls(ledger, Draft(title, named, text or ""))

    def command(self) -> str:
        """Return the command that asks for the same entry."""
        new = next(word for word, prefix in NEW.items() if prefix == self.ledger.prefix)
        words = ["python", "-m", "flows.sot_counts", "--new", new, f"--title={self.draft.title}"]
        cells = [f"{name}={value}" for name, value in self.draft.cells.items()]
        words += ["--cells", *cells] if cells else []
        words += [f"--text={self.draft.text}"] if self.draft.text else []
        return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Quote a word for a shell; what one line of a report cannot hold is told as in bash."""
    if word.isprintable() and word == " ".join(word.split()):
        return shlex.quote(word)
    told = "".join(map(_told, re.sub(r"(?<=\s) | $", "\0", word)))
    return f"$'{told}'"


def _told(char: str) -> str:
    if char == "\0":
        return "\\x20"  # a blank that would be taken for a line's end or for one with its neighbour
    if char in "\\'":
        return f"\\{char}"
    if char.isprintable():
        return char
    byte = ord(char) - 0xDC00  # of what was no UTF-8 on the command line
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else f"\\U{ord(char):08x}"


class Counting(PageWriter):
    """The state that the steps of one check share; a plain class, because Prefect walks others."""

    def __init__(self, workspace: str, deadline: Deadline) -> None:
        self.root = workspace_root(workspace)
        self.deadline = deadline
        self.now = datetime.now(UTC)
        self.pages = Pages((), {})
        self.planned = self.pages
        self.grown = ""  # the ledger that a new entry goes into

    @contextmanager
    def holding(self, execute: bool) -> Iterator[None]:
        """Hold the lock of docs/; what killed runs left in the folders of the pages is removed."""
        from autopack.io.replace import sweep

        with super().holding(execute):
            for folder in (self.root, self.root / "docs") if execute else ():
                sweep(folder)
            yield

    def changes(self) -> dict[str, tuple[bytes | None, bytes]]:
        """Return what is planned to change: old and new bytes by path."""
        before, after = self.pages.contents, self.planned.contents
        return {
            path: (before.get(path), data)
            for path, data in after.items()
            if before.get(path) != data
        }

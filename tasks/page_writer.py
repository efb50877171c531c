"""What writes pages: it holds the lock of docs/, and replaces files under its fence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.deadline import Deadline

if TYPE_CHECKING:
    from tasks.locking import Held


class PageWriter:
    """A session that may write pages of its workspace."""

    root: Path
    deadline: Deadline
    _held: Held | None = None

    @contextmanager
    def holding(self, execute: bool) -> Iterator[None]:
        """Hold the lock of docs/ from reading to writing; a dry run holds nothing."""
        if not execute:
            yield
            return
        from tasks.locking import holding

        with holding("docs", root=self.root, deadline=self.deadline) as self._held:
            yield

    def lend(self, held: Held) -> None:
        """Write under locks that a larger run holds; `docs` is among them."""
        self._held = held

    def fence(self) -> AbstractContextManager[None]:
        """Return the block in which a file may take its name."""
        assert self._held
        return self._held.guarded("docs")

    def replace(
        self, changes: Mapping[str, tuple[bytes | None, bytes | None]], written: list[str]
    ) -> None:
        """Replace files in the order given, each whole and only if it still holds the old bytes.

        None stands for no file, before or afterwards. All of them are looked at before the first
        is written. `written` names those that are done: they are left out, and it grows as the
        work goes on.
        """
        from autopack.io.replace import check_replaceable, remove_file, replace_file

        todo = {path: change for path, change in changes.items() if path not in written}
        for path, (old, _) in todo.items():
            check_replaceable(self.root, path, old)
        for path, (old, new) in todo.items():
            self.deadline.check(f"writing {path}")
            if new is not None:
                replace_file(self.root, path, old, new, self.fence)
            elif old is not None:
                remove_file(self.root, path, old, self.fence)
            written.append(path)

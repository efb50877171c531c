"""Where a command may be let write: the parts of a scope that a sandbox can tell apart.

A sandbox knows files and whole folders, not globs, and what it allows below a folder it cannot
take back. So a folder is granted whole only if nothing in it is protected or read-only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autopack.phases.census import Item, in_git
from autopack.phases.globs import is_literal, literal_prefix, meeting
from autopack.phases.scope import Scope


@dataclass(frozen=True)
class Grants:
    """Files and folders to be let write, those of them that are missing, and what stays open.

    `looser` are globs within a granted folder, `closed` folders in which no new name can be made.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]
    missing_folders: tuple[str, ...]
    missing_files: tuple[str, ...]
    looser: tuple[str, ...]
    closed: tuple[str, ...]


def grants(scope: Scope, items: Mapping[str, Item]) -> Grants:
    """Return what a sandbox lets a phase write, of what is there and what its scope names."""
    return _Granting(scope, items).all()


class _Granting:
    def __init__(self, scope: Scope, items: Mapping[str, Item]) -> None:
        self.scope = scope
        self.items = items
        self.forbidden = {path for path in items if self._is_forbidden(path)}
        self.above = {folder for path in self.forbidden for folder in _above(path)}
        self.inner: dict[str, list[str]] = {}
        for path in items:
            self.inner.setdefault(path.rpartition("/")[0], []).append(path)
        self.folders: set[str] = set()
        self.files: set[str] = set()
        self.closed: set[str] = set()

    def _is_forbidden(self, path: str) -> bool:
        return in_git(path) or self.scope.judge(path) in ("PS215", "PS216")

    def all(self) -> Grants:
        new_folders, new_files, looser = set(), set(), []
        for glob in self.scope.allowed:
            prefix = literal_prefix(glob)
            if not is_literal(glob):
                looser.append(glob)
            if not prefix or prefix in self.items:
                self._grant(prefix, glob)
            elif is_literal(glob) and not glob.endswith("/"):
                new_files.add(prefix)
            else:
                new_folders.add(prefix)
        return Grants(
            _sorted(self.folders), _sorted(self.files), _sorted(new_folders), _sorted(new_files),
            tuple(looser), _sorted(self.closed),
        )  # fmt: skip

    def _grant(self, path: str, glob: str) -> None:
        item = self.items.get(path)
        if path in self.forbidden or (path and self._is_forbidden(f"{path}/x")):
            return
        if path and item and item.kind == "file":
            self.files.add(path)
        elif path and path not in self.above and item and item.kind == "folder":
            self.folders.add(path)
        elif not path or (item and item.kind == "folder"):
            self.closed.add(path)
            for child in self._worth(path, glob):
                self._grant(child, glob)

    def _worth(self, folder: str, glob: str) -> Iterator[str]:
        """Yield what the glob reaches in a folder."""
        for child in self.inner.get(folder, ()):
            if self.items[child].kind == "folder":
                reached = meeting(f"{child}/", glob) is not None
            else:
                reached = self.scope.judge(child) is None
            if reached:
                yield child


def _above(path: str) -> Iterator[str]:
    names = path.split("/")
    return ("/".join(names[:n]) for n in range(1, len(names)))


def _sorted(paths: set[str]) -> tuple[str, ...]:
    return tuple(sorted(paths))

"""Where git keeps what a workspace is, and what its branches name; read without running git."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from autopack.phases.census import CONFIG

_SHARED = ("hooks", "info")
"""Folders that a linked worktree has from its repository, and that make programs run."""
_LONGEST = 256 << 20
"""Bytes; git packs a million refs into less."""
_BYTES = ("utf-8", "surrogateescape")


@dataclass(frozen=True)
class GitFolders:
    """A workspace's git folder, and the one it shares with other worktrees: the same, or apart.

    `apart` are the folders outside the workspace to look at, with the name each goes by.
    """

    own: Path
    common: Path
    linked: bool

    @property
    def apart(self) -> list[tuple[Path, str]]:
        """Return what a linked worktree has elsewhere."""
        if not self.linked:
            return []
        found = [(self.own, ".git")]
        if self.own != self.common:
            found += [(self.common / name, f".git/common/{name}") for name in _SHARED]
        return [(folder, name) for folder, name in found if folder.is_dir()]


def git_folders(root: Path) -> GitFolders:
    """Return the git folders of a workspace; they need not be there."""
    own = root / ".git"
    linked = own.is_file() or own.is_symlink()
    if own.is_symlink():
        own = Path(os.path.realpath(own))
    elif linked:
        target = own.read_text(*_BYTES).removeprefix("gitdir:").strip()
        own = Path(os.path.normpath(root / target))
    shared = own / "commondir"
    common = own / shared.read_text().strip() if shared.is_file() else own
    return GitFolders(own, Path(os.path.normpath(common)), linked)


def refs_of(git: GitFolders) -> dict[str, str]:
    """Return what HEAD and each branch, tag and stash name; a linked worktree tells its own alone.

    Other worktrees commit to their own branches meanwhile, and that is nobody's fault. The shared
    configuration stands among them.
    """
    found = dict(_packed(git.common / "packed-refs"))
    for folder, _, names in os.walk(git.common / "refs"):
        for name in names:
            path = Path(folder, name)
            found[path.relative_to(git.common).as_posix()] = _first(path)
    head = _first(git.own / "HEAD")
    if git.own != git.common:
        mine = (head.removeprefix("ref: "), "refs/stash")
        found = {name: commit for name, commit in found.items() if name in mine}
        found[CONFIG] = sha256(_text(git.common / "config").encode(*_BYTES)).hexdigest()
    return {"HEAD": head, **found} if head else found


def _packed(path: Path) -> list[tuple[str, str]]:
    rows = [line.partition(" ") for line in _text(path).splitlines() if line[:1] not in ("#", "^")]
    return [(name, commit) for commit, _, name in rows if name]


def _first(path: Path) -> str:
    return _text(path).partition("\n")[0]


def _text(path: Path) -> str:
    """Return what a file holds, where a link leads, and nothing of what is neither: it may wait."""
    try:
        if path.is_symlink():
            return f"link to {os.readlink(path)}"
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return file.read(_LONGEST).decode(*_BYTES) if plain else ""
    except OSError:
        return ""

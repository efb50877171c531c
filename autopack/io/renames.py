"""Ask git which files were renamed or deleted, also where parts of its history are missing."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from autopack.deadline import Deadline
from autopack.io.git import run_git
from autopack.io.snapshot import contents
from autopack.links.history import Change, History, remember
from autopack.links.stubs import read_stub

BATCH = 256
"""Commits asked about at once."""
_DIFF = ("diff-tree", "--stdin", "--root", "-r", "-z", "--name-status", "--no-rename-empty",
         "--diff-filter=RD")  # fmt: skip
_COMPARING = r"^(diff\..*|extensions\.partialclone|remote\..*\.promisor)$"


def read_history(root: Path, deadline: Deadline) -> History:
    """Return what git remembers of renames and deletions, without merges.

    A commit whose files are not all there (a partial clone) is asked for exact renames only; one
    that cannot be read even so is counted as skipped. Outside a repository nothing is remembered.

    Raises:
        DeadlineExceeded: The deadline passed meanwhile.
    """
    listed = _git(root, deadline, "rev-list", "--no-merges", "HEAD")
    commits = listed.decode().split() if listed is not None else []
    changes: list[Change] = []
    skipped = 0
    for at in range(0, len(commits), BATCH):
        batch = commits[at : at + BATCH]
        for found in _asked(root, deadline, batch):
            skipped += found is None
            changes += found or ()
    return remember(_of_pages(root, deadline, changes), skipped)


def renamed_since(root: Path, ref: str, deadline: Deadline) -> dict[str, str]:
    """Return the files that a commit has under another name than the work tree, by the old one.

    What git does not track yet is not compared, and without the objects nothing is.
    """
    asked = ("-z", "--name-status", "-M50%", "--no-rename-empty", "--diff-filter=R")
    told = _git(root, deadline, "diff-index", *asked, "--end-of-options", ref, "--")
    return {change.old: change.new for change in _read(told or b"")}


def taken_away(root: Path, deadline: Deadline) -> frozenset[str]:
    """Return the files that the last commit has and the work tree has not."""
    asked = ("-z", "--name-only", "--no-renames", "--diff-filter=D", "HEAD", "--")
    told = _git(root, deadline, "diff-index", *asked) or b""
    return frozenset(os.fsdecode(name) for name in told.split(b"\0") if name)


def _of_pages(root: Path, deadline: Deadline, changes: Sequence[Change]) -> list[Change]:
    """Return the changes without those of redirect stubs: a page had left the name before.

    Only a name that a page left twice can have had one, so few contents are asked for.
    """
    left = Counter(change.old for change in changes)
    twice = [change for change in changes if left[change.old] > 1 and "\n" not in change.old]
    if not twice:
        return list(changes)
    asked = "".join(f"{change.commit}^:./{change.old}\n" for change in twice)
    told = _git(root, deadline, "cat-file", "--batch", stdin=os.fsencode(asked))
    numbered = {str(n): change for n, change in enumerate(twice)}
    found = contents(numbered, told) if told is not None else {}
    stubs = {numbered[n] for n, data in found.items() if read_stub(numbered[n].old, data)}
    return [change for change in changes if change not in stubs]


def history_key(root: Path, deadline: Deadline) -> str | None:
    """Return what names the history that `read_history` would read, None if nothing does for sure.

    It is HEAD, where a shallow clone ends, what replaces objects, and how git compares. In a
    partial clone objects may arrive at any time, so nothing names its history.
    """
    told = _git(root, deadline, "rev-parse", "HEAD", "--show-prefix", "--git-path", "shallow")
    if told is None:
        return None
    rules = _git(root, deadline, "config", "-z", "--get-regexp", _COMPARING) or b""
    if b".promisor\n" in rules or b"extensions.partialclone" in rules:
        return None
    replaced = _git(root, deadline, "for-each-ref", "refs/replace") or b""
    try:
        ends = (root / os.fsdecode(told.splitlines()[-1])).read_bytes()
    except OSError:
        ends = b""
    return sha256(b"\0".join((told, rules, replaced, ends))).hexdigest()


def _asked(root: Path, deadline: Deadline, commits: Sequence[str]) -> Iterator[list[Change] | None]:
    """Yield the changes of commits, newest first; None stands for one that cannot be read.

    git ends at the first object that is missing, so what fails is asked again in halves.
    """
    words = "\n".join(commits).encode() + b"\n"
    told = _git(root, deadline, *_DIFF, "-M50%", stdin=words)
    if told is not None:
        yield list(_read(told))
    elif len(commits) > 1:
        half = len(commits) // 2
        yield from _asked(root, deadline, commits[:half])
        yield from _asked(root, deadline, commits[half:])
    else:
        exact = _git(root, deadline, *_DIFF, "-M100%", stdin=words)
        yield list(_read(exact)) if exact is not None else None


def _read(told: bytes) -> Iterator[Change]:
    """Yield the changes of `-z --name-status`: a commit, then status, old name, and new name."""
    words = iter(os.fsdecode(word) for word in told.split(b"\0"))
    commit = ""
    for word in words:
        if word.startswith("R"):
            yield Change(commit, next(words), next(words))
        elif word == "D":
            yield Change(commit, next(words))
        elif word:
            commit = word.strip()


def _git(root: Path, deadline: Deadline, *args: str, stdin: bytes = b"") -> bytes | None:
    """Return what git prints, None if it fails; names are relative to the workspace."""
    relative = ("--relative",) if args[0] in ("diff-tree", "diff-index") else ()
    command = (args[0], *relative, *args[1:])
    try:
        done = run_git(
            root, deadline, *command, stdin=stdin, limit_s=3600, doing="asking git for renames"
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None

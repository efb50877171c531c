"""The workspace as a commit has it: names and contents, without a checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import Unreachable, UsageError
from autopack.io.git import run_git
from autopack.links.target import join
from autopack.links.tree import SKIPPED, Tree, is_markdown, tree_of


def tree_at(root: Path, ref: str, deadline: Deadline) -> Tree:
    """Return the files that a commit has below the workspace.

    Raises:
        UsageError: There is no such commit.
        Unreachable: git is not there, or cannot read the commit.
    """
    commit = f"{ref}^{{commit}}"
    _git(root, deadline, "rev-parse", "--verify", "--quiet", "--end-of-options", commit)
    listed = _git(root, deadline, "ls-tree", "-r", "-z", commit, "--", ".")
    entries = [os.fsdecode(entry).partition("\t") for entry in listed.split(b"\0") if entry]
    modes = {name: mode for mode, _, name in entries if SKIPPED.isdisjoint(name.split("/"))}
    links = [name for name, mode in modes.items() if mode.startswith(_LINK) and is_markdown(name)]
    leads = files_at(root, commit, links, deadline)
    return tree_of(modes, {name: _behind(name, leads, modes) for name in links})


_LINK = "120000 "
"""How git lists a symbolic link; its content is where it leads."""


def _behind(name: str, leads: Mapping[str, bytes], modes: Mapping[str, str]) -> str:
    """Return the file that a symbolic link stands for, "" for none in the commit."""
    seen = set()
    while name in leads and name not in seen:
        seen.add(name)
        to = os.fsdecode(leads[name])
        name, out = join(name, to)
        if to.startswith("/") or out:
            return ""
    is_file = name in modes and not modes[name].startswith(_LINK)
    return name if is_file else ""


def files_at(
    root: Path, ref: str, names: Iterable[str], deadline: Deadline
) -> dict[str, bytes]:  # fmt: skip
    """Return the contents of files in a commit; one that cannot be read is left out."""
    wanted = [name for name in names if "\n" not in name]
    asked = b"".join(os.fsencode(f"{ref}:./{name}\n") for name in wanted)
    return contents(wanted, _git(root, deadline, "cat-file", "--batch", stdin=asked))


def contents(names: Iterable[str], told: bytes) -> dict[str, bytes]:
    """Return the files that `cat-file --batch` told of, which was asked for them in this order."""
    found, at = {}, 0
    for name in names:
        end = told.index(b"\n", at)
        head = told[at:end].rsplit(b" ", 2)
        at = end + 1
        if head[-1].isdigit() and head[-2] == b"blob":
            found[name] = told[at : at + int(head[-1])]
        at += int(head[-1]) + 1 if head[-1].isdigit() else 0
    return found


def _git(root: Path, deadline: Deadline, *args: str, stdin: bytes = b"") -> bytes:
    try:
        done = run_git(root, deadline, *args, stdin=stdin, limit_s=600, doing="reading a commit")
    except OSError as error:
        raise Unreachable(f"git: {error.strerror}", next_step="install git") from None
    except subprocess.TimeoutExpired:
        raise Unreachable("git took longer than 600 s", next_step="run it again") from None
    if done.returncode == 0:
        return done.stdout
    if args[0] == "rev-parse":
        said = done.stderr.decode(errors="replace").strip()
        if said:  # --quiet tells of everything but a commit that is not there
            raise Unreachable(f"--base: {said.splitlines()[0]}", next_step="run it in a clone")
        ref = args[-1].removesuffix("^{commit}")
        raise UsageError(f"--base: no commit {ref!r}", next_step="git fetch, or name another one")
    words = done.stderr.decode(errors="replace").strip().splitlines()
    raise Unreachable(f"git {args[0]}: {words[-1] if words else 'failed'}", next_step="git fsck")

"""Which commit a checkout stands on, and whether one commit precedes another."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from autopack.deadline import Deadline
from autopack.errors import Unreachable

_OF_A_HOOK = frozenset({
    "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_NO_REPLACE_OBJECTS", "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_DIFF_OPTS",
})  # fmt: skip
"""What tells git about another repository, or to answer in another way."""


def checkout_id(root: Path) -> str:
    """Return a name for this checkout on this host that holds no path."""
    return hashlib.sha256(f"{platform.node()}\n{root}".encode()).hexdigest()[:16]


def head_commit(root: Path) -> str | None:
    """Return the commit id of HEAD by reading `.git`, or None outside a plain checkout."""
    git = root / ".git"
    try:
        if git.is_file():
            git = (root / git.read_text().removeprefix("gitdir:").strip()).resolve()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        common = git / "commondir"
        shared = (git / common.read_text().strip()).resolve() if common.exists() else git
        return _resolve(shared, head.removeprefix("ref: "))
    except OSError:
        return None


def _resolve(git: Path, ref: str) -> str | None:
    loose = git / ref
    if loose.exists():
        return loose.read_text().strip()
    packed = git / "packed-refs"
    lines = packed.read_text().splitlines() if packed.exists() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), None)


Order = Literal["same", "older", "behind", "newer", "unknown"]


def compare_commits(root: Path, ours: str | None, theirs: str | None, deadline: Deadline) -> Order:
    """Tell how our commit stands to theirs.

    `behind`: this repository has never seen theirs. `unknown`: they have diverged, the clone is
    shallow, or git can't say.
    """
    if not ours or not theirs:
        return "unknown"
    if ours == theirs:
        return "same"
    if _is_ancestor(root, ours, theirs, deadline):
        return "older"
    if _is_ancestor(root, theirs, ours, deadline):
        return "newer"
    shallow = (root / ".git" / "shallow").exists()
    seen = _git(root, deadline, "cat-file", "-e", f"{theirs}^{{commit}}")
    return "unknown" if shallow or seen or not _git(root, deadline, "rev-parse") else "behind"


def run_git(  # noqa: PLR0913 - options, by keyword
    root: Path,
    deadline: Deadline,
    *args: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    limit_s: float,
    doing: str,
) -> subprocess.CompletedProcess[bytes]:
    """Run git on what the repository holds itself; a partial clone fetches nothing.

    No program starts that the repository's configuration names as its file system monitor. `env` is
    the environment in place of this process's own.

    Raises:
        OSError: There is no git.
        DeadlineExceeded: The deadline passed meanwhile.
        subprocess.TimeoutExpired: It took longer than `limit_s`.
    """
    given = os.environ if env is None else env
    command = ["git", "-C", str(root), "-c", "core.fsmonitor=false", *args]
    try:
        return subprocess.run(  # noqa: S603 - a fixed argument vector, no shell
            command, capture_output=True, input=stdin, check=False,
            timeout=deadline.cap(limit_s, doing),
            env={**given, "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        deadline.check(doing)
        raise


def ask_git(
    root: Path, deadline: Deadline, *args: str, limit_s: float, doing: str
) -> subprocess.CompletedProcess[bytes]:
    """Run git on the repository that a folder itself has, whatever the environment names.

    A hook's environment names a repository, and an index that may be another one than the folder's.
    Raises what `run_git` raises.
    """
    own = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
    return run_git(root, deadline, *args, env=own, limit_s=limit_s, doing=doing)


def require_history(root: Path, deadline: Deadline) -> bool:
    """Return whether git has the whole history of a workspace; a shallow clone has not.

    Raises:
        Unreachable: git is not there, or the workspace is in no repository of its.
        DeadlineExceeded: The deadline passed meanwhile.
    """
    words = ("rev-parse", "--is-inside-work-tree", "--is-shallow-repository")
    try:
        done = run_git(root, deadline, *words, limit_s=60, doing="asking git for its history")
    except (OSError, subprocess.TimeoutExpired) as error:
        why = getattr(error, "strerror", None) or "no answer within 60 s"
        raise Unreachable(
            f"git, which knows where pages moved, cannot be asked: {why}",
            next_step="install git and run again",
            permanent=True,
        ) from None
    if done.returncode or not done.stdout.startswith(b"true"):
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unreachable(
            f"git knows no history of {root.name}/: {said[0] if said else 'no work tree'}",
            next_step="run it in a clone of the repository",
            permanent=True,
        )
    return done.stdout.split()[1] != b"true"


def _is_ancestor(root: Path, first: str, second: str, deadline: Deadline) -> bool:
    return _git(root, deadline, "merge-base", "--is-ancestor", first, second)


def _git(root: Path, deadline: Deadline, *args: str) -> bool:
    command = ["git", "-C", str(root), *args]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed argument vector, no shell
            command, capture_output=True, timeout=deadline.cap(10, "asking git"), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

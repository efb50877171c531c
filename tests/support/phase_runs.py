"""A repository in which a phase works, and all that a phase must not do in one."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from tests.support.phase_specs import GOOD, spoiled
from tests.support.redirects import git

FILES = {
    "README.md": "read me\n",
    "docs/INDEX.md": "# Index\n",
    "src/app/main.py": "x = 1\n",
    "src/app/old.py": "old = 1\n",
    "src/other/lib.py": "lib = 1\n",
    "src/other/run.sh": "#!/bin/sh\n",
    "tests/test_app.py": "def test_app():\n    assert True\n",
    "config/x.yaml": "a: 1\n",
    ".gitignore": "/.autonomous_runs/\n*.log\nbuild/\n__pycache__/\n",
}
SPEC = "plan.json"


def lay_out(root: Path, spec: dict | None = None) -> Path:
    """Make a repository with tracked, untracked and ignored files, and a spec beside it."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.email", "a@example.org")
    git(root, "config", "user.name", "A")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    git(root, "branch", "side")
    (root / "untracked.txt").write_text("mine\n")
    (root / "build").mkdir()
    (root / "build/made.o").write_text("object\n")
    (root / "empty").mkdir()
    (root / "src/link.py").symlink_to("other/lib.py")
    write_spec(root, spec or GOOD)
    return root


def write_spec(root: Path, spec: dict) -> Path:
    path = root.parent / SPEC
    path.write_text(json.dumps(spec, indent=1))
    return path


def proof(*argv: str) -> dict:
    """Return the good spec with a validation command that this workspace passes."""
    return spoiled(("validation.argv", list(argv)))


def keep_mtime(path: Path, change: Callable[[], None]) -> None:
    """Change a file, and put back when it was written."""
    was = path.stat()
    change()
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def _same_size(root: Path) -> None:
    path = root / "src/other/lib.py"
    keep_mtime(path, lambda: path.write_text("lib = 2\n"))


def _hidden(root: Path, flag: str) -> None:
    git(root, "update-index", flag, "src/other/lib.py")
    (root / "src/other/lib.py").write_text("lib = 66\n")


def _rename(root: Path) -> None:
    (root / "src/other/lib.py").rename(root / "src/other/library.py")


def _commit(root: Path) -> None:
    (root / "src/other/lib.py").write_text("lib = 3\n")
    git(root, "commit", "-qam", "sly")


def _other_branch(root: Path) -> None:
    tree = git(root, "rev-parse", "HEAD^{tree}")
    git(root, "update-ref", "refs/heads/side", git(root, "commit-tree", tree, "-m", "sly"))


def _stash(root: Path) -> None:
    (root / "src/app/main.py").write_text("x = 2\n")
    git(root, "stash")


def _socket(path: Path) -> None:
    held = os.getcwd()
    os.chdir(path.parent)  # the name of a socket has about a hundred bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(held)


def _nested(root: Path) -> None:
    git(root, "init", "-q", str(root / "src/app/vendor"))
    (root / "src/app/vendor/a.py").write_text("a = 1\n")


def _submodule(root: Path) -> None:
    (root / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = /dev/null\n')


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _swap(root: Path) -> None:
    (root / "src/other").rename(root / "spare")
    shutil.copytree(root / "spare", root / "src/other")
    shutil.rmtree(root / "spare")


def _many(root: Path) -> None:
    for number in range(9):
        (root / f"src/app/new{number}.py").write_text("n = 1\n")


def _append(path: Path, text: str) -> None:
    path.write_bytes(path.read_bytes() + text.encode())


def _set_id(path: Path) -> None:
    path.chmod(0o4755)


VIOLATIONS: dict[str, tuple[Callable[[Path], object], dict[str, str]]] = {
    "modified outside": (
        lambda r: _append(r / "src/other/lib.py", "y\n"), {"src/other/lib.py": "PS701"}),
    "modified, untracked": (lambda r: _append(r / "untracked.txt", "y\n"),
                            {"untracked.txt": "PS701"}),
    "modified, ignored": (lambda r: _append(r / "build/made.o", "y"), {"build/made.o": "PS701"}),
    "same size, mtime put back": (_same_size, {"src/other/lib.py": "PS701"}),
    "untracked file created": (lambda r: (r / "new.txt").write_text("n"), {"new.txt": "PS702"}),
    "ignored file created": (lambda r: (r / "x.log").write_text("n"), {"x.log": "PS702"}),
    "deleted": (lambda r: (r / "src/other/lib.py").unlink(), {"src/other/lib.py": "PS703"}),
    "ignored file deleted": (lambda r: (r / "build/made.o").unlink(), {"build/made.o": "PS703"}),
    "made executable": (lambda r: (r / "src/other/lib.py").chmod(0o755),
                        {"src/other/lib.py": "PS704"}),
    "set-id within the scope": (lambda r: _set_id(r / "src/app/main.py"),
                                {"src/app/main.py": "PS704"}),
    "the workspace opened to all": (lambda r: r.chmod(0o777), {".": "PS704"}),
    "renamed": (_rename, {"src/other/lib.py": "PS703", "src/other/library.py": "PS702"}),
    "symlink made": (lambda r: (r / "src/app/l").symlink_to("/etc"), {"src/app/l": "PS705"}),
    "symlink turned": (
        lambda r: ((r / "src/link.py").unlink(), (r / "src/link.py").symlink_to("/etc/passwd")),
        {"src/link.py": "PS705"}),
    "file became a symlink": (
        lambda r: ((r / "src/app/main.py").unlink(),
                   (r / "src/app/main.py").symlink_to("../other/lib.py")),
        {"src/app/main.py": "PS705"}),
    "hard link into the scope": (
        lambda r: os.link(r / "src/other/lib.py", r / "src/app/l.py"),
        {"src/app/l.py": "PS706", "src/other/lib.py": "PS706"}),
    "pipe": (lambda r: os.mkfifo(r / "src/app/pipe"), {"src/app/pipe": "PS707"}),
    "socket": (lambda r: _socket(r / "src/app/sock"), {"src/app/sock": "PS707"}),
    "file became a folder": (lambda r: _to_folder(r / "src/app/old.py"),
                             {"src/app/old.py": "PS707"}),
    "empty folder made": (lambda r: (r / "hollow").mkdir(), {"hollow": "PS708"}),
    "empty folder deleted": (lambda r: (r / "empty").rmdir(), {"empty": "PS708"}),
    "folder swapped": (_swap, {"src/other": "PS708"}),
    "read-only context": (lambda r: _append(r / "docs/INDEX.md", "y\n"),
                          {"docs/INDEX.md": "PS709"}),
    "read-only context, new file": (lambda r: (r / "docs/new.md").write_text("n"),
                                    {"docs/new.md": "PS709"}),
    "protected": (lambda r: (r / ".env").write_text("n"), {".env": "PS710"}),
    "a hook": (lambda r: (r / ".git/hooks/pre-commit").write_text("#!/bin/sh\n"),
               {".git/hooks/pre-commit": "PS711"}),
    "git's configuration": (lambda r: git(r, "config", "core.hooksPath", "/tmp"),
                            {".git/config": "PS711"}),
    "git's excludes": (lambda r: (r / ".git/info/exclude").write_text("*\n"),
                       {".git/info/exclude": "PS711"}),
    "committed": (_commit, {"src/other/lib.py": "PS701", ".git/refs/heads/main": "PS712"}),
    "HEAD moved": (lambda r: git(r, "checkout", "-q", "side"), {".git/HEAD": "PS712"}),
    "another branch": (_other_branch, {".git/refs/heads/side": "PS712"}),
    "a tag": (lambda r: git(r, "tag", "v1"), {".git/refs/tags/v1": "PS712"}),
    "stash": (_stash, {".git/refs/stash": "PS712"}),
    "staged": (
        lambda r: ((r / "src/app/main.py").write_text("x = 2\n"), git(r, "add", "-A", "src/app")),
        {"src/app/main.py": "PS713"}),
    "assume-unchanged": (lambda r: _hidden(r, "--assume-unchanged"), {"src/other/lib.py": "PS701"}),
    "skip-worktree": (lambda r: _hidden(r, "--skip-worktree"), {"src/other/lib.py": "PS701"}),
    "nested repository": (_nested, {"src/app/vendor/.git": "PS714"}),
    "submodule": (_submodule, {".gitmodules": "PS710"}),
    "a name that hides": (lambda r: (r / "src/app/a\u202eyp.txt").write_text("n"),
                          {"src/app/a\\u202eyp.txt": "PS715"}),
    "a name that is no UTF-8": (
        lambda r: open(os.fsencode(r / "src/app") + b"/\xff", "w").close(),
        {"src/app/\\udcff": "PS715"}),
    "too many files": (_many, {"": "PS720"}),
    "too many lines": (lambda r: (r / "src/app/main.py").write_text("x\n" * 401), {"": "PS721"}),
    "too many lines in a file that looks binary": (
        lambda r: (r / "src/app/main.py").write_bytes(b"\0" + b"x\n" * 500), {"": "PS721"}),
}  # fmt: skip
"""What a phase may not do, by name: how it is done, and the codes by path that tell it."""


def _clean_edit(root: Path) -> None:
    (root / "src/app/main.py").write_text("x = 2\n")
    (root / "src/app/deep/er").mkdir(parents=True)
    (root / "src/app/deep/er/new.py").write_text("n = 1\n")
    (root / "src/app/old.py").unlink()
    (root / "tests/test_app.py").chmod(0o755)


def _atomic_save(root: Path) -> None:
    (root / "src/app/.tmp").write_text("x = 3\n")
    (root / "src/app/.tmp").replace(root / "src/app/main.py")


def _looked(root: Path) -> None:
    """Read everything, as an agent does; git refreshes its index meanwhile."""
    for path in root.rglob("*"):
        if path.is_file():
            path.read_bytes()
    os.utime(root / "src/other/lib.py")
    git(root, "status")
    git(root, "gc", "-q")


CLEAN: dict[str, Callable[[Path], object]] = {
    "nothing": lambda r: None,
    "edits within the scope": _clean_edit,
    "a file replaced as editors do": _atomic_save,
    "reading, and git refreshing and packing": _looked,
    "other runs' state": lambda r: (
        (r / ".autonomous_runs/reports").mkdir(parents=True, exist_ok=True),
        (r / ".autonomous_runs/reports/r.json").write_text("{}"),
    ),
}
"""What a phase may do."""

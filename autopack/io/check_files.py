"""What checks read of a workspace: the manifest, the names, the bytes; and how tools are found."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from autopack.deadline import Deadline
from autopack.errors import UsageError
from autopack.globs import any_of
from autopack.io.files import read_page
from autopack.io.git import checkout_id
from autopack.io.tree import read_tree
from autopack.preflight.checks import MANIFEST, Check
from autopack.preflight.manifest import Builtins, parse
from autopack.settings import cache_folder

DEFAULT = "default_preflight.toml"


def read_manifest(root: Path, builtins: Builtins) -> tuple[str, tuple[Check, ...]]:
    """Return the name of the manifest and its checks: the workspace's, else the packaged one.

    Raises:
        UsageError: It is no manifest; the message says in which line.
    """
    data = read_page(root, MANIFEST)
    if data is None and (root / MANIFEST).is_symlink():
        raise UsageError(f"{MANIFEST} is a link to nothing", next_step="mend it, or remove it")
    name = MANIFEST if data is not None else DEFAULT
    if data is None:
        data = resources.files("autopack.preflight").joinpath(DEFAULT).read_bytes()
    return name, parse(name, data.decode("utf-8", "replace"), builtins)


def names(root: Path, deadline: Deadline) -> frozenset[str]:
    """Return the names of the workspace's files, without caches, environments and runs."""
    return read_tree(root, deadline).files


def name_of(root: Path, named: str) -> str:
    """Return the name of a file within the workspace by what a tool calls it, "" for none."""
    path = os.path.normpath(root / named)
    inside = path.startswith(f"{root}{os.sep}") and os.path.isfile(path)
    return os.path.relpath(path, root).replace(os.sep, "/") if inside else ""


def matching(files: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Return the files that one of some globs matches, sorted."""
    pattern = any_of(globs)
    return sorted(name for name in files if pattern.fullmatch(name))


def texts(root: Path, files: Iterable[str]) -> dict[str, str]:
    """Return the text of every file that is there, by name."""
    read = {name: read_page(root, name) for name in files}
    return {n: data.decode("utf-8", "replace") for n, data in read.items() if data is not None}


def digest(root: Path, files: Iterable[str]) -> str:
    """Return a digest of the names and bytes of some files; one that cannot be read counts too."""
    made = hashlib.blake2b(digest_size=20)
    for name in files:
        data = _bytes(root / name)
        head = f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape")
        made.update(head)
        made.update(data)
    return made.hexdigest()


def _bytes(path: Path) -> bytes:
    """Return what a file holds; of a pipe or device behind a link, and of an error, the kind."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            return file.read() if stat.S_ISREG(mode) else f"kind {stat.S_IFMT(mode)}".encode()
    except OSError as error:
        return f"error {error.errno}".encode()


@contextmanager
def copied(text: str) -> Iterator[Path]:
    """Give a file outside the workspace with a text, for a tool that writes where it reads."""
    with tempfile.TemporaryDirectory(prefix="autopack-preflight-") as folder:
        path = Path(folder) / "copy.txt"
        path.write_text(text, encoding="utf-8")
        yield path


def resolve(command: Sequence[str], root: Path) -> list[str] | str:
    """Return the command as it is started, or what is missing for it.

    `python` is this interpreter; other tools are looked for beside it first, then on PATH.
    """
    first, *rest = command
    if _is_python(command):
        module = module_of(rest)
        if module and not _importable(module.partition(".")[0], root):
            return f"this Python has no module {module!r}"
        return [sys.executable, *rest]
    if "/" in first:
        found = first if os.access(root / first, os.X_OK) else None
        return [str(root / first), *rest] if found else f"{first} is no program"
    beside = shutil.which(first, path=str(Path(sys.executable).parent))
    path = beside or shutil.which(first)
    return [path, *rest] if path else f"{first!r} is not on PATH"


def module_of(words: Sequence[str]) -> str:
    """Return what an interpreter is told to run with its own `-m`, "" for a script or code."""
    rest = iter(words)
    for word in rest:
        if word in ("-X", "-W"):
            next(rest, None)
        elif word == "-m":
            return next(rest, "")
        elif word.startswith("-m"):
            return word[2:]
        elif word == "-c" or not word.startswith("-"):
            return ""
    return ""


def scripts(command: Sequence[str], files: frozenset[str]) -> list[str]:
    """Return the workspace's files that a command names: a script, a module, a configuration."""
    named = {word.rpartition("=")[2].removeprefix("./") for word in command}
    top = module_of(command[1:]).partition(".")[0] if _is_python(command) else ""
    if top:
        named.add(f"{top}.py")
    inside = f"{top}/" if top else "\0"
    return sorted(n for n in files if n in named or (n.startswith(inside) and n.endswith(".py")))


def _is_python(command: Sequence[str]) -> bool:
    return bool(command) and command[0] in ("python", "python3", sys.executable)


def _importable(top: str, root: Path) -> bool:
    if (root / top).is_dir() or (root / f"{top}.py").is_file():
        return True
    try:
        return importlib.util.find_spec(top) is not None
    except ValueError:
        return False


def tool_version(command: Sequence[str]) -> str:
    """Return what changes with a command's tool: its distribution's version, or its file."""
    top = module_of(command[1:]).partition(".")[0] if _is_python(command) else ""
    if top:
        for name in (top, top.replace("_", "-")):
            try:
                return f"{name} {metadata.version(name)}"
            except metadata.PackageNotFoundError:
                continue
        return own_version()
    try:
        seen = os.stat(command[0])
    except OSError:
        return "none"
    return f"{os.path.realpath(command[0])} {seen.st_size} {seen.st_mtime_ns}"


@cache
def installed() -> str:
    """Return a digest of the distributions that this Python has: names and versions."""
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    there = {name for folder in folders for name in os.listdir(folder)}
    names = sorted(name for name in there if name.endswith((".dist-info", ".egg-link", ".pth")))
    return hashlib.blake2b("\n".join(names).encode(), digest_size=16).hexdigest()


@cache
def own_version() -> str:
    """Return a digest of this project's own code: what built-in checks change with."""
    made = hashlib.blake2b(digest_size=16)
    base = Path(__file__).resolve().parents[2]
    for floor in ("autopack", "tasks", "flows"):
        for path in sorted((base / floor).rglob("*.*")):  # schemas and defaults too
            if path.is_file() and path.suffix != ".pyc":
                made.update(path.read_bytes())
    return made.hexdigest()


def environment(env: Mapping[str, str], root: Path, check: str) -> dict[str, str]:
    """Return the environment of a check: caches are the user's, and nothing stays in the tree.

    What a cache knows by relative names alone is kept for each checkout.
    """
    folder, own = cache_folder(), f"tools-{checkout_id(root)}"
    return {
        **env,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "RUFF_CACHE_DIR": str(folder / "ruff"),
        "MYPY_CACHE_DIR": str(folder / own / "mypy"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / own / "hypothesis"),
        "NO_COLOR": "1",
        "AUTOPACK_PREFLIGHT": check,
    }

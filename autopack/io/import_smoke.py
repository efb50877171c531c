"""Import modules in forks of a fresh, isolated interpreter that runs this file as a script.

stdin: JSON `{root, bases, batches: [[[name, path], …], …], seconds, jobs}`. stdout: a line of JSON
for each module that fails: `{module, path, line, kind, error, missing}`. The modules of a batch are
imported one after the other in one fork. This imports nothing of this project.

Where batches are many, the code is compiled once and shared by the forks, and libraries from
outside are imported before, so that each fork pays for the workspace's own modules alone.
An import that would write below the root is refused and told.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.machinery
import json
import os
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from types import CodeType
from typing import Any

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.mkdir": 1, "os.remove": 1, "os.rmdir": 1, "os.truncate": 1, "os.chmod": 1, "os.chown": 1,
    "os.utime": 1, "os.setxattr": 1, "sqlite3.connect": 1, "os.rename": 2, "os.link": 2,
    "os.symlink": 2,
}  # fmt: skip
"""Events of an audit hook that change something, and how many of their arguments are names."""


def compiled(root: str, paths: list[str]) -> tuple[dict[str, CodeType], list[str]]:
    """Return the code of every file that compiles, and the names that they import at the top."""
    codes: dict[str, CodeType] = {}
    wanted: dict[str, None] = {}
    for path in paths:
        full = os.path.join(root, path)
        try:
            with open(full, "rb") as file:
                tree = ast.parse(file.read(), full)
            codes[full] = compile(tree, full, "exec", dont_inherit=True)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # its own import tells
        wanted |= dict.fromkeys(_imported(tree))
    return codes, list(wanted)


def _imported(tree: ast.Module) -> list[str]:
    found = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
    return found


def share(codes: dict[str, CodeType]) -> None:
    """Let imports take code that is compiled already, and never bytecode from the disk."""
    loader = importlib.machinery.SourceFileLoader
    before = loader.get_code

    def get_code(self: Any, fullname: str) -> CodeType | None:
        return codes.get(self.path) or before(self, fullname)

    setattr(loader, "get_code", get_code)  # noqa: B010


def refuse_writes(root: str) -> list[str]:
    """Refuse from now on to change anything below the root; return what was tried."""
    tried: list[str] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        names = args[: _CHANGES.get(event, 0)]
        if event == "sqlite3.connect" and names and _is_there(names[0]):
            names = ()  # perhaps it is only read
        if event == "open" and isinstance(args[2], int) and args[2] & _WRITES:
            names = args[:1]
        for name in names:
            path = os.path.abspath(os.fsdecode(name)) if _is_name(name) else ""
            if path.startswith(root + os.sep):
                tried.append(path)
                raise PermissionError(f"an import must not write: {path}")

    sys.addaudithook(hook)
    return tried


def _is_name(name: Any) -> bool:
    return isinstance(name, (str, bytes))


def _is_there(database: Any) -> bool:
    """Return whether to connect to a database creates no file: in memory, an address, or there."""
    name = os.fsdecode(database) if _is_name(database) else ""
    return name in ("", ":memory:") or name.startswith("file:") or os.path.exists(name)


def attempt(root: str, name: str, path: str, tried: list[str]) -> dict[str, Any] | None:
    """Import one module; return what went wrong, None for nothing."""
    tried.clear()
    told = None
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - SystemExit, and whatever modules raise
        told = failure(root, path, error)
    if tried and not told:
        told = {"kind": "writes", "error": f"it writes {os.path.relpath(tried[0], root)}"}
    return told and {"module": name, "path": path, **told}


def failure(root: str, path: str, error: BaseException) -> dict[str, Any] | None:
    """Return what an error says, with the line of the module; None if it is not for this platform.

    `assert sys.platform == …` at the top of a module is how type checkers are told that; another
    sign is a module of the standard library that this platform has not, such as winreg.
    """
    missing = (error.name or "") if isinstance(error, ModuleNotFoundError) else None
    if missing in sys.stdlib_module_names:  # as a whole: `json.decodr` is nowhere
        return None
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == os.path.join(root, path)]
    inside = [frame for frame in frames if frame.filename.startswith(root + os.sep)]
    last = inside[-1] if inside else None
    if isinstance(error, AssertionError) and last and "sys.platform" in (last.line or ""):
        return None
    line = own[-1].lineno if own else None
    if isinstance(error, SyntaxError):
        line = error.lineno if error.filename == os.path.join(root, path) else line
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    where = os.path.relpath(last.filename, root) if last else path
    if where != path and last:
        words += f" ({where}:{last.lineno})"
    kind = "exits" if isinstance(error, SystemExit) else "fails"
    return {"line": line, "kind": kind, "error": words[:500], "missing": missing}


class Fork:
    """A fork that imports one batch, and answers with a line for each module."""

    def __init__(self, root: str, batch: list[list[str]], seconds: float) -> None:
        self.batch, self.seconds = batch, seconds
        self.at, self.data = 0, b""
        self.ends = time.monotonic() + seconds
        self.pipe, writing = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _import_all(root, batch, writing)
        os.close(writing)

    def hear(self) -> bool:
        """Read what there is, and print what went wrong; return whether there will be more."""
        part = os.read(self.pipe, 65536)
        self.data += part
        *lines, self.data = self.data.split(b"\n")
        for line in lines:
            say(json.loads(line))
            self.at += 1
            self.ends = time.monotonic() + self.seconds
        return bool(part)

    def end(self) -> list[list[str]]:
        """End it; the module that was being imported is told, those behind it are returned."""
        os.close(self.pipe)
        late = time.monotonic() >= self.ends
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        if self.at < len(self.batch):
            name, path = self.batch[self.at]
            kind = "hangs" if late else "ends"
            words = f"not over after {self.seconds:g} s" if late else "the import ended Python"
            say({"module": name, "path": path, "kind": kind, "error": words})
        return self.batch[self.at + 1 :]


def _import_all(root: str, batch: list[list[str]], writing: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    try:
        tried = refuse_writes(root)
        for name, path in batch:
            told = attempt(root, name, path, tried)
            os.write(writing, json.dumps(told).encode() + b"\n")
    finally:
        os._exit(0)


def run(wish: dict[str, Any]) -> None:
    """Import every batch, some at a time; print what went wrong."""
    root, seconds = wish["root"], wish["seconds"]
    waiting: list[list[list[str]]] = list(reversed(wish["batches"]))
    at_work: dict[int, Fork] = {}
    while waiting or at_work:
        while waiting and len(at_work) < wish["jobs"]:
            fork = Fork(root, waiting.pop(), seconds)
            at_work[fork.pipe] = fork
        left = min(fork.ends for fork in at_work.values()) - time.monotonic()
        ready = select.select(list(at_work), [], [], max(0.0, left))[0]
        for pipe, fork in list(at_work.items()):
            more = fork.hear() if pipe in ready else time.monotonic() < fork.ends
            if not more:
                del at_work[pipe]
                rest = fork.end()
                waiting += [rest] if rest else []


def say(told: dict[str, Any] | None) -> None:
    """Print one failure."""
    if told:
        sys.stdout.write(json.dumps(told) + "\n")


def main() -> None:
    """Read the wish, prepare what the forks share, import."""
    wish = json.load(sys.stdin)
    root = wish["root"] = os.path.realpath(wish["root"])
    sys.dont_write_bytecode = True
    sys.path[:0] = [os.path.join(root, base) if base else root for base in wish["bases"]]
    modules = [module for batch in wish["batches"] for module in batch]
    if not hasattr(os, "fork"):
        tried = refuse_writes(root)
        for name, path in modules:
            say(attempt(root, name, path, tried))
        return
    if len(wish["batches"]) > wish["jobs"]:
        prepare(root, modules)
    run(wish)
    sys.stdout.flush()
    os._exit(0)  # threads of libraries must not keep it


def prepare(root: str, modules: list[list[str]]) -> None:
    """Compile everything, and import what the modules import from outside."""
    codes, wanted = compiled(root, [path for _, path in modules])
    share(codes)
    own = {name.partition(".")[0] for name, _ in modules}
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w") as null:
        sys.stdout = sys.stderr = null
        for name in wanted:
            if name.partition(".")[0] not in own:
                with suppress(BaseException):
                    importlib.import_module(name)
        sys.stdout, sys.stderr = before
    gc.freeze()


if __name__ == "__main__":
    main()

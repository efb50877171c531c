"""Rule files, proposals, approvals and the catalogue on disk, and the rules that are served."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from autopack.canonical import digest_of_bytes
from autopack.errors import Refused, Unreachable, UsageError
from autopack.io.replace import replace_file
from autopack.phases.document import MAX_BYTES, Document, Malformed
from autopack.phases.document import read as read_document
from autopack.phases.errors import dotted
from autopack.rules.approval import Approval
from autopack.rules.catalogue import OWN, Catalogue
from autopack.rules.hits import HITS_FILE, Hit, overturned, read_hits
from autopack.rules.matching import Rulebook
from autopack.rules.proposal import Proposal
from autopack.rules.schema import EMPTY, RULES_FILE, RuleFile
from autopack.rules.serving import use
from autopack.state_files import RULES

IDENTITY = f"{RULES}/workspace"
"""What tells this checkout from every other one, so that an approval holds in it alone."""
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class OnDisk:
    """The rule file as it was read; `data` is None where there is none."""

    file: RuleFile
    data: bytes | None

    @property
    def digest(self) -> str:
        """What names this state of the file."""
        return digest_of_bytes(self.data)


def plain_bytes(path: Path, shown: str, most: int = MAX_BYTES) -> bytes | None:
    """Return a plain file's bytes, one more than `most` at most; None without a file.

    Raises:
        Refused: It is a symbolic link, a folder or something else that is no plain file.
        Unreachable: It cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_plain_file(shown) from None
        raise Unreachable(
            f"{shown}: {error.strerror}", next_step=f"make {shown} a readable file", permanent=True
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_plain_file(shown)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(most + 1)


def _no_plain_file(shown: str) -> Refused:
    return Refused(f"{shown} is no plain file", next_step=f"put the file itself at {shown}")


def rules_bytes(root: Path) -> bytes | None:
    """Return the bytes of the workspace's rule file; raises what `plain_bytes` raises."""
    if (root / "docs").is_symlink():
        raise Refused("docs is a symbolic link", next_step="make docs/ a folder of the workspace")
    return plain_bytes(root / RULES_FILE, RULES_FILE)


def read_rules(root: Path) -> OnDisk:
    """Return the workspace's rules; a file that is not there has none.

    Raises:
        Refused: The file is there, and is no rule file of this format; it is left as it is.
        Unreachable: It cannot be read.
    """
    data = rules_bytes(root)
    return OnDisk(EMPTY if data is None else parse_rules(data), data)


def parse_rules(data: bytes) -> RuleFile:
    """Return the rules that a file's bytes hold.

    Raises:
        Refused: They hold something else.
    """
    advice = (
        "python -m flows.failure_rules lint; a file of another format is moved away and imported: "
        "python -m flows.failure_rules propose --from-rules FILE"
    )
    try:
        return _validated(RuleFile, _document(RULES_FILE, data))
    except UsageError as error:
        raise Refused(
            f"{error.message}; it is no rule file of this format and stays as it is", advice
        ) from None


def _document(shown: str, data: bytes) -> Document:
    try:
        return read_document(shown, data)
    except Malformed as fault:
        place = f"{shown}:{fault.place.line}:{fault.place.column}"
        raise UsageError(f"{place}: {fault.message}", next_step="correct the file") from None


def _validated(kind: type[M], document: Document) -> M:
    try:
        return kind.model_validate(document.value)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = document.place(tuple(fault["loc"]))
        where = f"{document.name}:{place.line}:{place.column}"
        raise UsageError(
            f"{where}: {dotted(fault['loc'])}: {fault['msg']}", next_step="correct the file"
        ) from None


def read_proposal(name: str) -> Proposal:
    """Return a proposal; raises what `_paper` raises."""
    return _paper(Proposal, name, "python -m flows.failure_rules propose")


def read_approval(name: str) -> Approval:
    """Return an approval; raises what `_paper` raises."""
    return _paper(Approval, name, "python -m flows.failure_rules review")


def _paper(kind: type[M], name: str, made_by: str) -> M:
    """Return a paper that a command wrote, exactly as it wrote it.

    Raises:
        UsageError: There is no such file.
        Refused: It is a link, is malformed, or says something in another way than the command.
        Unreachable: It cannot be read.
    """
    path = Path(name).expanduser()
    data = plain_bytes(path, name)
    if data is None:
        raise UsageError(f"{name} does not exist", next_step=made_by)
    try:
        made = _validated(kind, _document(f"{path.name}.json", data))
    except UsageError as error:
        words = error.message.replace(f"{path.name}.json", name)
        raise Refused(words, next_step=f"make it again: {made_by}") from None
    if made.data() != data:  # type: ignore[attr-defined]
        raise Refused(f"{name} is not as it was written", next_step=f"make it again: {made_by}")
    return made


def read_catalogue(root: Path) -> Catalogue:
    """Return the packaged catalogue with the workspace's own entries laid over it.

    Raises:
        UsageError: A catalogue is wrong; the message says in which line.
        Refused: The workspace's own is no plain file.
        Unreachable: It cannot be read.
    """
    packaged = files("autopack.rules").joinpath("default_mitigations.yaml").read_bytes()
    base = _validated(Catalogue, _document("default_mitigations.yaml", packaged))
    data = plain_bytes(root / OWN, OWN)
    return base if data is None else _validated(Catalogue, _document(OWN, data)).over(base)


def read_old_rules(name: str) -> tuple[Any, str]:
    """Return the value of an old rule file, and its name without folders.

    Raises:
        UsageError: There is no such file, or it is no JSON.
        Unreachable: It cannot be read.
    """
    data = plain_bytes(Path(name).expanduser(), name)
    if data is None:
        raise UsageError(f"{name} does not exist", next_step="pass the path of an old rule file")
    return _document(name, data).value, Path(name).name


def identity(root: Path, *, create: bool) -> str | None:
    """Return what tells this checkout from every other; made on the first use.

    Raises:
        Refused: What is there is something else.
        Unreachable: It can be neither read nor made.
    """
    path = root / IDENTITY
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"workspace.{uuid.uuid4().hex}")
            fresh.write_text(uuid.uuid4().hex + "\n", encoding="ascii")
            try:
                os.link(fresh, path)  # whoever comes first, wins
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        except OSError as error:
            raise Unreachable(
                f"{IDENTITY}: {error.strerror}", next_step="fix the permissions, then run again"
            ) from None
    data = plain_bytes(path, IDENTITY)
    if data is None:
        return None
    text = data.decode("ascii", "replace").strip()
    if len(text) != 32 or not set(text) <= set("0123456789abcdef"):
        raise Refused(f"{IDENTITY} holds no identity", next_step="remove it and propose again")
    return text


def write_product(path: Path, shown: str, data: bytes) -> None:
    """Put a product in its place, whole.

    Raises:
        Refused: The place is a link, or no plain file.
        Unreachable: The disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unreachable(f"{shown}: {error.strerror}", next_step="pass another --out") from None
    try:
        old = path.read_bytes() if plain_bytes(path, shown) is not None else None
    except OSError as error:
        raise Unreachable(f"{shown}: {error.strerror}", next_step="pass another --out") from None
    replace_file(path.parent, path.name, old, data, nullcontext)


def read_log(root: Path) -> tuple[list[Hit], list[int]]:
    """Return the hits of the workspace, and the lines that are none; both may be empty.

    Raises:
        Refused: The log is no plain file.
        Unreachable: It cannot be read.
    """
    path = root / HITS_FILE
    if path.is_symlink():
        raise _no_plain_file(HITS_FILE)
    try:
        return read_hits(path.read_bytes())
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise Unreachable(
            f"{HITS_FILE}: {error.strerror}", next_step=f"make {HITS_FILE} a readable file"
        ) from None


def append_hit(root: Path, hit: Hit) -> None:
    """Append a hit to the workspace's log, in one write, and wait until it is on disk.

    Raises:
        Unreachable: The log cannot be written.
    """
    import json

    path = root / HITS_FILE
    line = json.dumps(hit.plain(), ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
            if os.write(descriptor, (b"\n" if torn else b"") + line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreachable(
            f"{HITS_FILE}: {error.strerror}", next_step="free disk space or fix the permissions"
        ) from None


def load(root: Path) -> Rulebook:
    """Return the rules that a workspace serves; what was overturned only advises.

    Raises:
        Refused: The rule file is of another format.
        Unreachable: It cannot be read.
    """
    hits, _ = read_log(root)
    return Rulebook.of(read_rules(root).file, overturned(hits))


def serve(root: Path | str = ".") -> Rulebook:
    """Load a workspace's rules once, for `autopack.rules.match`; raises what `load` raises."""
    rulebook = load(Path(root))
    use(rulebook)
    return rulebook

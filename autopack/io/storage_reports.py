"""Clean-up reports on disk: written whole and canonically, read only if they are unchanged."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import nullcontext
from pathlib import Path

from pydantic import ValidationError

from autopack.errors import Refused, Unreachable, UsageError
from autopack.io.replace import replace_file
from autopack.phases import json_text
from autopack.phases.document import Document, Malformed, is_deep
from autopack.phases.errors import words_of
from autopack.state_files import REPORTS
from autopack.storage.cleanup import SCAN
from autopack.storage.schema import REPORT, CleanupReport

FOLDER = f"{REPORTS}/storage"
LARGEST = 256 << 20
"""Bytes of a report: some 300,000 items."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def place_of(report: CleanupReport) -> str:
    """Return the path of a report from the workspace's root."""
    return f"{FOLDER}/{report.id.removeprefix('sha256:')[:12]}.json"


def write_report(root: Path, report: CleanupReport) -> str:
    """Put a report in its place, whole, and return its path from the workspace's root.

    Raises:
        Refused: Something else is there, or the report is too large.
        Unreachable: It cannot be written.
    """
    name, data = place_of(report), report.data()
    if len(data) > LARGEST:
        raise Refused(
            f"the report of {len(report.items):,} items is larger than {LARGEST >> 20} MiB",
            next_step="lower max_items in the caps of the policy's categories, then scan again",
        )
    path = root / name
    if os.path.lexists(path) and _bytes(path, name) == data:
        return name
    replace_file(root, name, None, data, nullcontext)
    return name


def read_report(name: str) -> CleanupReport:
    """Return the report that a file holds.

    Raises:
        UsageError: There is no such file, or it is no report of this format.
        Refused: It is not as it was written, or no plain file.
        Unreachable: It cannot be read.
    """
    return parse_report(name, _bytes(Path(name), name))


def parse_report(name: str, data: bytes) -> CleanupReport:
    """Return the report that bytes hold; raises what `read_report` raises."""
    document = _document(name, data)
    if not isinstance(document.value, dict) or document.value.get("schema") != REPORT:
        raise UsageError(f"{name}:1: no clean-up report ({REPORT})", SCAN)
    try:
        report = CleanupReport.model_validate(document.value)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = document.place(fault["loc"])
        raise _tampered(f"{name}:{place.line}:{place.column}: {words_of(fault)}") from None
    if report.id != report.true_id():
        place = document.place(("id",))
        raise _tampered(f"{name}:{place.line}:{place.column}: the content is not what the id names")
    if report.data() != data:
        raise _tampered(f"{name}:1: the file is spelled in another way than it was written")
    return report


def _document(name: str, data: bytes) -> Document:
    try:
        text = data.decode("utf-8")
        value = json_text.parse(text)
        if is_deep(value):
            json_text.marks(text)  # says where
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{name}:{line}: byte 0x{data[error.start]:02x} is no UTF-8", SCAN
        ) from None
    except Malformed as fault:
        where = f"{name}:{fault.place.line}:{fault.place.column}"
        raise UsageError(f"{where}: {fault.message}", SCAN) from None
    return Document(name, value, text, lambda: json_text.marks(text))


def _tampered(words: str) -> Refused:
    return Refused(f"{words}; the report was changed after it was written", next_step=SCAN)


def _bytes(path: Path, shown: str) -> bytes:
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        raise UsageError(f"{shown} does not exist", next_step=SCAN) from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _no_file(shown) from None
        raise Unreachable(
            f"{shown}: {error.strerror}", next_step=f"make {shown} a readable file", permanent=True
        ) from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise _no_file(shown)
    with os.fdopen(descriptor, "rb") as file:
        if found.st_size > LARGEST:
            raise UsageError(f"{shown} is larger than any report, {LARGEST >> 20} MiB", SCAN)
        return file.read(LARGEST + 1)


def _no_file(shown: str) -> Refused:
    return Refused(f"{shown} is no plain file", next_step=f"put the report itself at {shown}")

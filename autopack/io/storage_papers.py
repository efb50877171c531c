"""Approvals as files: read exactly as their command wrote them."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from autopack.errors import Refused, UsageError
from autopack.io.rule_files import plain_bytes
from autopack.phases.errors import dotted
from autopack.storage.schema import Approval

LARGEST = 32 << 20
"""Bytes of an approval: of the million items that one may be of, 27 MB."""
APPROVE = "python -m flows.storage_apply approve REPORT"


def read_approval(path: Path, shown: str) -> Approval:
    """Return an approval that a command wrote.

    Raises:
        UsageError: There is no such file.
        Refused: It is a link, is malformed, or says something in another way than the command.
        Unreachable: It cannot be read.
    """
    data = plain_bytes(path, shown, LARGEST)
    if data is None:
        raise UsageError(f"{shown} does not exist", next_step=APPROVE)
    try:
        made = Approval.model_validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = f"{shown}: {dotted(fault['loc'])}" if fault["loc"] else shown
        raise Refused(f"{where}: {fault['msg']}", next_step=f"approve again: {APPROVE}") from None
    if made.data() != data:
        raise Refused(f"{shown} is not as it was written", next_step=f"approve again: {APPROVE}")
    return made

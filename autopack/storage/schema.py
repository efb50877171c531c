"""The papers of a clean-up: the report of what could go, and the approval of what may.

A report names itself by the digest of its content, an approval names the report; neither says
anything that the act itself would not look at again. Numbers that may pass 2**53 are text.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from autopack.canonical import canonical, digest
from autopack.papers import Digest, Line, Moment, Strict

REPORT = "autopack.storage.report/1"
APPROVAL = "autopack.storage.approval/1"
SMALL_FILE = 1 << 20
"""Files of at most so many bytes are named by their content as well."""

Big = Annotated[str, Field(pattern=r"^\d{1,20}$")]
"""An unsigned number of 64 bits, in decimal."""
Count = Annotated[int, Field(ge=0)]
ItemId = Annotated[str, Field(pattern=r"^item:[0-9a-f]{16}$")]
Spelled = Annotated[str, Field(max_length=100_000)]
"""A path as `autopack.storage.names` spells it."""


class Root(Strict):
    """A tree that was scanned, and what of it was not seen."""

    path: Spelled
    dev: Big
    ino: Big
    snapshot: Digest
    mode: Literal["exact", "full"]
    entries: Count
    partial: bool
    not_seen: Count


class Item(Strict):
    """A file or folder that could go, and by what it is known again.

    `size` and `allocated` are in bytes and cover everything in a folder, a hard link once;
    `reclaimable` leaves out what other names outside still hold.
    """

    id: ItemId
    root: Count
    path: Annotated[Spelled, Field(min_length=1)]
    kind: Literal["file", "folder"]
    dev: Big
    ino: Big
    mode: Count
    nlink: Count
    size: Count
    allocated: Count
    reclaimable: Count
    files: Count
    mtime_ns: Big
    ctime_ns: Big
    content: Digest | None = None
    tree: Digest | None = None
    category: Line
    rule: Line
    age_days: Count


def item_id(root: int, path: str) -> str:
    """Return the name of an item within its report."""
    return f"item:{digest([root, path]).removeprefix('sha256:')[:16]}"


class PolicyUsed(Strict):
    """The policy that a report was made under."""

    path: Spelled
    sha256: Digest


class _Named(Strict):
    """A paper that names itself."""

    id: Digest

    def body(self) -> dict[str, Any]:
        """Return everything that the id is the digest of."""
        return {key: value for key, value in self.plain().items() if key not in {"id", "signature"}}

    def true_id(self) -> str:
        """Return the id that the content has."""
        return digest(self.body())

    def data(self) -> bytes:
        """Return the file: canonical bytes and a newline."""
        return canonical(self.plain()) + b"\n"


class CleanupReport(_Named):
    """What could go, one by one; `id` is the report_id."""

    schema_: Literal["autopack.storage.report/1"] = Field(
        validation_alias="schema", serialization_alias="schema"
    )
    created: Moment
    version: Line
    roots: list[Root] = Field(min_length=1)
    policy: PolicyUsed
    items: list[Item]

    def item(self, name: str) -> Item | None:
        """Return the item of this id, or None."""
        return next((item for item in self.items if item.id == name), None)


class Signature(Strict):
    """An Ed25519 signature (RFC 8032) over the canonical body, and the key it is checked with."""

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    value: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class Approval(_Named):
    """Who allows what, until when: these items of this report, or the purge of this run.

    `subject` is the report's id, or the digest of the run's quarantine.
    """

    schema_: Literal["autopack.storage.approval/1"] = Field(
        validation_alias="schema", serialization_alias="schema"
    )
    action: Literal["execute", "purge"]
    subject: Digest
    run: Line | None = None
    policy_sha256: Digest
    approver: Line
    created: Moment
    expires_at: Moment
    items: list[ItemId] = Field(min_length=1)
    max_bytes: Count
    max_items: Count
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    flow_run_id: Line | None = None
    signature: Signature | None = None

"""A part of the chain to keep elsewhere, and the manifest that says what it is a copy of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from autopack.audit import chain
from autopack.audit.chain import FIRST, Chain, Head
from autopack.audit.signed import SCHEMA as HEAD_SCHEMA
from autopack.audit.signed import SignedHead, head_in, signed_head
from autopack.errors import UsageError

SCHEMA = "autopack.audit.export/1"


@dataclass(frozen=True)
class Export:
    """Lines of a chain as they are, from one record to another, and what stood before them."""

    data: bytes
    after: Head
    first: int
    head: Head
    records: int

    @property
    def name(self) -> str:
        """What the file is called in a folder of exports."""
        return f"audit-{self.first:08}-{self.head.seq:08}.jsonl"

    def manifest(self, signed: SignedHead | None) -> dict[str, Any]:
        """Return what the copy is checked with; the digest of its last line is the head."""
        said = {
            "schema": SCHEMA,
            "records": self.records,
            "first": self.first,
            "after": _json(self.after),
            "head": _json(self.head),
            "sha256": sha256(self.data).hexdigest(),
        }
        if signed:
            said |= {"at": signed.at, "key": signed.key, "signature": signed.signature}
        return said


def _json(head: Head) -> dict[str, Any]:
    return {"seq": head.seq, "sha256": head.sha256}


def export(data: bytes, since: str | None) -> Export | None:
    """Return the lines of a chain from `since` to its last record, or None if there are none.

    `since` is a record's number, or a day or moment in ISO 8601, in UTC where it names no zone.

    Raises:
        UsageError: It is neither.
    """
    lines = chain.split(data)[0]
    parsed = [chain.parse(line) for line in lines]
    wanted = _from(since)
    at = [n for n, record in enumerate(parsed) if record]
    start = next((n for n in at if wanted(parsed[n] or {})), None)
    if start is None:
        return None
    end = at[-1]
    before = [n for n in at if n < start]
    last, first = parsed[end] or {}, parsed[start] or {}
    return Export(
        b"".join(line + b"\n" for line in lines[start : end + 1]),
        Head((parsed[before[-1]] or {})["seq"] if before else 0, first["prev"]),
        first["seq"],
        Head(last["seq"], chain.digest(lines[end])),
        sum(record is not None for record in parsed[start : end + 1]),
    )


def _from(since: str | None) -> Callable[[Mapping[str, Any]], bool]:
    if since is None:
        return lambda _record: True
    if since.isdecimal():
        return lambda record: bool(record["seq"] >= int(since))
    moment = _moment(since)
    if moment is None:
        raise UsageError(
            f"--since {since[:40]!r} is no record's number and no day or moment",
            next_step="say for instance --since 120 or --since 2026-01-31",
        )
    return lambda record: (_moment(str(record.get("time"))) or moment) >= moment


def _moment(text: str) -> datetime | None:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def check(data: bytes, manifest: Any) -> tuple[Chain, str | None]:
    """Return a copy as a chain, and what of it is not as its manifest says, None if all is."""
    after, head = (head_or_start(manifest, name) for name in ("after", "head"))
    if after is None or head is None or manifest.get("schema") != SCHEMA:
        return chain.read(b""), "the manifest is none of an export"
    copy = chain.read(data, after)
    if copy.tampered:
        return copy, f"line {copy.tampered.line}: {copy.tampered.why}"
    if copy.head != head:
        return copy, f"it ends with {copy.head}, the manifest says {head}"
    if sha256(data).hexdigest() != manifest.get("sha256"):
        return copy, "its bytes are not those that the manifest names"
    return copy, None


def signed_in(manifest: Any) -> SignedHead | None:
    """Return the signed head of a manifest, or None where it is not signed."""
    said = manifest if isinstance(manifest, dict) else {}
    return signed_head({**said, "schema": HEAD_SCHEMA})


def head_or_start(manifest: Any, name: str) -> Head | None:
    """Return a head of a manifest; before the first record there is number 0."""
    said = manifest.get(name) if isinstance(manifest, dict) else None
    if said == _json(Head(0, FIRST)):
        return Head(0, FIRST)
    return head_in(said)

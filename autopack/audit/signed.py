"""A signed head: what exactly is signed, and how one stands in a file of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autopack.audit.chain import Head
from autopack.canonical import canonical

SCHEMA = "autopack.audit.head/1"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SignedHead:
    """A head, when it was signed (ISO 8601), and the Ed25519 key and signature, both in hex."""

    head: Head
    at: str
    key: str
    signature: str

    def payload(self) -> bytes:
        """Return the bytes that are signed."""
        return payload(self.head, self.at)

    def as_json(self) -> dict[str, Any]:
        """Return the members of the record that keeps it."""
        return {
            "schema": SCHEMA,
            "head": {"seq": self.head.seq, "sha256": self.head.sha256},
            "at": self.at,
            "key": self.key,
            "signature": self.signature,
        }


def payload(head: Head, at: str) -> bytes:
    """Return the canonical bytes that a signature over a head covers; they name their own kind."""
    return canonical({"schema": SCHEMA, "seq": head.seq, "sha256": head.sha256, "at": at})


def signed_head(record: Mapping[str, Any]) -> SignedHead | None:
    """Return the signed head that a record keeps, or None where it keeps none."""
    head, texts = head_in(record.get("head")), [record.get(k) for k in ("at", "key", "signature")]
    if record.get("schema") != SCHEMA or head is None:
        return None
    at, key, signature = (text if isinstance(text, str) else None for text in texts)
    if at is None or key is None or signature is None:
        return None
    return SignedHead(head, at, key, signature)


def head_in(value: Any) -> Head | None:
    """Return the head that a JSON object with `seq` and `sha256` names, or None."""
    if not isinstance(value, Mapping):
        return None
    seq, sha = value.get("seq"), value.get("sha256")
    if type(seq) is not int or not 0 < seq < 2**53 or not isinstance(sha, str):
        return None
    return Head(seq, sha) if _SHA256.fullmatch(sha) else None

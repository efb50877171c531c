"""Heads of the audit chain in a file of their own, each signed by whoever ended the run.

The file is chained like the audit chain. It only helps against those who can't sign: whoever may
write both files can also cut both, and is found by heads in a database or in an old report.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from autopack.audit import chain
from autopack.audit.chain import Chain, Head
from autopack.audit.signed import SignedHead, payload, signed_head
from autopack.io import audit, signing
from autopack.state_files import AUDIT_HEADS


def sign(head: Head, key: Path) -> SignedHead:
    """Return a head with the time and a signature; raises what `signing.sign` raises."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    public = signing.public_of(key)
    return SignedHead(head, at, public, signing.sign(key, payload(head, at)))


def keep(root: Path, signed: SignedHead, *, max_wait_s: float = 5.0) -> None:
    """Append a signed head to the file; raises what `audit.append_to` raises."""
    audit.append_to(root / AUDIT_HEADS, signed.as_json(), max_wait_s=max_wait_s)


def read(root: Path) -> tuple[Chain, list[tuple[int, SignedHead | None]]]:
    """Return the file as a chain, and the signed head of each of its lines, None where none is.

    Raises what `audit.read` raises.
    """
    data = audit.read(root / AUDIT_HEADS)
    records = enumerate(map(chain.parse, chain.split(data)[0]), start=1)
    return chain.read(data), [(line, signed_head(record)) for line, record in records if record]


def genuine(signed: SignedHead) -> bool:
    """Return whether the signature is one of the key that the head names."""
    return signing.verify(signed.key, signed.payload(), signed.signature)

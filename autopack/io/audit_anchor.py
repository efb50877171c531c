"""Keep the head of the audit chain where whoever rewrites the chain has to reach as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from autopack.audit.chain import Head
from autopack.audit.signed import SignedHead
from autopack.deadline import Deadline
from autopack.errors import AutopackError
from autopack.io.audit import Appended
from autopack.settings import Target

T = TypeVar("T")


@dataclass(frozen=True)
class Anchor:
    """Where a head is kept besides the chain, and what went wrong with the other places."""

    head: Head
    signed: SignedHead | None = None
    database: str | None = None
    problems: tuple[AutopackError, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the `audit` member of a report: enough to check the chain with, years later."""
        said: dict[str, Any] = {"seq": self.head.seq, "sha256": self.head.sha256}
        if self.signed:
            said |= {k: v for k, v in self.signed.as_json().items() if k in _SIGNED}
        return {**said, "database": self.database} if self.database else said


_SIGNED = ("at", "key", "signature")


def anchor(
    root: Path,
    appended: Appended,
    target: Target | None = None,
    *,
    key: Path | None = None,
    deadline: Deadline | None = None,
) -> Anchor:
    """Sign the head of the chain if there is a key, and add it to a database if there is one.

    Each place is tried for itself: what fails is in `problems`, the record itself stands already.
    """
    deadline = deadline or Deadline.after(10.0)
    problems: list[AutopackError] = []
    signed, shown = None, None
    if key is not None:
        signed = _tried(problems, lambda: _sign(root, appended.head, key, deadline))
    if target is not None:
        shown = _tried(problems, lambda: _insert(root, appended.head, signed, target, deadline))
    return Anchor(appended.head, signed, shown, tuple(problems))


def _tried(problems: list[AutopackError], work: Callable[[], T]) -> T | None:
    try:
        return work()
    except AutopackError as error:
        problems.append(error)
        return None


def _sign(root: Path, head: Head, key: Path, deadline: Deadline) -> SignedHead:
    from autopack.io import audit_heads

    signed = audit_heads.sign(head, key)
    audit_heads.keep(root, signed, max_wait_s=deadline.cap(2.0, "keeping the signed head"))
    return signed


def _insert(
    root: Path, head: Head, signed: SignedHead | None, target: Target, deadline: Deadline
) -> str:
    from autopack.io import audit_rows
    from autopack.io.database import Database
    from autopack.io.git import checkout_id

    at = signed.at if signed else datetime.now(UTC).isoformat(timespec="seconds")
    names = (signed.key, signed.signature) if signed else (None, None)
    row = audit_rows.Row(checkout_id(root.resolve()), head, genesis(root), at, *names)
    database = Database(target, deadline)
    try:
        audit_rows.keep(database, row)
    finally:
        database.close()
    return target.shown


def genesis(root: Path) -> str:
    """Return the digest of the chain's first line, which tells it from other chains."""
    from autopack.audit import chain
    from autopack.io.audit import first_line

    return chain.digest(first_line(root))

"""The start of a phase, as it is kept until its end; its own digest stands in front of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from autopack.phases.census import Census, census_of
from autopack.phases.scope import Budget, Command, Scope

SCHEMA = "autopack.phase-snapshot/3"
_HEAD = f'{{"schema":"{SCHEMA}","sha256":"'.encode()
_MIDDLE = b'","snapshot":'
_DIGEST = 64


class Unreadable(ValueError):
    """It is no snapshot, or not as it was written."""


@dataclass(frozen=True)
class Snapshot:
    """What a phase started from.

    `spec` is the spec's path as the command line had it, `began` seconds since 1970, `commit` the
    one that was checked out, `kept` the digest of what its files held.
    """

    run: str
    spec: str
    spec_sha256: str
    policy_sha256: str
    scope: Scope
    scratch: tuple[str, ...]
    began: float
    commit: str
    kept: str
    census: Census


def packed(snapshot: Snapshot) -> tuple[bytes, str]:
    """Return a snapshot as it is kept, one JSON object, and the digest that it carries."""
    value = {name: getattr(snapshot, name) for name in Snapshot.__dataclass_fields__}
    value |= {"scope": asdict(snapshot.scope), "census": snapshot.census.as_json()}
    body = json.dumps(value, separators=(",", ":")).encode()
    digest = sha256(body).hexdigest()
    return b"".join((_HEAD, digest.encode(), _MIDDLE, body, b"}\n")), digest


def unpacked(data: bytes) -> tuple[Snapshot, str]:
    """Return a snapshot and its digest.

    Raises:
        Unreadable: It is none, or has changed since it was written.
    """
    start = len(_HEAD) + _DIGEST
    body = data[start + len(_MIDDLE) : -2]
    digest = sha256(body).hexdigest()
    if data != b"".join((_HEAD, digest.encode(), _MIDDLE, body, b"}\n")):
        raise Unreadable("it is not as it was written")
    try:
        return _snapshot(json.loads(body)), digest
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"it is no snapshot of this version: {error}") from None


def _snapshot(value: Any) -> Snapshot:
    return Snapshot(
        value["run"],
        value["spec"],
        value["spec_sha256"],
        value["policy_sha256"],
        _scope(value["scope"]),
        tuple(value["scratch"]),
        value["began"],
        value["commit"],
        value["kept"],
        census_of(value["census"]),
    )


def _scope(value: Any) -> Scope:
    return Scope(
        value["phase"],
        tuple(value["allowed"]),
        tuple(value["read_only"]),
        tuple(value["protected"]),
        Budget(**value["budget"]),
        Command(tuple(value["command"]["argv"]), value["command"]["timeout_seconds"]),
    )

"""Steps of an audit export: a part of the chain that was verified, and its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autopack.audit.anchors import Anchor
from autopack.audit.export import check, export, signed_in
from autopack.report import Finding
from tasks import policy
from tasks.audit_session import Auditing
from tasks.engine import task

LAST = "last"
"""For `since`: what the newest export in the folder does not hold yet."""


@task(**policy.READ)
def go_on(out: str, since: str | None) -> tuple[str | None, list[str]]:
    """Return where to start, and the export that is gone on from, which the chain must hold."""
    from autopack.io import audit_exports

    before = audit_exports.newest(out) if since == LAST else None
    if before is None:
        return None if since == LAST else since, []
    return str(before[1] + 1), [str(before[0])]


@task(**policy.ONCE)
def write_export(auditing: Auditing, out: str, since: str | None, written: list[str]) -> str:
    """Write the part of the chain that was asked for; return what was done."""
    from autopack.io import audit_exports, audit_heads

    made = export(auditing.data, since)
    if made is None:
        return "no record to export"
    signed = audit_heads.sign(made.head, auditing.key) if auditing.key else None
    path = audit_exports.place(out, made)
    auditing.deadline.check("writing the export")
    files = audit_exports.keep(path, made, made.manifest(signed))
    written += [_shown(auditing.root, file) for file in files]
    done = "exported" if files else "exported before"
    return f"{done}: {made.records} records, {made.first} to {made.head.seq}, in {path}"


def _shown(root: Path, path: Path) -> str:
    whole = path.resolve()
    return whole.relative_to(root).as_posix() if whole.is_relative_to(root) else str(path)


@task(**policy.READ)
def check_copy(auditing: Auditing, name: str, trusted: Sequence[str]) -> list[Finding]:
    """Check an earlier export, and let its head stand for the chain."""
    from autopack.io import audit_exports

    data, manifest = audit_exports.read(Path(name).expanduser())
    copy, why = check(data, manifest)
    why = why or _why_not_signed(manifest, trusted)
    if why is not None:
        return [Finding("copy_tampered", "error", name, None, f"the copy is not whole: {why}")]
    assert copy.head
    auditing.anchors.setdefault("copies", []).append(Anchor(copy.head, f"the copy {name}"))
    return []


def _why_not_signed(manifest: Any, trusted: Sequence[str]) -> str | None:
    """Return what is wrong with the signature of a manifest; without trusted keys it needs none."""
    from autopack.io import audit_heads

    signed = signed_in(manifest)
    if signed and not audit_heads.genuine(signed):
        return "the signature of its manifest is not one of its key"
    if trusted and (signed is None or signed.key not in trusted):
        return "its manifest is not signed by a trusted key"
    return None

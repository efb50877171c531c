"""Steps of the audit: read the chain, gather the heads that are kept elsewhere, compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.audit import chain
from autopack.audit.anchors import Anchor, compare, head_of, judge, open_tail
from autopack.audit.chain import Chain
from autopack.audit.signed import SignedHead, head_in
from autopack.errors import UsageError
from autopack.report import Finding
from autopack.settings import Target, audit_key
from autopack.state_files import AUDIT, AUDIT_HEADS, STORAGE
from tasks import policy
from tasks.audit_session import Auditing
from tasks.engine import task
from tasks.run import current

if TYPE_CHECKING:
    from autopack.io.audit_rows import Row

JOURNAL = "journal.jsonl"


def keep_head_in(target: Target) -> None:
    """Let the head of the chain go into a database when this run's record is in it.

    A key that cannot sign is told now, before anything is done.

    Raises what `signing.sign` raises.
    """
    if key := audit_key():
        from autopack.io import signing

        signing.public_of(key)
    if run := current():
        run.anchor = target


@task(**policy.ONCE)
def make_key(path: Path, written: list[str]) -> str:
    """Make a key; return its public half."""
    from autopack.io import signing

    public = signing.make_key(path)
    written.append(str(path))
    return public


def trusted(auditing: Auditing, given: Sequence[str]) -> list[str]:
    """Return the public keys whose heads count: those given, else our own, else none: all do.

    Raises:
        UsageError: One is no public key.
    """
    from autopack.io import signing

    if wrong := [key for key in given if not re.fullmatch(r"[0-9a-f]{64}", key)]:
        raise UsageError(
            f"--key {wrong[0][:80]!r} is no public key of 64 hex digits",
            next_step="copy it from `python -m flows.audit heads`, or from whoever made it",
        )
    own = [signing.public_of(auditing.key)] if auditing.key else []
    return [*given, *own]


@task(**policy.READ)
def read_chain(auditing: Auditing) -> list[Finding]:
    """Read the chain and say what its own lines show."""
    from autopack.io import audit

    auditing.data = audit.read(auditing.root / AUDIT)
    auditing.chain = chain.read(auditing.data)
    return judge(AUDIT, auditing.chain)


@task(**policy.READ)
def read_signed(auditing: Auditing, trusted: Sequence[str]) -> list[Finding]:
    """Read the signed heads; one by a key that is not trusted proves nothing."""
    from autopack.io import audit_heads

    kept, lines = audit_heads.read(auditing.root)
    found = judge(AUDIT_HEADS, kept)
    good: list[SignedHead] = []
    for line, signed in lines:
        auditing.deadline.check("checking signatures")
        if signed and audit_heads.genuine(signed):
            auditing.signed.append((line, signed))
            good.append(signed)
        else:
            why = "the signature is not one of its key" if signed else "it holds no signed head"
            found.append(Finding("head_forged", "error", AUDIT_HEADS, line, why))
    known = [signed for signed in good if not trusted or signed.key in trusted]
    auditing.anchors["signed"] = [
        Anchor(signed.head, f"the head signed by {signed.key[:16]}", signed.at) for signed in known
    ]
    return [*found, *_strangers({signed.key for signed in good if signed not in known})]


def _strangers(keys: Iterable[str]) -> list[Finding]:
    return [
        Finding(
            "head_by_stranger", "warning", AUDIT_HEADS, None,
            f"heads signed by {key} are not counted: nobody said that this key is trusted",
            f"if you know it: --key {key}",
        )
        for key in sorted(keys)
    ]  # fmt: skip


@task(**policy.READ)
def read_database(auditing: Auditing) -> list[Finding]:
    """Read the heads that the database keeps: of this chain, and of the journals of runs."""
    from autopack.io import audit_rows
    from autopack.io.database import Database

    database = Database(auditing.target, auditing.deadline)
    try:
        rows, runs = audit_rows.read(database), audit_rows.read_runs(database)
    finally:
        database.close()
    source = f"the database {auditing.target.shown}"
    auditing.runs = {run: Anchor(head, source) for run, head in runs.items()}
    ours, copies = _of_this_chain(auditing, rows)
    auditing.anchors["database"] = [
        *(Anchor(row.head, source, row.at) for row in ours),
        *(Anchor(row.head, source, row.at, fork=True) for row in copies),
    ]
    strange = 0 if ours or copies else len(rows)
    return [*_forged(auditing.target.shown, ours), *_others(auditing.target.shown, strange)]


def _of_this_chain(auditing: Auditing, rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of this checkout, and those of others whose chain began as this one did."""
    from autopack.io.git import checkout_id

    here, genesis = checkout_id(auditing.root), auditing.chain.genesis
    others = [row for row in rows if row.checkout != here and row.genesis == genesis]
    return [row for row in rows if row.checkout == here], others


def _forged(shown: str, rows: Sequence[Row]) -> list[Finding]:
    from autopack.io import audit_heads

    signed = [SignedHead(row.head, row.at, row.key, row.signature or "") for row in rows if row.key]
    return [
        Finding(
            "head_forged", "error", shown, None,
            f"the row of record {one.head.seq} has a signature that is not one of its key",
        )
        for one in signed
        if not audit_heads.genuine(one)
    ]  # fmt: skip


def _others(shown: str, count: int) -> list[Finding]:
    if not count:
        return []
    line = (
        f"it keeps {count} head{'s' if count > 1 else ''} of other chains and none of this one: "
        "after a move to another folder or host they may be of this workspace"
    )
    return [Finding("heads_of_others", "warning", shown, None, line)]


def take_given(auditing: Auditing, heads: Sequence[str], papers: Sequence[str]) -> None:
    """Take the heads of the command line: `SEQ:SHA256`, and files that hold one.

    Raises:
        UsageError: One is no head.
    """
    auditing.anchors["given"] = [
        *(Anchor(head_of(text), "--head") for text in heads),
        *(_of_paper(name) for name in papers),
    ]


def _of_paper(name: str) -> Anchor:
    """Return the head in a report as JSON, or in the manifest of an export."""
    import json

    from autopack.io.rule_files import plain_bytes

    try:
        paper = json.loads(plain_bytes(Path(name).expanduser(), name) or b"")
    except (ValueError, RecursionError):
        paper = None
    said = [paper.get("audit"), paper.get("head")] if isinstance(paper, dict) else []
    head = next(filter(None, map(head_in, said)), None)
    if head is None:
        raise UsageError(
            f"--against {name}: no report or manifest with the head of a chain",
            next_step="pass a report that was written with --json, or an export's .manifest.json",
        )
    return Anchor(head, name)


@task(**policy.READ)
def compare_heads(auditing: Auditing) -> list[Finding]:
    """Say what the heads from elsewhere show, and up to where the chain is proven."""
    heads = auditing.heads()
    return [
        *compare(AUDIT, auditing.chain, heads),
        *open_tail(AUDIT, auditing.chain, heads),
    ]


@task(**policy.READ)
def check_journals(auditing: Auditing) -> list[Finding]:
    """Check the journal of every storage run, and that it goes as far as others say."""
    from autopack.io import audit

    there = {path.parent.name for path in (auditing.root / STORAGE).glob(f"*/{JOURNAL}")}
    pinned = _pinned(auditing, there)
    found: list[Finding] = []
    for run in sorted(there | pinned.keys()):
        auditing.deadline.check("checking journals")
        name = f"{STORAGE}/{run}/{JOURNAL}"
        journal: Chain = chain.read(audit.read(auditing.root / name), exact=False)
        found += [*judge(name, journal), *compare(name, journal, pinned.get(run, []))]
        auditing.journals += 1
    return found


def _pinned(auditing: Auditing, there: set[str]) -> dict[str, list[Anchor]]:
    """Return the heads of journals that the chain and the database name, by run.

    A database beside the workspace may keep runs of other checkouts: those are not missed here.
    """
    pinned: dict[str, list[Anchor]] = {}
    for record in chain.records(auditing.data):
        journal = record.get("journal")
        head = head_in(journal)
        if head and isinstance(journal, dict) and _is_name(journal.get("run")):
            source = f"record {record['seq']} of the audit chain"
            pinned.setdefault(journal["run"], []).append(Anchor(head, source))
    for run, anchor in auditing.runs.items():
        if _is_name(run) and (auditing.alone or run in there):
            pinned.setdefault(run, []).append(anchor)
    return pinned


def _is_name(run: object) -> bool:
    return isinstance(run, str) and bool(re.fullmatch(r"\w[\w.:-]*", run, re.ASCII))

"""How an audit is told: what was compared with what, and up to where the chain is proven."""

from __future__ import annotations

from autopack.audit.anchors import Anchor, holds, proven
from autopack.report import NextStep, Report, Table
from tasks.audit_session import Auditing

_SHOWN = 200


def describe(report: Report, auditing: Auditing) -> None:
    """Fill in the report of a verification."""
    chain, heads = auditing.chain, auditing.heads()
    upto = proven(chain, heads)
    report.targets["database"] = auditing.target.named
    report.counts = {
        "records": len(chain.heads),
        "proven_up_to": upto,
        "heads_compared": {name: len(some) for name, some in auditing.anchors.items()},
        "journals": auditing.journals,
    }
    report.extra["head"] = _head_json(auditing)
    report.body = "\n".join([_line(auditing, upto), *map(_compared, auditing.anchors.items())])


def _head_json(auditing: Auditing) -> dict[str, object] | None:
    head = auditing.chain.head
    return {"seq": head.seq, "sha256": head.sha256} if head else None


def _line(auditing: Auditing, upto: int) -> str:
    head = auditing.chain.head
    if head is None:
        return "the audit chain has no record"
    return f"audit chain: {len(auditing.chain.heads)} records, proven up to {upto}, head {head}"


def _compared(source: tuple[str, list[Anchor]]) -> str:
    name, heads = source
    last = max((anchor.head.seq for anchor in heads), default=0)
    return f"heads compared, {name}: {len(heads)}{f', the newest of record {last}' if last else ''}"


def list_heads(report: Report, auditing: Auditing) -> None:
    """Fill in the report of the heads: the newest, and where which ones are kept."""
    report.targets["database"] = auditing.target.named
    report.counts = {name: len(some) for name, some in auditing.anchors.items()}
    report.extra["head"] = _head_json(auditing)
    report.body = _line(auditing, proven(auditing.chain, auditing.heads()))
    newest = sorted(auditing.heads(), key=lambda anchor: anchor.head, reverse=True)
    rows = [
        (a.head.seq, a.head.sha256, a.at, a.source, "yes" if holds(auditing.chain, a) else "NO")
        for a in newest[:_SHOWN]
    ]
    columns = ("record", "sha256", "at", "kept by", "in the chain")
    report.tables.append(Table("heads", "Heads that are kept elsewhere", columns, rows))
    if head := auditing.chain.head:
        why = "keep the head where nobody who can write here can reach, and later run"
        report.next_steps.append(NextStep(why, f"python -m flows.audit verify --head {head}"))

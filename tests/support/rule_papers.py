"""Failures, rules and papers to test with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import yaml

from autopack.canonical import digest_of_bytes
from autopack.io import audit, rule_files
from autopack.papers import Stamp
from autopack.rules.approval import Approval, decide
from autopack.rules.catalogue import Catalogue
from autopack.rules.proposal import Basis, Candidate, Change, Proposal, propose, seal
from autopack.rules.schema import EMPTY, RULES_FILE, Example, RuleFile, Window, file_text
from tests.support.session import REPOSITORY

NOW = datetime.now(UTC).replace(microsecond=0)
REVIEWER = "Ada Lovelace"
CATALOGUE = Catalogue.model_validate(
    yaml.safe_load((REPOSITORY / "autopack/rules/default_mitigations.yaml").read_text())
)
KINDS = {
    "table": ("OperationalError", "no such table: <name>"),
    "column": ("OperationalError", "table phases has no column named <name>"),
    "closed": ("OperationalError", "server closed the connection unexpectedly"),
    "enum": ("ResponseValidationError", "<n> validation errors"),
    "odd": ("RuntimeError", "the flux capacitor is empty"),
}


@cache
def example(kind: str, number: int = 0) -> Example:
    """Return a failure of a kind."""
    failed, template = KINDS[kind]
    return Example(
        event=f"{kind}-{number}", type=failed, template=template, component="api",
        operation="GET /runs", signature=f"sig:v1:{kind}", family=f"fam:v1:{kind}",
    )  # fmt: skip


def candidate(kind: str, events: int = 3, paths: tuple[str, ...] = ()) -> Candidate:
    """Return a kind that was seen some times, each in a run of its own."""
    failed, template = KINDS[kind]
    runs = tuple(f"run-{n}" for n in range(events))
    examples = tuple(example(kind, n) for n in range(events))
    return Candidate(f"sig:v1:{kind}", failed, template, events, runs, examples, paths)


def basis(now: datetime = NOW, days: float = 7) -> Basis:
    window = Window(start=now - timedelta(days=days), end=now)
    return Basis(now, window, 10, "flows.failure_rules", "maintainers")


def changes(*kinds: str, existing: RuleFile = EMPTY, now: datetime = NOW) -> list[Change]:
    """Return what is proposed about these kinds, each seen three times."""
    found = [candidate(kind) for kind in kinds or KINDS]
    return propose(found, CATALOGUE, existing, basis(now))[0]


def proposal(root: Path, *kinds: str, made: list[Change] | None = None) -> Proposal:
    """Return a proposal about a workspace as it is."""
    here = rule_files.identity(root, create=True)
    assert here
    on_disk = rule_files.read_rules(root)
    found = changes(*kinds, existing=on_disk.file) if made is None else made
    return seal(here, on_disk.digest, Stamp(by="flows.failure_rules", at=NOW), found)


def approval(of: Proposal, **given: object) -> Approval:
    """Return the approval of everything in a proposal."""
    ids = [change.rule.id for change in of.changes]
    return decide(
        of, ids, (), Stamp(by=str(given.get("by", REVIEWER)), at=given.get("at", NOW)),
        given.get("lifetime", timedelta(hours=24)),
    )  # fmt: skip


def recorded(root: Path, paper: Approval) -> Approval:
    """Record an approval as the review does, and return it."""
    audit.append(
        root,
        {
            "event": "rules-approval", "approval": paper.id, "proposal": paper.proposal_id,
            "by": paper.reviewed.by,
        },
    )  # fmt: skip
    return paper


def put(root: Path, of: Proposal, paper: Approval) -> None:
    """Put both papers where the commands look for them."""
    folder = root / ".autonomous_runs/reports"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "proposal.json").write_bytes(of.data())
    (folder / "approval.json").write_bytes(paper.data())


def approved(root: Path, *kinds: str, hours: float = 24) -> tuple[Proposal, Approval]:
    """Lay out a proposal and its recorded approval; other hours make it another approval."""
    made = proposal(root, *kinds)
    paper = recorded(root, approval(made, lifetime=timedelta(hours=hours)))
    put(root, made, paper)
    return made, paper


def with_a_rule(root: Path) -> Path:
    """Give a workspace a reviewed rule, and the papers to append another; return the workspace."""
    rule = changes("table", "odd", "closed")[0].rule
    stamped = {
        "reviewed": Stamp(by=REVIEWER, at=NOW), "proposal_id": "sha256:" + "1" * 64,
        "approval_id": "sha256:" + "2" * 64,
    }  # fmt: skip
    file = RuleFile(schema_="autopack.rules/1", rules=[rule.model_copy(update=stamped)])
    (root / RULES_FILE).write_text(file_text(file))
    approved(root)
    return root


def rules_digest(root: Path) -> str:
    path = root / RULES_FILE
    return digest_of_bytes(path.read_bytes() if path.exists() else None)

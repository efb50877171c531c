"""Tampering of every kind with an append: nothing is written, and the line says what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autopack.canonical import canonical
from autopack.errors import Refused, UsageError
from autopack.io import audit, rule_files
from autopack.report import Report
from autopack.rules.approval import Approval
from autopack.rules.proposal import Proposal, content_id
from autopack.rules.schema import RULES_FILE
from flows.failure_rules import failure_rules_append
from tasks.engine import plain
from tasks.run import Run, perform
from tests.support import rule_papers as papers
from tests.support.audits import linked

PROPOSAL = ".autonomous_runs/reports/proposal.json"
APPROVAL = ".autonomous_runs/reports/approval.json"


def append(root: Path, execute: bool = True) -> Report:
    """Run an append as the command does."""
    given = {"workspace": str(root), "execute": execute, "max_seconds": 60.0}
    return perform(plain(failure_rules_append), Run("failure-rules-append", given))


@pytest.fixture
def root(make_workspace) -> Path:
    return make_workspace()


def edit(path: Path, change: Callable[[dict[str, Any]], object], sealed: bool = False) -> None:
    """Change a paper on disk; `sealed` gives it the id that its new content has."""
    value = json.loads(path.read_bytes())
    change(value)
    if sealed:
        value["id"] = content_id(value)
    path.write_bytes(canonical(value) + b"\n")


def test_what_was_approved_is_appended_once_and_recorded(root) -> None:
    made, paper = papers.approved(root)
    done = append(root)
    assert (done.exit_code, done.writes.files) == (0, [RULES_FILE])
    rules = rule_files.read_rules(root).file.rules
    assert [rule.id for rule in rules] == [change.rule.id for change in made.changes]
    assert {(r.proposal_id, r.approval_id, r.reviewed.by) for r in rules if r.reviewed} == {
        (made.id, paper.id, papers.REVIEWER)
    }
    record = next(r for r in audit.records(root) if r.get("event") == "rules-append")
    assert (record["before"], record["after"]) == ("absent", papers.rules_digest(root))
    assert audit.verify(root / audit.AUDIT_FILE) is None


def test_a_dry_run_writes_nothing_and_uses_nothing_up(root) -> None:
    papers.approved(root)
    before = sorted(path for path in root.rglob("*"))
    done = append(root, execute=False)
    assert (done.exit_code, done.counts["rules"]) == (0, 4)
    assert sorted(path for path in root.rglob("*")) == before
    assert append(root).exit_code == 0


def test_what_was_rejected_or_left_open_stays_out(root) -> None:
    made = papers.proposal(root)
    first, second, *_ = [change.rule.id for change in made.changes]
    from autopack.papers import Stamp
    from autopack.rules.approval import decide

    stamp = Stamp(by=papers.REVIEWER, at=papers.NOW)
    paper = decide(made, {first}, {second}, stamp, timedelta(hours=1))
    papers.put(root, made, papers.recorded(root, paper))
    assert append(root).exit_code == 0
    assert [rule.id for rule in rule_files.read_rules(root).file.rules] == [first]


Attack = Callable[[Path, Proposal, Approval], object]


def replayed(root: Path, _made: Proposal, _paper: Approval) -> None:
    assert append(root).exit_code == 0
    (root / RULES_FILE).unlink()


def stale_base(root: Path, _made: Proposal, _paper: Approval) -> None:
    (root / RULES_FILE).write_text('{"schema": "autopack.rules/1", "rules": []}\n')


def edited_rule(root: Path, _made: Proposal, _paper: Approval) -> None:
    edit(root / PROPOSAL, lambda p: p["changes"][0]["rule"]["scope"].append("docs/"))


def edited_rule_sealed(root: Path, _made: Proposal, _paper: Approval) -> None:
    edit(root / PROPOSAL, lambda p: p["changes"][0]["rule"]["scope"].append("docs/"), sealed=True)


def edited_rule_and_forged_approval(root: Path, _made: Proposal, _paper: Approval) -> None:
    edited_rule_sealed(root, _made, _paper)
    changed = rule_files.read_proposal(str(root / PROPOSAL))
    papers.put(root, changed, papers.approval(changed))


def forged_rule_id(root: Path, _made: Proposal, _paper: Approval) -> None:
    def change(value: dict[str, Any]) -> None:
        value["changes"][0]["rule"]["id"] = "rule:v1:0000000000000000"

    edit(root / PROPOSAL, change, sealed=True)


def edited_approval(root: Path, _made: Proposal, _paper: Approval) -> None:
    edit(root / APPROVAL, lambda a: a["decisions"][0].update(verdict="reject"))


def edited_approval_sealed(root: Path, _made: Proposal, _paper: Approval) -> None:
    edit(root / APPROVAL, lambda a: a["decisions"].pop(), sealed=True)


def another_reviewer(root: Path, _made: Proposal, _paper: Approval) -> None:
    edit(root / APPROVAL, lambda a: a["reviewed"].update(by="Grace Hopper"), sealed=True)


def longer_life(root: Path, _made: Proposal, _paper: Approval) -> None:
    late = (papers.NOW + timedelta(days=90)).isoformat()
    edit(root / APPROVAL, lambda a: a.update(expires_at=late), sealed=True)


def another_proposal(root: Path, made: Proposal, _paper: Approval) -> None:
    other = papers.proposal(root, "table", "closed", "odd")
    assert other.id != made.id
    (root / PROPOSAL).write_bytes(other.data())


def expired(root: Path, made: Proposal, _paper: Approval) -> None:
    early = papers.NOW - timedelta(hours=3)
    old = made.model_copy(update={"created": made.created.model_copy(update={"at": early})})
    old = old.model_copy(update={"id": old.true_id()})
    paper = papers.approval(old, at=early, lifetime=timedelta(hours=1))
    papers.put(root, old, papers.recorded(root, paper))


def from_the_future(root: Path, made: Proposal, _paper: Approval) -> None:
    paper = papers.approval(made, at=papers.NOW + timedelta(hours=2))
    papers.put(root, made, papers.recorded(root, paper))


def older_than_its_proposal(root: Path, made: Proposal, _paper: Approval) -> None:
    paper = papers.approval(made, at=papers.NOW - timedelta(hours=2))
    papers.put(root, made, papers.recorded(root, paper))


def clock_set_back(root: Path, _made: Proposal, _paper: Approval) -> None:
    ahead = (papers.NOW + timedelta(days=1)).isoformat()
    record = {"time": ahead, "event": "rules-approval", "approval": _paper.id}
    said = {**record, "proposal": _made.id, "by": papers.REVIEWER}
    (root / audit.AUDIT_FILE).write_bytes(linked([said]))


def placeholder(root: Path, made: Proposal, _paper: Approval) -> None:
    papers.put(root, made, papers.recorded(root, papers.approval(made, by="TODO")))


def never_recorded(root: Path, made: Proposal, _paper: Approval) -> None:
    papers.put(root, made, papers.approval(made, lifetime=timedelta(hours=5)))


def another_workspace(root: Path, _made: Proposal, _paper: Approval) -> None:
    (root / rule_files.IDENTITY).write_text("f" * 32 + "\n")


def no_identity(root: Path, _made: Proposal, _paper: Approval) -> None:
    (root / rule_files.IDENTITY).unlink()


def key_twice(root: Path, _made: Proposal, _paper: Approval) -> None:
    path = root / APPROVAL
    path.write_bytes(path.read_bytes().replace(b'{"base"', b'{"base":"absent","base"', 1))


def other_spelling(root: Path, _made: Proposal, _paper: Approval) -> None:
    path = root / PROPOSAL
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=1))


def paper_is_a_link(root: Path, _made: Proposal, _paper: Approval) -> None:
    path = root / APPROVAL
    path.rename(root / "elsewhere.json")
    path.symlink_to(root / "elsewhere.json")


def file_is_a_link(root: Path, _made: Proposal, _paper: Approval) -> None:
    (root / "README.md").write_text("precious\n")
    (root / RULES_FILE).symlink_to(root / "README.md")


def file_is_a_dangling_link(root: Path, _made: Proposal, _paper: Approval) -> None:
    (root / RULES_FILE).symlink_to(root / "nowhere.json")


def file_is_a_folder(root: Path, _made: Proposal, _paper: Approval) -> None:
    (root / RULES_FILE).mkdir()


def chain_tampered(root: Path, _made: Proposal, _paper: Approval) -> None:
    audit.append(root, {"flow": "x"})
    chain = root / audit.AUDIT_FILE
    chain.write_bytes(chain.read_bytes().replace(papers.REVIEWER.encode(), b"Ada Lovelack"))


ATTACKS: dict[Attack, str] = {
    replayed: "the approval was used at",
    stale_base: "has changed since the proposal was made",
    edited_rule: "the proposal was changed after it was made",
    edited_rule_sealed: "the approval is about another proposal",
    edited_rule_and_forged_approval: "no record of it",
    forged_rule_id: "id is not the digest of match and action",
    edited_approval: "the approval was changed after it was given",
    edited_approval_sealed: "no record of it",
    another_reviewer: "no record of it",
    longer_life: "no record of it",
    another_proposal: "the approval is about another proposal",
    expired: "the approval expired at",
    from_the_future: "from the future",
    older_than_its_proposal: "older than its proposal",
    clock_set_back: "the clock went back",
    placeholder: "names no person",
    never_recorded: "no record of it",
    another_workspace: "about another workspace",
    no_identity: "about another workspace",
    key_twice: "stands twice",
    other_spelling: "is not as it was written",
    paper_is_a_link: "is no plain file",
    file_is_a_link: "is no plain file",
    file_is_a_dangling_link: "is no plain file",
    file_is_a_folder: "is no plain file",
    chain_tampered: "broken link",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_tampering_is_refused_and_writes_nothing(root, attack: Attack) -> None:
    made, paper = papers.approved(root)
    attack(root, made, paper)
    path = root / RULES_FILE
    before = (os.path.lexists(path), path.is_file() and path.read_bytes())
    done = append(root)
    assert (done.exit_code, ATTACKS[attack] in done.message) == (6, True), done.message
    assert (os.path.lexists(path), path.is_file() and path.read_bytes()) == before
    assert done.writes.files == []


FOREIGN = {
    "an older format": b'{"rules": [{"rule_id": "a", "constraint": "b"}]}\n',
    "an empty older format": b'{"rules": []}\n',
    "no JSON": b"not json\n",
    "no text": b"\xff\xfe\x00",
    "empty": b"",
    "a null scope": b'{"schema": "autopack.rules/1", "rules": [{"scope": null}]}',
    "a key twice": b'{"schema": "autopack.rules/1", "rules": [], "rules": []}',
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_none_of_ours_is_never_written_over(root, kind: str) -> None:
    papers.approved(root)
    (root / RULES_FILE).write_bytes(FOREIGN[kind])
    done = append(root)
    assert done.exit_code == 6
    assert "stays as it is" in done.message
    assert (root / RULES_FILE).read_bytes() == FOREIGN[kind]


def test_missing_papers_are_a_question_of_usage(root) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        rule_files.read_proposal(str(root / "gone.json"))
    assert append(root).exit_code == 2


def test_a_proposal_whose_examples_fail_is_refused(root) -> None:
    made = papers.changes()
    wrong = made[0].rule.positives[0].model_copy(update={"template": "something else"})
    rule = made[0].rule.model_copy(update={"positives": [wrong, *made[0].rule.positives[1:]]})
    bad = papers.proposal(root, made=[made[0].model_copy(update={"rule": rule})])
    papers.put(root, bad, papers.recorded(root, papers.approval(bad)))
    done = append(root)
    assert done.exit_code == 6
    assert "does not match its positive" in done.message
    assert not (root / RULES_FILE).exists()


def test_a_file_written_meanwhile_is_not_written_over(root, monkeypatch) -> None:
    from autopack.io import audit as chain

    papers.approved(root)
    real = chain.append

    def late(*args: Any, **kwargs: Any) -> Any:
        if args[1].get("event") == "rules-append":
            (root / RULES_FILE).write_text("somebody else's\n")
        return real(*args, **kwargs)

    monkeypatch.setattr(chain, "append", late)
    done = append(root)
    assert done.exit_code == 6
    assert (root / RULES_FILE).read_text() == "somebody else's\n"


def test_the_same_place_twice_is_one_identity(root) -> None:
    first = rule_files.identity(root, create=True)
    assert rule_files.identity(root, create=True) == first
    (root / rule_files.IDENTITY).write_text("rubbish\n")
    with pytest.raises(Refused, match="holds no identity"):
        rule_files.identity(root, create=False)

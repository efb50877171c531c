"""A proposal: changes to the rule file, their evidence, and the digest that names all of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from autopack.canonical import canonical, digest
from autopack.papers import Digest, Line, Stamp, Strict
from autopack.rules.catalogue import Catalogue, Mitigation
from autopack.rules.matching import matches
from autopack.rules.schema import MIN_EXAMPLES, Evidence, Example, Rule, RuleFile, Window, rule_id

PROPOSAL = "autopack.rules.proposal/1"
LIFETIME = timedelta(days=180)
"""After this a rule must be reviewed again."""
MOST_EXAMPLES = 5
MOST_EVENTS = 50
MOST_PATHS = 5
"""More files than these are told by their folders."""
Kind = Literal["add", "promote", "demote", "retire"]


class Change(Strict):
    """One change: the whole rule as it will be, and the revision it takes the place of."""

    kind: Kind
    rule: Rule
    why: Line
    replaces: int | None = Field(default=None, ge=1)

    @property
    def content(self) -> str:
        """The digest that a decision names."""
        return digest(self.plain())


class Unmatched(Strict):
    """A kind of failure that got no rule, and why."""

    signature: str
    type: str
    template: str
    incidents: int
    why: Line


class Proposal(Strict):
    """Changes to the rules of one workspace, thought out against one state of its file."""

    schema_: Literal["autopack.rules.proposal/1"] = Field(
        validation_alias="schema", serialization_alias="schema"
    )
    id: Digest
    workspace: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    base: Annotated[str, Field(pattern=r"^(absent|sha256:[0-9a-f]{64})$")]
    created: Stamp
    changes: list[Change]
    unmatched: list[Unmatched] = Field(default_factory=list)

    def true_id(self) -> str:
        """Return the id that the content has."""
        return content_id(self.plain())

    def change(self, rule: str) -> Change | None:
        """Return the change of a rule, by its id."""
        return next((change for change in self.changes if change.rule.id == rule), None)

    def data(self) -> bytes:
        """Return the file: canonical bytes and a newline."""
        return canonical(self.plain()) + b"\n"


def content_id(plain: dict[str, Any]) -> str:
    """Return the digest of a value without its own id."""
    return digest({key: value for key, value in plain.items() if key != "id"})


def seal(
    workspace: str,
    base: str,
    created: Stamp,
    changes: Sequence[Change],
    unmatched: Sequence[Unmatched] = (),
) -> Proposal:
    """Return a proposal that carries its id."""
    ordered = sorted(changes, key=lambda change: change.rule.id)
    draft = Proposal(
        schema_="autopack.rules.proposal/1", id="sha256:" + "0" * 64, workspace=workspace,
        base=base, created=created, changes=ordered, unmatched=list(unmatched),
    )  # fmt: skip
    return draft.model_copy(update={"id": draft.true_id()})


@dataclass(frozen=True)
class Candidate:
    """A kind of failure that may deserve a rule: what the miner's group comes to here.

    `paths` are the files of the workspace that its failures came from.
    """

    signature: str
    type: str
    template: str
    incidents: int
    runs: tuple[str, ...]
    examples: tuple[Example, ...]
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Basis:
    """What rules are proposed on: when, by and for whom, from which time and how many runs."""

    now: datetime
    window: Window
    exposure: int
    by: str
    owner: str
    others: tuple[Candidate, ...] = ()
    """Failures to tell the candidates from, which are none themselves."""


def propose(
    candidates: Sequence[Candidate], catalogue: Catalogue, existing: RuleFile, basis: Basis
) -> tuple[list[Change], list[Unmatched]]:
    """Return a rule for every cause that came back, and what got none.

    A cause is an entry of the catalogue: kinds of failure with the same answer share one rule. A
    rule that is there is not proposed again, whatever its state.
    """
    known = {rule.id for rule in existing.rules}
    by_entry: dict[str, tuple[Mitigation, list[Candidate]]] = {}
    left = []
    for candidate in candidates:
        entry = catalogue.entry_for(candidate.examples)
        if entry is None:
            left.append(_without(candidate, "no entry of the catalogue fits"))
        else:
            by_entry.setdefault(entry.key, (entry, []))[1].append(candidate)
    changes = []
    for entry, found in by_entry.values():
        if rule_id(entry.match, entry.action) in known:
            continue
        drafted = _drafted(entry, found, candidates, basis)
        if isinstance(drafted, str):
            left += [_without(candidate, drafted) for candidate in found]
        else:
            changes.append(drafted)
    return changes, left


def _without(candidate: Candidate, why: str) -> Unmatched:
    return Unmatched(
        signature=candidate.signature, type=candidate.type, template=candidate.template[:500],
        incidents=candidate.incidents, why=why,
    )  # fmt: skip


def _drafted(
    entry: Mitigation, found: Sequence[Candidate], candidates: Sequence[Candidate], basis: Basis
) -> Change | str:
    """Return the change for one cause, or why there is none."""
    positives = _spread([candidate.examples for candidate in found])
    if len(positives) < MIN_EXAMPLES:
        return f"seen fewer than {MIN_EXAMPLES} times"
    others = [one for one in (*candidates, *basis.others) if one not in found]
    negatives = [
        example
        for example in _spread([candidate.examples for candidate in others])
        if not matches(entry.match, example)
    ]
    if len(negatives) < MIN_EXAMPLES:
        return f"fewer than {MIN_EXAMPLES} other failures to tell it from"
    events = list(dict.fromkeys(example.event for example in _spread_all(found)))
    rule = Rule(
        id=rule_id(entry.match, entry.action), revision=1, match=entry.match,
        action=entry.action, stage=entry.stage, scope=_scope(entry, found),
        evidence=Evidence(
            events=events[:MOST_EVENTS],
            incidents=sum(candidate.incidents for candidate in found),
            runs=len({run for candidate in found for run in candidate.runs}) or 1,
            exposure=max(1, basis.exposure), window=basis.window,
        ),
        positives=positives[:MOST_EXAMPLES], negatives=negatives[:MOST_EXAMPLES],
        owner=basis.owner, created=Stamp(by=basis.by, at=basis.now),
        expires_at=basis.now + LIFETIME,
    )  # fmt: skip
    return Change(kind="add", rule=rule, why=entry.title)


def _spread(groups: Iterable[Sequence[Example]]) -> list[Example]:
    """Return examples of different events, the first of each group before the second of any."""
    lists = [list(group) for group in groups]
    longest = max((len(group) for group in lists), default=0)
    mixed = [group[n] for n in range(longest) for group in lists if n < len(group)]
    return list({example.event: example for example in mixed}.values())


def _spread_all(found: Sequence[Candidate]) -> list[Example]:
    return _spread([candidate.examples for candidate in found])


def _scope(entry: Mitigation, found: Sequence[Candidate]) -> list[str]:
    """Return the files that the failures came from, and where the catalogue would mend them."""
    named = {path for candidate in found for path in candidate.paths}
    if len(named) > MOST_PATHS:
        named = {folder_of(path) for path in named}
    return [*sorted(named), *(glob for glob in entry.scope if glob not in named)]


def folder_of(path: str) -> str:
    """Return the glob of a file's folder, at most two levels deep; of a file at the root, itself.

    `src/app/routes/x.py` is `src/app/`: a failure there tells about the part, not about the file.
    """
    folders = path.split("/")[:-1][:2]
    return "/".join(folders) + "/" if folders else path

"""Steps of a proposal: read what is there, think of changes, write them down for a reviewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.errors import Refused
from tasks import policy
from tasks.engine import task
from tasks.rules_mined import Mined
from tasks.rules_ruling import PROPOSAL, Ruling

if TYPE_CHECKING:
    from autopack.rules.proposal import Basis

BY = "flows.failure_rules"


@dataclass(frozen=True)
class OldFile:
    """An old rule file, and the scope to give its rules."""

    name: str
    scope: Sequence[str] = ()


@task(**policy.READ)
def read_rules(ruling: Ruling) -> None:
    """Read the rules that are there.

    Raises:
        Refused: The file is of another format; it must be moved away first.
    """
    from autopack.io.rule_files import read_rules as read

    ruling.rules = read(ruling.root)


@task(**policy.READ)
def think(ruling: Ruling, mined: Mined, owner: str) -> None:
    """Propose a rule for every cause that came back, and stages for rules that proved right."""
    from autopack.io.rule_files import read_catalogue, read_log
    from autopack.io.tree import read_tree
    from autopack.rules.candidates import candidates_of
    from autopack.rules.proposal import propose
    from autopack.rules.retire import promotions

    assert ruling.rules
    catalogue, (hits, _) = read_catalogue(ruling.root), read_log(ruling.root)
    files = read_tree(ruling.root, ruling.deadline).files
    candidates = candidates_of(mined.events, files)
    ruling.changes, ruling.unmatched = propose(
        candidates,
        catalogue,
        ruling.rules.file,
        replace(_basis(ruling, mined, owner), others=tuple(candidates_of(mined.known, files))),
    )
    ruling.changes += promotions(ruling.rules.file.rules, catalogue, hits, ruling.now, BY)


def _basis(ruling: Ruling, mined: Mined, owner: str) -> Basis:
    from autopack.rules.proposal import Basis
    from autopack.rules.schema import Window

    times = [event.at for event in mined.events if event.at]
    start = mined.since or min(times, default=ruling.now)
    window = Window(start=min(start, ruling.now), end=ruling.now)
    return Basis(ruling.now, window, mined.exposure, BY, owner)


@task(**policy.READ)
def import_old(ruling: Ruling, mined: Mined, old: OldFile, owner: str) -> None:
    """Propose what an old rule file comes to; mined failures are what its rules must not match."""
    from autopack.io.rule_files import read_catalogue, read_old_rules
    from autopack.io.tree import read_tree
    from autopack.rules.candidates import candidates_of
    from autopack.rules.importing import Source, imported, old_rules
    from autopack.rules.proposal import Basis
    from autopack.rules.schema import Window

    assert ruling.rules
    value, shown = read_old_rules(old.name)
    tree = read_tree(ruling.root, ruling.deadline)
    folders = {folder for folder in tree.folders if folder and "/" not in folder}
    others = tuple(candidates_of(mined.known, tree.files))
    window = Window(start=ruling.now - timedelta(days=1), end=ruling.now)
    ruling.changes, ruling.unmatched = imported(
        old_rules(value),
        Source(shown, frozenset(folders), tuple(old.scope)),
        read_catalogue(ruling.root),
        ruling.rules.file,
        Basis(ruling.now, window, 1, BY, owner, others),
    )


@task(**policy.READ)
def retire(ruling: Ruling, mined: Mined, quiet_runs: int) -> None:
    """Propose the end of rules that have had their day."""
    from autopack.io.rule_files import read_log
    from autopack.rules.candidates import incidents_of
    from autopack.rules.retire import History, retirements

    assert ruling.rules
    history = History(mined.runs, incidents_of(mined.events), read_log(ruling.root)[0])
    rules = ruling.rules.file.rules
    ruling.changes = retirements(rules, history, ruling.now, BY, quiet_runs)


@task(**policy.ONCE)
def write(ruling: Ruling, out: str | None, written: list[str]) -> Path:
    """Write the proposal and return where it is; it holds in this checkout alone."""
    from autopack.io.rule_files import IDENTITY, identity, write_product
    from autopack.papers import Stamp
    from autopack.rules.proposal import seal

    assert ruling.rules
    fresh = identity(ruling.root, create=False) is None
    here = identity(ruling.root, create=True)
    if here is None:
        raise Refused(f"{IDENTITY} vanished", next_step="run again")
    written += [IDENTITY] if fresh else []
    stamp = Stamp(by=BY, at=ruling.now)
    ruling.proposal = seal(here, ruling.rules.digest, stamp, ruling.changes, ruling.unmatched)
    path = ruling.place(out, PROPOSAL)
    write_product(path, ruling.shown(path), ruling.proposal.data())
    written.append(ruling.shown(path))
    return path

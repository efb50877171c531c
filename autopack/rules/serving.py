"""The rules that this process serves: `autopack.rules.match(event)`."""

from __future__ import annotations

from collections.abc import Iterable

from autopack.errors import UsageError
from autopack.rules.matching import Failure, Guidance, Rulebook

_served: list[Rulebook] = []


def use(rulebook: Rulebook | None) -> None:
    """Serve these rules in this process from now on; None serves none."""
    _served[:] = [] if rulebook is None else [rulebook]


def match(event: Failure, paths: Iterable[str] = ()) -> tuple[Guidance, ...]:
    """Return what the learned rules say about a failure, the strictest first.

    `paths` are the files of the workspace that it names. The rules are those that
    `autopack.io.rule_files.serve(workspace)` loaded, once.

    Raises:
        UsageError: No rules were loaded.
    """
    if not _served:
        raise UsageError(
            "no rules are served", next_step="call autopack.io.rule_files.serve(workspace) first"
        )
    return _served[0].match(event, paths)

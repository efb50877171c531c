"""Pictures of made-up trees, judged by a small policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autopack.storage.picture import Picture, picture
from autopack.storage.policy import Policy
from autopack.storage.protection import Protection
from autopack.storage.snapshot import NotSeen
from autopack.storage.uses import verdicts
from tests.support.trees import NOW_NS, snapshot_of

DAY_NS = 86_400 * 10**9
POLICY = Policy.model_validate(
    {
        "protected": {"code": ["src/**"]},
        "categories": {"caches": {"match": ["**/.cache/**"]}, "logs": {"match": ["**/*.log"]}},
    }
)


def picture_of(
    entries: Mapping[str, Any],
    *not_seen: NotSeen,
    before: Mapping[str, Any] | None = None,
    going: Sequence[str] = (),
    **fields: Any,
) -> Picture:
    """Return the picture of entries as `frame_of` takes them; `going` are paths that could go."""
    now = snapshot_of(entries, *not_seen, **fields)
    then = None if before is None else snapshot_of(before, started_ns=NOW_NS - DAY_NS)
    paths = now.frame["path"].to_list()
    rows = sorted(paths.index(path) for path in going)
    told = verdicts(now.frame, POLICY, Protection(POLICY), rows)
    return picture(now, then, told, NOW_NS)

"""Pictures of made-up trees, judged by a small policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autopack.storage.candidates import candidates
from autopack.storage.picture import Picture, picture
from autopack.storage.policy import Policy
from autopack.storage.snapshot import NotSeen
from autopack.storage.uses import Judged
from tests.support.trees import NOW_NS, snapshot_of

DAY_NS = 86_400 * 10**9
OLD = {"action": "quarantine", "older_than_days": 30}
POLICY = Policy.model_validate(
    {
        "protected": {"code": ["src/**"]},
        "categories": {
            "caches": {"match": ["**/.cache/**"], **OLD},
            "logs": {"match": ["**/*.log"], **OLD},
        },
    }
)


def picture_of(
    entries: Mapping[str, Any],
    *not_seen: NotSeen,
    before: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Picture:
    """Return the picture of entries as `frame_of` takes them, a day after those of `before`."""
    now = snapshot_of(entries, *not_seen, **fields)
    then = None if before is None else snapshot_of(before, started_ns=NOW_NS - DAY_NS)
    found = candidates(now, POLICY, NOW_NS)
    judged = Judged(tuple(POLICY.categories), found.category, found.state)
    return picture(now, then, judged, NOW_NS)

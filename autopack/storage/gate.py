"""What stands between an approval and the act: sound reports, caps, locks, and errors as words."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from autopack.errors import Refused
from autopack.papers import SKEW
from autopack.state_files import INDEXES, RUNS
from autopack.storage.approval import SCAN, size_of
from autopack.storage.names import spell, unspell
from autopack.storage.schema import Approval, CleanupReport, Item, item_id

if TYPE_CHECKING:
    from autopack.storage.policy import Policy

Status = Literal[
    "moved", "undone", "purged", "AGAIN", "STALE", "PROTECTED", "CAPPED", "DENIED", "EXDEV", "GONE",
    "CONFLICT",
]  # fmt: skip
"""How an act on one item ended; what is written large left the item where it was.

`AGAIN` was cut off before it happened, and is begun anew by the next `execute`."""
DONE = frozenset({"moved", "undone", "purged"})
_BY_ERRNO: dict[int, Status] = {
    errno.ENOENT: "GONE",
    errno.ENOTDIR: "STALE",
    errno.ELOOP: "STALE",
    errno.ENXIO: "STALE",
    errno.EXDEV: "EXDEV",
    errno.EEXIST: "CONFLICT",
    errno.ENOTEMPTY: "CONFLICT",
}
_SHARED = {32, 33}
"""ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION, [MS-ERREF] 2.2."""


@dataclass(frozen=True)
class Outcome:
    """How the act on one item ended, and why; `no` is its number in the approval, from 1."""

    no: int
    item: Item
    status: Status
    detail: str = ""


def status_of(error: OSError) -> Status:
    """Return how an item ends that the system refused; by numbers, never by words."""
    return _BY_ERRNO.get(error.errno or 0, "DENIED")


def told(error: OSError) -> str:
    """Return what the system said, with the number it said it by."""
    windows = getattr(error, "winerror", None)
    name = f"winerror {windows}" if windows else errno.errorcode.get(error.errno or 0, "error")
    return f"{name}: {error.strerror or error}"


def passing(error: OSError) -> bool:
    """Return whether somebody has the file open just now, so that another try may do."""
    return getattr(error, "winerror", None) in _SHARED


# --- reports ----------------------------------------------------------------------------------


def check_enabled(policy: Policy, shown: str) -> None:
    """Make sure that the policy lets anything be moved.

    Raises:
        Refused: It does not.
    """
    if policy.execution != "enabled":
        raise Refused(
            "the policy says execution: disabled, so nothing is moved or removed",
            next_step=f"set the line `execution: enabled` in {shown}, then {SCAN}",
        )


def check_report(report: CleanupReport, policy: Policy, now: datetime) -> None:
    """Make sure that a report is what it says, and made under this policy.

    Raises:
        Refused: It is not.
    """
    if report.true_id() != report.id:
        raise Refused("the report was changed after it was made: its id is not its digest", SCAN)
    if report.policy.sha256 != policy.sha256:
        raise Refused("the policy has changed since the report was made", SCAN)
    if report.created > now + SKEW:
        raise Refused("the report is from the future: a clock is wrong", "set the clock")
    if len({item.id for item in report.items}) != len(report.items):
        raise Refused("the report names an item twice", SCAN)
    for item in report.items:
        _check_item(item, len(report.roots))


def _check_item(item: Item, roots: int) -> None:
    if item.root >= roots or item.id != item_id(item.root, item.path):
        raise Refused(f"item {item.id} of the report is another one than its id says", SCAN)
    if not plain_path(item.path):
        raise Refused(f"item {item.id} of the report is no path below its root", SCAN)


def plain_path(path: str) -> bool:
    """Return whether a path is spelled as `names` does, and goes down from its root by names."""
    try:
        raw = unspell(path)
    except UnicodeEncodeError:  # an escape for a byte that needs none
        return False
    if b"\0" in raw or spell(raw) != path:
        return False
    return not {b"", b".", b".."}.intersection(raw.split(b"/"))


# --- caps -------------------------------------------------------------------------------------


@dataclass
class Caps:
    """What may still be taken; an item counts before it is taken, so none crosses a cap.

    `limits` are bytes and items, None for no end, of the approval ("") and of each category.
    """

    limits: Mapping[str, tuple[int | None, int | None]]
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)

    def refuse(self, item: Item) -> str | None:
        """Return why an item would be too much, else None; one of no known category always is."""
        if item.category not in self.limits:
            return f"the policy has no category {item.category}"
        for name in ("", item.category):
            whose = f"the cap of {name}" if name else "what the approval allows"
            most_bytes, most_items = self.limits[name]
            size, count = self._with(name, item)
            if most_items is not None and count > most_items:
                return f"item number {count} is beyond {whose}: {most_items} items"
            if most_bytes is not None and size > most_bytes:
                return f"{size} bytes with this item are beyond {whose}: {most_bytes} bytes"
        return None

    def take(self, item: Item) -> None:
        """Count an item that is taken."""
        for name in ("", item.category):
            self.taken[name] = self._with(name, item)

    def _with(self, name: str, item: Item) -> tuple[int, int]:
        size, count = self.taken.get(name, (0, 0))
        return size + size_of(item), count + 1


def caps_of(policy: Policy, approval: Approval) -> Caps:
    """Return the caps of a policy and of an approval under it."""
    limits = {
        name: (category.caps.max_bytes, category.caps.max_items)
        for name, category in policy.categories.items()
    }
    return Caps({**limits, "": (approval.max_bytes, approval.max_items)})


def caps_of_purge(approval: Approval, items: Iterable[Item]) -> Caps:
    """Return what the approval of a purge allows; a policy has no caps for what is put away."""
    limits: dict[str, tuple[int | None, int | None]] = {i.category: (None, None) for i in items}
    return Caps({**limits, "": (approval.max_bytes, approval.max_items)})


# --- locks ------------------------------------------------------------------------------------

_RUN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_FAMILIES = {"docs": "docs", "archive": "archive"}


def locks_of(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the locks of the subsystems that own paths of the workspace, with that of storage."""
    found = {"storage"}
    for path in paths:
        top, _, rest = path.partition("/")
        if top in _FAMILIES:
            found.add(_FAMILIES[top])
        elif path == INDEXES or path.startswith(f"{INDEXES}/"):
            found.add("index")
        elif top == RUNS:
            found.add("runs")
            run = rest.partition("/")[0]
            found |= {f"run:{run}"} if _RUN_ID.fullmatch(run) else set()
    return tuple(sorted(found))

"""The queue as JSON, and the file of the tidy before this one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, cast

from autopack.errors import Refused
from autopack.tidy.moves import Identity, Status, check_pair
from autopack.tidy.queue import POLICIES, STATES, Pending, Queue, State

SCHEMA = "autopack.move-queue/1"
_NAME = "autopack.move-queue/"
_OLD_STATES: dict[str, State] = {
    "pending": "pending", "needs_manual": "needs_manual", "abandoned": "needs_manual",
}  # fmt: skip


class Unreadable(ValueError):
    """It is not a queue."""


def to_json(queue: Queue) -> bytes:
    """Return the file's bytes, one item a line, so that two of them can be compared."""
    lines = [json.dumps(_item(item), ensure_ascii=True) for item in queue.items.values()]
    body = ",\n".join(lines)
    return f'{{"schema": "{SCHEMA}", "items": [\n{body}\n]}}\n'.encode()


def _item(item: Pending) -> dict[str, Any]:
    told = asdict(item)
    for name in ("first_seen", "eligible_at", "last_attempt"):
        told[name] = told[name].isoformat() if told[name] else None
    return {"id": item.id, **told}


def of_json(data: bytes) -> tuple[Queue, list[str]]:
    """Return the queue, and what is wrong with the items that had to be left out.

    Raises:
        Unreadable: It is not a queue at all.
        Refused: A later version of this program wrote it.
    """
    schema, items = _head(data, "schema")
    if schema != SCHEMA:
        if isinstance(schema, str) and schema.startswith(_NAME):
            raise Refused(
                f"the move queue is of version {schema.removeprefix(_NAME)}, which is not known",
                next_step="use the version of this program that wrote it",
            )
        raise Unreadable("it has no schema that is known")
    found, wrong = [], []
    for number, told in enumerate(items, 1):
        try:
            found.append(_read(told))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            wrong.append(f"item {number}: {error}")
    return Queue({item.id: item for item in found}), wrong


def _head(data: bytes, key: str) -> tuple[object, list[Any]]:
    try:
        told = json.loads(data)
    except ValueError as error:
        raise Unreadable(f"it is not JSON: {error}") from None
    if not isinstance(told, dict) or not isinstance(told.get("items"), list):
        raise Unreadable("it has no list of items")
    return told.get(key), told["items"]


def _read(told: dict[str, Any]) -> Pending:
    known = {entry.name for entry in fields(Pending)}
    values = {name: value for name, value in told.items() if name in known}
    for name in ("first_seen", "eligible_at", "last_attempt"):
        values[name] = _time(values[name]) if values[name] else None
    values["identity"] = Identity(**values["identity"]) if values["identity"] else None
    item = Pending(**values)
    check_pair(item.source, item.destination)
    if item.state not in STATES or item.reason not in POLICIES:
        raise ValueError(f"no such state or reason: {item.state}, {item.reason}")
    if any(type(count) is not int for count in item.attempts.values()):
        raise ValueError("attempts are not numbers")
    return item


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


# --- the file of the tidy before --------------------------------------------------------------


def of_old_json(data: bytes, now: datetime) -> tuple[Queue, list[str]]:
    """Return what `tidy_pending_moves.json` (schema_version 1) holds, and what was left out.

    What succeeded is left out silently. Paths of Windows become paths of a workspace.

    Raises:
        Unreadable: It is not such a file.
    """
    version, items = _head(data, "schema_version")
    if version != 1:
        raise Unreadable(f"schema_version is {version!r}, not 1")
    found, wrong = [], []
    home = str(json.loads(data).get("workspace_root") or "")
    for number, told in enumerate(items, 1):
        try:
            if told["status"] != "succeeded":
                found.append(_old_item(told, home, now))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            wrong.append(f"item {number}: {error!r}")
    return Queue({item.id: item for item in found}), wrong


def _old_item(told: Mapping[str, Any], home: str, now: datetime) -> Pending:
    if told.get("action", "move") != "move":
        raise ValueError(f"it is a {told['action']}, not a move")
    source, destination = _old_path(told["src"], home), _old_path(told["dest"], home)
    check_pair(source, destination)
    reason = told.get("reason", "unknown")
    reason = reason if reason in POLICIES else "unknown"
    first = _time(told["first_seen_at"]) if told.get("first_seen_at") else now
    last, due = told.get("last_attempt_at"), told.get("next_eligible_at")
    return Pending(
        source, destination, "imported", "waited in tidy_pending_moves.json", "retry",
        _OLD_STATES[told["status"]], cast(Status, reason),
        first_seen=first,
        eligible_at=_time(due) if due else now,
        last_attempt=_time(last) if last else None,
        attempts={reason: int(told.get("attempt_count") or 1)},
        detail=str(told.get("last_error") or ""),
    )  # fmt: skip


def _old_path(path: str, home: str) -> str:
    windows = re.match(r"[A-Za-z]:|\\\\", home) is not None
    if windows or re.match(r"[A-Za-z]:\\", path):
        path, home = path.replace("\\", "/"), home.replace("\\", "/")
        if path.lower().startswith(f"{home.lower()}/"):
            return path[len(home) + 1 :]
        return path
    return path.removeprefix(f"{home}/") if home else path

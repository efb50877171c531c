"""Events of a workspace, from which a Prefect automation can start a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def emit(event: str, root: Path, payload: dict[str, Any]) -> None:
    """Tell Prefect what happened in a workspace, inside a flow run; elsewhere nobody listens."""
    from autopack.io.git import checkout_id
    from tasks.engine import inside_prefect

    if not inside_prefect():
        return
    from prefect.events import emit_event

    emit_event(
        event,
        resource={
            "prefect.resource.id": f"autopack.workspace.{checkout_id(root)}",
            "prefect.resource.name": root.name,
        },
        payload={**payload, "workspace": str(root)},
    )

"""The Prefect server a run talks to."""

from __future__ import annotations


def answers(limit: float = 0.3) -> str | None:
    """Return the API URL of a Prefect server that answers."""
    return None


def connect(engine: str, run: object) -> None:
    """Make `PREFECT_API_URL` point at the server of this engine."""

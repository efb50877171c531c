"""Flow runs whose process died without closing them: found by tag, marked Crashed."""

from __future__ import annotations

LOCAL_TAG = "local-process"


def own_tags() -> tuple[str, ...]:
    """Return the tags of this process's flow runs."""
    return (LOCAL_TAG,)

"""Which workspaces a run may touch: what is below the roots in `AUTOPACK_WORKSPACE_ROOTS`.

Who may click in a UI may type any path into a form, so a deployment's runs are held to a list.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from autopack.errors import Refused, UsageError

VARIABLE = "AUTOPACK_WORKSPACE_ROOTS"
PATHS = ("out", "baseline", "policy", "proposal", "approval", "from_rules", "spec", "files")
"""Parameters of flows that name files, besides the workspace and a SQLite database."""
_SQLITE = "sqlite:///"


def check_paths(values: Mapping[str, Any], *, deployed: bool) -> None:
    """Make sure that a run names no path outside the roots: its workspace, and files of a form.

    Raises:
        Refused: One lies outside every root.
        UsageError: `AUTOPACK_WORKSPACE_ROOTS` names a root that is no absolute path.
    """
    if "workspace" not in values:
        return
    workspace = str(values["workspace"])
    check_root(workspace, deployed=deployed)
    for name in _named_files(values) if deployed else ():
        check_root(os.path.join(Path(workspace).expanduser(), name), deployed=True)


def _named_files(values: Mapping[str, Any]) -> Iterator[str]:
    for key in PATHS:
        given = values.get(key)
        yield from given if isinstance(given, (list, tuple)) else [given] if given else []
    url = values.get("database_url")
    if isinstance(url, str) and url.startswith(_SQLITE):
        yield url.removeprefix(_SQLITE)


def check_root(workspace: str, *, deployed: bool, env: Mapping[str, str] | None = None) -> None:
    """Make sure that a run may work on a workspace, symbolic links followed.

    Without the variable a deployment's runs have one root, the folder they start in: the checkout
    that is served. Other runs then have none to obey: their user can already do all they can.

    Raises:
        Refused: It lies outside every root.
        UsageError: The variable names a root that is no absolute path.
    """
    roots = allowed(os.environ if env is None else env, deployed=deployed)
    if roots is None:
        return
    try:
        real = Path(workspace).expanduser().resolve()
        inside = any(real.is_relative_to(root) for root in roots)
    except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown user, a null byte
        inside = False
    if not inside:
        raise Refused(
            f"{workspace!r} is outside {VARIABLE} ({', '.join(map(str, roots))})",
            next_step=f"choose one inside, or add its folder to {VARIABLE} where the run starts",
        )


def allowed(env: Mapping[str, str], *, deployed: bool) -> tuple[Path, ...] | None:
    """Return the roots, None where there is no restriction.

    Raises:
        UsageError: One is no absolute path.
    """
    named = [name for name in env.get(VARIABLE, "").split(os.pathsep) if name]
    if not named:
        return (Path.cwd().resolve(),) if deployed else None
    for name in named:
        if not os.path.isabs(name):
            raise UsageError(
                f"{VARIABLE} names {name!r}, which is no absolute path",
                next_step="write the whole path, roots separated by " + repr(os.pathsep),
            )
    return tuple(Path(name).resolve() for name in named)

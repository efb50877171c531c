"""One temporary folder and one clean environment for a whole test session.

Importing this module sets the environment, so that it is in place before Prefect is imported.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path(tempfile.mkdtemp(prefix="autopack-tests-")).resolve()
_SHARED = "AUTOPACK_TESTS_SHARED"
if _SHARED not in os.environ:  # the workers of this process will find it there
    os.environ[_SHARED] = tempfile.mkdtemp(prefix="autopack-tests-shared-")
    atexit.register(shutil.rmtree, os.environ[_SHARED], ignore_errors=True)
SHARED = Path(os.environ[_SHARED]).resolve()
"""What all processes of a run of tests make once: bytecode, and the tables of Prefect."""

TARGETS = (
    "DATABASE_URL",
    "QDRANT_HOST",
    "QDRANT_API_KEY",
    "QDRANT_COLLECTION",
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
)
"""What points a flow at the developer's own servers; unset for every test."""

_FOREIGN = (
    "PREFECT_", "PG", "QDRANT_", "DATABASE_URL", "XDG_", "GIT_DIR", "GIT_INDEX", "GIT_WORK",
    "PYTHONUNBUFFERED",  # it hides what a full buffer does at the end
)  # fmt: skip
_OURS = {
    "HOME": str(FOLDER / "home"),
    "TMPDIR": str(FOLDER / "tmp"),
    "XDG_RUNTIME_DIR": str(FOLDER / "run"),
    "AUTOPACK_CACHE_DIR": str(FOLDER / "cache"),
    "PREFECT_HOME": str(FOLDER / "prefect"),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_NAME": "Autopack tests" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "tests@autopack.invalid" for who in ("AUTHOR", "COMMITTER")},
}
_KEPT = ("PATH", "SYSTEMROOT", "CI", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0")


def clean_environment(**more: str | None) -> dict[str, str]:
    """Return the environment of a child process: this session's, nothing of the developer's.

    A value of None takes a variable away.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    given = {
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONPYCACHEPREFIX": str(SHARED / "bytecode"),
    }
    merged = {**kept, **_OURS, **given, **more}
    return {name: value for name, value in merged.items() if value is not None}


def _isolate() -> None:
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        del os.environ[name]
    os.environ.update(_OURS)
    for name in ("home", "tmp", "run", "prefect"):
        (FOLDER / name).mkdir(mode=0o700)
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


_isolate()

"""How attributes are read: `statx` in bulk where the system has it, otherwise `os.stat`.

Both give the identical snapshot. Two others were left out: `find -printf` runs on one processor and
writes numbers as text, which must be read again; `scandir-rs` opens folders by name, through
whatever link took their place meanwhile. `benchmarks/storage.py` has their times.
"""

from __future__ import annotations

from autopack.io.storage_attributes import Stat, Statx

BACKENDS = ("statx", "stat")


def attributes_of(backend: str) -> Statx | Stat:
    """Return the reader of this name.

    Raises:
        OSError: The system has no such call, or a sandbox forbids it.
    """
    return Statx() if backend == "statx" else Stat()


def best_of(wanted: str) -> tuple[Statx | Stat, str]:
    """Return the reader for `auto` or a name, and a remark if it is not the one wanted."""
    if wanted == "stat":
        return Stat(), ""
    try:
        return Statx(), ""
    except OSError as error:
        return Stat(), f"no statx ({error.strerror}): attributes are read one by one"

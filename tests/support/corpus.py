"""The real workspace beside the checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.session import REPOSITORY

SOURCE = REPOSITORY.parent / "shared" / "corpus"
ABSENT = f"the corpus is not beside the checkout (../{SOURCE.relative_to(REPOSITORY.parent)})"


def present() -> bool:
    """Return whether the corpus is there."""
    return (SOURCE / "materialize.py").is_file()


def lay_out(folder: Path) -> Path:
    """Lay the workspace out in `folder`, writable, and return it."""
    subprocess.run(
        [sys.executable, str(SOURCE / "materialize.py"), str(folder)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return folder

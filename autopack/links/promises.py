"""Old addresses that somebody outside the repository was given: they must lead somewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autopack.errors import UsageError
from autopack.links.ignore_files import load_list
from autopack.links.target import join

FILE = "config/doc_redirects.yaml"
"""Where a workspace keeps them: `promises:`, a list of path and reason, and to and fragments."""
EXAMPLE = "path: docs/OLD.md, reason: …, to: docs/NEW.md"
_NEEDED = ("path", "reason")


@dataclass(frozen=True, slots=True)
class Promise:
    """An old path that must lead somewhere; `to` is needed where git does not know its new place.

    `fragments` are deep links that were given out. `kept_in_stub` is true of a promise that no
    file records, so that the stub must.
    """

    path: str
    to: str = ""
    fragments: tuple[str, ...] = ()
    kept_in_stub: bool = False


def read_promises(data: bytes) -> list[Promise]:
    """Return the promises of a workspace's file.

    Raises:
        UsageError: It is no YAML, or a promise lacks something; the message says which.
    """
    entries = load_list(FILE, data, "promises", EXAMPLE)
    return [
        _promise(entry, f"{FILE}:{line}: promise {number}")
        for number, (entry, line) in enumerate(entries, 1)
    ]


def promised(path: str) -> Promise:
    """Return the promise of a path that a command line names.

    Raises:
        UsageError: It leads out of the workspace.
    """
    return Promise(_inside(path, f"--promise: {path!r}"), kept_in_stub=True)


def _promise(entry: Any, where: str) -> Promise:
    if not isinstance(entry, dict):
        raise _bad(f"{where} is no mapping")
    missing = [name for name in _NEEDED if not entry.get(name)]
    unknown = sorted(map(str, entry.keys() - {*_NEEDED, "to", "fragments"}))
    if missing or unknown:
        words = f"has no {missing[0]}" if missing else f"has an unknown key {unknown[0]!r}"
        raise _bad(f"{where} {words}")
    fragments = entry.get("fragments") or []
    if not isinstance(fragments, list):
        raise _bad(f"{where}: fragments is no list")
    to = _inside(str(entry["to"]), f"{where}: to") if entry.get("to") else ""
    names = tuple(str(name).removeprefix("#") for name in fragments)
    return Promise(_inside(str(entry["path"]), where), to, names)


def _inside(path: str, what: str) -> str:
    found, out = join("", path.replace("\\", "/"))
    if out or not found:
        raise UsageError(
            f"{what} leads out of the workspace", next_step="name a path from its root"
        )
    return found


def _bad(words: str) -> UsageError:
    return UsageError(words, next_step=f"write it like {EXAMPLE}")
